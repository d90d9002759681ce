"""What events are posted as."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from stream.wire.dead_letter import DeadLetter
from stream.wire.events import CohortChange, Page, encode
from stream.wire.parsing import parse, parse_audience
from stream.wire.record import Record

__all__ = ["Outgoing", "Post", "audience_post", "changes_post"]


@dataclass(frozen=True)
class Post:
    """A post: the same whenever it is made of the same events.

    Attributes
    ----------
    name
        The idempotency key: of the events' bytes in Kafka. It stays the same over attempts and restarts, and
        where a page comes twice, which is byte for byte the same then.
    body
        JSON.
    first
        The first of the records that it is made of.
    trace
        The header `traceparent` of the event, "" for none.
    """

    name: str
    body: bytes
    first: Record
    trace: str = ""

    @property
    def begins(self) -> str:
        """What it is remembered by while it is not taken: where it is made again, more may come behind."""
        place = f"{self.first.topic}:{self.first.partition}:{self.first.offset}:"
        # Its bytes, too: a topic that was made anew counts its offsets from 0.
        return hashlib.sha256(place.encode() + (self.first.value or b"")).hexdigest()[:32]


@dataclass(frozen=True)
class Outgoing:
    """What is to be posted of some records, and what of them is no event of ours."""

    post: Post | None
    dead: tuple[DeadLetter, ...] = ()


def audience_post(records: Sequence[Record]) -> Outgoing:
    """Return the post of a page, or of a summary.

    Examples
    --------
    >>> value = b'{"release_id": "r1", "done": true, "pages": 0, "users": 0, "cohorts": 0, "reason": "x"}'
    >>> audience_post([Record("audiences", 0, 7, b"r1", value)]).post.body[:50]
    b'{"type":"audience.summary","data":{"release_id":"r'
    """
    (record,) = records
    event = parse_audience(record)
    if isinstance(event, DeadLetter):
        return Outgoing(None, (event,))
    kind = b"page" if isinstance(event, Page) else b"summary"
    trace = dict(record.headers).get("traceparent") or b""
    body = b'{"type":"audience.%b","data":%b}' % (kind, encode(event))
    return Outgoing(Post(_name(records), body, record, trace.decode(errors="replace")))


def changes_post(records: Sequence[Record]) -> Outgoing:
    """Return the post of changes of cohort, in their order."""
    parsed = [parse(CohortChange, record) for record in records]
    dead = tuple(each for each in parsed if isinstance(each, DeadLetter))
    changes = [encode(each) for each in parsed if isinstance(each, CohortChange)]
    if not changes:
        return Outgoing(None, dead)
    body = b'{"type":"cohort.changes","data":{"changes":[%b]}}' % b",".join(changes)
    return Outgoing(Post(_name(records), body, records[0]), dead)


def _name(records: Sequence[Record]) -> str:
    digest = hashlib.sha256()
    for record in records:
        digest.update(b"%d:" % len(record.value or b"") + (record.value or b""))
    return f"msg_{digest.hexdigest()[:32]}"
