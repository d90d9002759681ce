"""Protobuf by the schemas of a registry: messages as what their JSON is made of.

The registry gives a schema as descriptors (`format=serialized`), so nothing is compiled here.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from google.protobuf import (
    any_pb2,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    message_factory,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message

from stream.wire.parsing import FRAME_BYTES

__all__ = ["ProtobufValues"]

SERIALIZED = "serialized"
ITSELF = "schema of the value"
WELL_KNOWN = {
    module.DESCRIPTOR.name: module.DESCRIPTOR.serialized_pb
    for module in (
        any_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
    )
}
"""Files that a schema may import without the registry having them; none imports another."""


class ProtobufValues:
    """Decodes framed Protobuf.

    As in Protobuf's own JSON, a field of proto3 that has its default (0, "", no element) is not given, unless
    it is `optional`.

    Parameters
    ----------
    client
        A client that asks for nothing else: it remembers schemas whatever format was asked for.
    """

    def __init__(self, client: SchemaRegistryClient) -> None:
        self._client = client
        self._files: dict[int, tuple[DescriptorPool, FileDescriptorProto]] = {}
        self._classes: dict[tuple[int, tuple[int, ...]], type[Message]] = {}

    def prepare(self, schema: int) -> None:
        """Ask the registry for a schema and all that it imports.

        Raises
        ------
        SchemaRegistryError, OSError
            Where the registry does not answer, or does not have one of them.
        KeyError, TypeError, ValueError
            Where they are of no use.
        """
        pool = DescriptorPool()
        self._files[schema] = pool, self._add(pool, ITSELF, self._client.get_schema(schema, fmt=SERIALIZED))

    def __call__(self, value: bytes) -> dict[str, Any]:
        """Return the fields of a message, whose schema is prepared.

        Raises
        ------
        DecodeError, IndexError, ValueError
            Where it is not what the schema describes.
        """
        schema = int.from_bytes(value[1:FRAME_BYTES], "big")
        path, start = _path(value)
        if (schema, path) not in self._classes:
            self._classes[schema, path] = _class(*self._files[schema], path)
        message = self._classes[schema, path]()
        message.ParseFromString(value[start:])
        return _fields(message)

    def _add(self, pool: DescriptorPool, name: str, schema: Schema) -> FileDescriptorProto:
        """Add a file to a pool, behind all that it imports."""
        try:
            file = FileDescriptorProto.FromString(base64.b64decode(schema.schema_str or "", validate=True))
        except (ValueError, DecodeError) as error:
            raise ValueError("the registry gives it not as descriptors, by format=serialized") from error
        file.name = name
        referred = {reference.name: reference for reference in schema.references or ()}
        for imported in file.dependency:
            if reference := referred.get(imported):
                version = self._client.get_version(
                    str(reference.subject), reference.version or "latest", fmt=SERIALIZED
                )
                self._add(pool, imported, version.schema)
            else:
                pool.AddSerializedFile(WELL_KNOWN[imported])
        pool.Add(file)
        return file


def _class(pool: DescriptorPool, file: FileDescriptorProto, path: tuple[int, ...]) -> type[Message]:
    names, messages = [file.package] if file.package else [], list[DescriptorProto](file.message_type)
    for index in path:
        names.append(messages[index].name)
        messages = list(messages[index].nested_type)
    found: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName(".".join(names)))
    return found


def _path(value: bytes) -> tuple[tuple[int, ...], int]:
    """Return which message of its file it is, by index at each level, and where it begins."""
    numbers = _zigzag(value)
    count, start = next(numbers)
    if count == 0:  # short for: the first
        return (0,), start
    path = []
    for _ in range(count):
        index, start = next(numbers)
        path.append(index)
    return tuple(path), start


def _zigzag(value: bytes) -> Iterator[tuple[int, int]]:
    """Yield numbers behind the frame, and where each ends."""
    number = shift = 0
    for at in range(FRAME_BYTES, len(value)):
        number |= (value[at] & 0x7F) << shift
        shift += 7
        if value[at] < 0x80:  # noqa: PLR2004 - the bit that says that more follows
            yield (number >> 1) ^ -(number & 1), at + 1
            number = shift = 0
    raise ValueError("it ends before the message begins")


def _fields(message: Message) -> dict[str, Any]:
    return {field.name: _all(field, value) for field, value in message.ListFields()}


def _all(field: FieldDescriptor, value: Any) -> Any:
    if field.message_type and field.message_type.GetOptions().map_entry:
        of = field.message_type.fields_by_name["value"]
        return {str(key): _plain(of, each) for key, each in value.items()}
    return [_plain(field, each) for each in value] if field.is_repeated else _plain(field, value)


def _plain(field: FieldDescriptor, value: Any) -> Any:
    if field.enum_type:
        named = field.enum_type.values_by_number.get(value)
        return named.name if named else value
    if not field.message_type:
        return value
    name = field.message_type.full_name
    if name == timestamp_pb2.Timestamp.DESCRIPTOR.full_name:
        return value.ToDatetime(UTC)
    if field.message_type.file.name == wrappers_pb2.DESCRIPTOR.name:
        return value.value
    return _fields(value)
