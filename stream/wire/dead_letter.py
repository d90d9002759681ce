"""What becomes of an event that cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from stream.wire.record import Headers, Record, Undecodable

__all__ = ["MAX_DEAD_LETTER", "DeadLetter", "Reason", "Said", "headers_of_producer", "said_in"]

MAX_DEAD_LETTER = 2 * 1024 * 1024
"""Bytes: what was too large for its reader still fits into ``dead-letters``, with headers that say why."""

KEY_BYTES = 64 * 1024
"""Of the key: an id has at most 256 bytes, but a producer may give any key, and it takes the value's room."""

HEADERS_BYTES = 4096
HEADER_BYTES = 20
"""Of one header beside its name and value: their lengths, at most."""

PRODUCERS_HEADERS_BYTES = 64 * 1024
"""Of the producer's own headers in a dead letter: trace ids and the like, not a second value."""

OUR_HEADERS = frozenset({"reason", "detail", "topic", "partition", "offset", "last_offset"})


class Reason(StrEnum):
    """Why an event cannot be used: the closed list in the header ``reason`` of a dead letter."""

    NOT_JSON = "not-json"
    MISSING_FIELD = "missing-field"
    BAD_ID = "bad-id"
    BAD_TIME = "bad-time"
    BAD_VALUE = "bad-value"
    FUTURE = "too-far-in-the-future"
    UNKNOWN_SONG = "unknown-song"
    TOO_LARGE = "too-large"
    UNDECODABLE = "undecodable-batch"
    SCHEMA_REGISTRY = "schema-registry"
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that cannot be used, as it came, and why."""

    record: Record
    reason: Reason
    detail: str

    @property
    def key(self) -> bytes | None:
        """The key as it came, its beginning where it is too long."""
        return self.record.key and self.record.key[:KEY_BYTES]

    @property
    def value(self) -> bytes:
        """The bytes as they came: none where there were none, the beginning where they are too many."""
        kept = sum(map(_size, self._producers_own()))
        room = MAX_DEAD_LETTER - len(self.key or b"") - HEADERS_BYTES - kept
        return (self.record.value or b"")[:room]

    @property
    def headers(self) -> list[tuple[str, bytes | None]]:
        """The headers it carries in the topic ``dead-letters``: the producer's, then ours."""
        topic, partition, offset, _, value, _ = self.record
        headers = self._producers_own()
        headers += [
            ("reason", self.reason.value.encode()),
            ("detail", self.detail.encode()[:1024]),
            ("topic", topic.encode()),
            ("partition", str(partition).encode()),
            ("offset", str(value.first if isinstance(value, Undecodable) else offset).encode()),
        ]
        if isinstance(value, Undecodable):
            headers.append(("last_offset", str(value.last).encode()))
        return headers

    def _producers_own(self) -> list[tuple[str, bytes | None]]:
        own, room = [], PRODUCERS_HEADERS_BYTES
        for header in headers_of_producer(self.record.headers):
            if (size := _size(header)) <= room:
                own.append(header)
                room -= size
        return own


class Said(NamedTuple):
    """What the headers of a dead letter say: why the event could not be used, and its place."""

    reason: str
    topic: str
    partition: int
    offset: int


def said_in(headers: Headers) -> Said | None:
    """Read the headers of a dead letter; None: it is none of Refrain's.

    Examples
    --------
    >>> said_in([("topic", b"clicks"), ("reason", b"bad-id"), ("partition", b"3"), ("offset", b"7")])
    Said(reason='bad-id', topic='clicks', partition=3, offset=7)
    >>> said_in([("reason", None)])
    """
    found = dict(headers)  # of one name in two the last, which is ours
    reason, topic, partition, offset = (found.get(name) for name in Said._fields)
    if reason is None or topic is None or partition is None or offset is None:
        return None
    try:
        return Said(reason.decode(), topic.decode(), int(partition), int(offset))
    except ValueError:
        return None


def headers_of_producer(headers: Headers) -> list[tuple[str, bytes | None]]:
    """Return the headers that are not of the names that Refrain gives in a dead letter."""
    return [(name, value) for name, value in headers if name not in OUR_HEADERS]


def _size(header: tuple[str, bytes | None]) -> int:
    return len(header[0].encode()) + len(header[1] or b"") + HEADER_BYTES
