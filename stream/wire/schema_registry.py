"""Values that serializers of a Confluent Schema Registry wrote, as JSON: Avro, Protobuf, by their schemas."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from aiokafka import ConsumerRecord, TopicPartition
from pydantic_core import to_json

from stream.errors import SettingsError
from stream.settings import Settings
from stream.wire.parsing import FRAME_BYTES, is_framed
from stream.wire.record import Framed

if TYPE_CHECKING:
    from confluent_kafka.schema_registry import Schema

__all__ = ["Fetched", "SchemaRegistry", "registry_of"]

logger = logging.getLogger(__name__)

Fetched: TypeAlias = "Mapping[TopicPartition, list[ConsumerRecord]]"

AGAIN_SECONDS = 1.0
WARN_SECONDS = 10.0
TIMEOUT = 5.0  # seconds for an answer
UNKNOWN = 404
SENSELESS = 400, 422  # which proxies say, too, without a registry's `error_code`
NO_CODE = None, -1  # of the client, where what was answered is no registry's

LARGEST_ID = 2**31 - 1
"""Registries count in signed integers, and may take a larger id for a fault of their own."""

MISSING = "no schema that the registry has, or imports one that it has not"
USELESS = KeyError, TypeError, ValueError


class SchemaRegistry:
    """Decodes what is framed: a zero byte, the schema's id in four, the value.

    A schema never changes, so each is asked for once. While the registry does not answer, records are waited
    with: they are neither lost nor dead letters.

    Parameters
    ----------
    options
        Of confluent-kafka's client.
    """

    def __init__(self, url: str, options: dict[str, Any]) -> None:
        try:
            from confluent_kafka.schema_registry import SchemaRegistryClient  # noqa: PLC0415 - of an extra
            from confluent_kafka.schema_registry.avro import AvroDeserializer  # noqa: PLC0415
            from confluent_kafka.schema_registry.error import SchemaRegistryError  # noqa: PLC0415

            from stream.wire.protobuf_values import ProtobufValues  # noqa: PLC0415
        except ImportError as error:
            raise SettingsError(
                f"REFRAIN_SCHEMA_REGISTRY_URL needs a package that is not installed ({error})",
                hint="`pip install 'refrain-cohorts[schema-registry]'`.",
            ) from error
        self._url = url
        self._client = SchemaRegistryClient(options)
        # Of its own: a client remembers a schema in the format that was asked for first.
        self._protobuf = ProtobufValues(SchemaRegistryClient(options))
        self._decoders = {"AVRO": AvroDeserializer(self._client), "PROTOBUF": self._protobuf}
        self._refusal = SchemaRegistryError
        self._kinds: dict[int, str] = {}

    async def decoded(self, fetched: Fetched) -> Fetched:
        """Return records with framed values decoded, once the registry has said how."""
        framed = {
            int.from_bytes(record.value[1:FRAME_BYTES], "big")
            for records in fetched.values()
            for record in records
            if record.value is not None and is_framed(record.value)
        }
        if not framed:
            return fetched
        # One that is missing may come: registries have replicas that are behind.
        await self._ask_for({schema for schema in framed if self._kinds.get(schema, MISSING) == MISSING})
        return await asyncio.to_thread(self._all, fetched)

    def fault(self) -> str:
        """Return why the registry gives no schema; empty where it does. Takes a request."""
        try:
            self._kind_of(1)  # which there may not be: that is an answer, too
        except Exception as error:  # noqa: BLE001 - of several libraries
            return f"{type(error).__name__}: {error}"
        return ""

    async def _ask_for(self, schemas: set[int]) -> None:
        warn_at = 0.0
        for schema in sorted(schemas):
            while True:
                try:
                    self._kinds[schema] = await asyncio.to_thread(self._kind_of, schema)
                    break
                except Exception as error:  # noqa: BLE001 - of several libraries; it is asked again
                    if time.monotonic() >= warn_at:
                        logger.warning(
                            "the schema registry at %s does not say what schema %d is (%s); asking again",
                            self._url,
                            schema,
                            error,
                        )
                        warn_at = time.monotonic() + WARN_SECONDS
                await asyncio.sleep(AGAIN_SECONDS)

    def _kind_of(self, schema: int) -> str:
        if schema > LARGEST_ID:
            return MISSING
        try:
            found = self._client.get_schema(schema)
            if found.schema_type == "PROTOBUF":
                self._protobuf.prepare(schema)
            else:
                self._fetch_imports(found)
        except self._refusal as refusal:
            status = refusal.http_status_code
            if status == UNKNOWN or (status in SENSELESS and refusal.error_code not in NO_CODE):
                return MISSING
            raise
        except USELESS as error:
            return f"a schema of no use ({error})"
        return str(found.schema_type)

    def _fetch_imports(self, schema: Schema) -> None:
        """Let the client have what a schema imports: decoding is to wait for nobody."""
        for reference in schema.references or ():
            imported = self._client.get_version(str(reference.subject), reference.version or "latest", True)
            self._fetch_imports(imported.schema)

    def _all(self, fetched: Fetched) -> Fetched:
        return {
            place: [
                dataclasses.replace(record, value=self._decoded(record.value))
                if record.value is not None and is_framed(record.value)
                else record
                for record in records
            ]
            for place, records in fetched.items()
        }

    def _decoded(self, value: bytes) -> bytes:
        schema = int.from_bytes(value[1:FRAME_BYTES], "big")
        kind = self._kinds[schema]
        if kind == "JSON":
            return value  # which the parser reads as it is
        decode = self._decoders.get(kind)
        if decode is None:
            return Framed(value, fault=f"schema id {schema} is {kind}")
        try:
            event = decode(value)
            if isinstance(event, dict):  # a field that is not given is null in Avro
                event = {name: given for name, given in event.items() if given is not None}
            return Framed(value, to_json(event, bytes_mode="utf8"))
        except Exception as error:  # noqa: BLE001 - bytes may be anything, and decoders raise anything
            said = f"{type(error).__name__}: {error}"
            return Framed(value, fault=f"not what schema id {schema} ({kind}) describes: {said}")


def registry_of(settings: Settings) -> SchemaRegistry | None:
    """Return the registry of the settings, the same for all readers of a process; None where there is none.

    Raises
    ------
    SettingsError
        Where a package is missing.
    """
    if not settings.schema_registry_url:
        return None
    return _registry(
        settings.schema_registry_url,
        settings.schema_registry_username,
        settings.schema_registry_password.get_secret_value(),
        settings.schema_registry_ca_file,
    )


@cache
def _registry(url: str, username: str, password: str, ca_file: Path | None) -> SchemaRegistry:
    options: dict[str, Any] = {"url": url, "timeout": TIMEOUT, "max.retries": 0}
    if username:
        options["basic.auth.user.info"] = f"{username}:{password}"
    if ca_file:
        options["ssl.ca.location"] = str(ca_file)
    return SchemaRegistry(url, options)
