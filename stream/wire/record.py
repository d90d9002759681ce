"""An event as Kafka holds it, and what stands for a value that is not read as it came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

__all__ = ["Framed", "Headers", "Record", "Undecodable"]

Headers = Sequence[tuple[str, bytes | None]]


class Record(NamedTuple):
    """An event as Kafka holds it, with its place."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()

    @classmethod
    def of(cls, message: Any) -> Record:
        """Take what counts of a message of aiokafka or Faust: a record is held by the thousand.

        Parameters
        ----------
        message
            `aiokafka.ConsumerRecord`, or `faust.types.Message`, which has None for no headers.
        """
        headers = message.headers or ()
        return cls(message.topic, message.partition, message.offset, message.key, message.value, headers)


class Framed(bytes):
    """A value that a serializer of a Schema Registry wrote, byte by byte as it came.

    Parameters
    ----------
    json
        The JSON that it stands for.
    fault
        Why there is none.
    """

    json: bytes
    fault: str

    def __new__(cls, value: bytes, json: bytes = b"", *, fault: str = "") -> Framed:
        made = super().__new__(cls, value)
        made.json, made.fault = json, fault
        return made


class Undecodable(bytes):
    """Stands, empty, for the value of the single record that an undecodable batch comes as.

    Parameters
    ----------
    first, last
        The offsets that are lost with it.
    why
        What its decoder says.
    """

    first: int
    last: int
    detail: str

    def __new__(cls, first: int, last: int, why: str) -> Undecodable:
        made = super().__new__(cls)
        made.first, made.last = first, last
        made.detail = f"no record can be read of the batch with offsets {first} to {last}: {why}"
        return made
