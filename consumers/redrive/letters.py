"""Dead letters as they are read back from their topic."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from aiokafka import ConsumerRecord

from stream.wire.dead_letter import Reason, headers_of_producer, said_in
from stream.wire.record import Record

__all__ = ["Letter", "letter_of", "name_of"]

NO_HEADERS = "no-headers"
"""Stands for the reason of what is in the topic and is no letter of Refrain's."""


@dataclass(frozen=True)
class Letter:
    """A dead letter.

    Attributes
    ----------
    reason
        Why the event could not be used.
    event
        The event, at the place that it had, with the headers that its producer gave it.
    at
        When it came into the topic, Unix seconds.
    name
        Identifies it: the same event in two letters has one name, and an event of a topic that was deleted
        since and created again another than the one that has its offset now.
    """

    reason: str
    event: Record
    at: float
    name: str

    @property
    def is_lost(self) -> bool:
        """Whether the event itself is not in the letter, or in no letter of ours."""
        return self.reason in (Reason.UNDECODABLE.value, NO_HEADERS)


def letter_of(message: ConsumerRecord) -> Letter:
    """Read a dead letter."""
    at = message.timestamp / 1000
    if (said := said_in(message.headers)) is None:
        return Letter(NO_HEADERS, Record.of(message), at, "")
    reason, topic, partition, offset = said
    value = message.value or b""
    event = Record(topic, partition, offset, message.key, value, headers_of_producer(message.headers))
    return Letter(reason, event, at, name_of(topic, partition, offset, value))


def name_of(topic: str, partition: int, offset: int, value: bytes | None) -> str:
    """Return the `Letter.name` of an event that becomes a dead letter there."""
    return f"{topic}:{partition}:{offset}:{zlib.crc32(value or b''):08x}"
