"""How far a reader is behind, in events and in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition
from redis.asyncio import Redis

from consumers.runtime.reader_lag import ReaderLag, in_hand
from stream.stores.heartbeats import Heartbeat

PLACE, OTHER = TopicPartition("clicks", 0), TopicPartition("clicks", 1)


@dataclass
class Message:
    timestamp: int


@dataclass
class Reader:
    """A consumer at positions that the test says, of a topic that ends where it says."""

    ends: dict[TopicPartition, int] = field(default_factory=dict)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    meanwhile: Callable[[], None] = lambda: None

    def assignment(self) -> set[TopicPartition]:
        return set(self.ends)

    def highwater(self, place: TopicPartition) -> int | None:
        return self.ends.get(place)

    async def position(self, place: TopicPartition) -> int:
        self.meanwhile()
        return self.positions[place]


class Watched:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.heartbeat = Heartbeat(Redis(), "ingest")
        self.lag = ReaderLag(self.heartbeat, "clicks", lambda: self.now)
        self.reader = Reader()

    async def fetch(self, place: TopicPartition, end: int, position: int, *sent_at: float) -> Any:
        self.reader.ends[place], self.reader.positions[place] = end, position
        found = {place: [Message(int(at * 1000)) for at in sent_at]}
        await self.lag.fetched(self.reader, found)  # type: ignore[arg-type]
        return in_hand(found)

    @property
    def said(self) -> tuple[Any, Any]:
        gauges = self.heartbeat.gauges
        return gauges["lag:clicks"], gauges["waiting since:clicks"]


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_before_anything_is_fetched_nothing_waits(watched: Watched) -> None:
    assert watched.said == (0, 0.0)


async def test_events_wait_until_they_are_done_with_not_until_they_are_fetched(watched: Watched) -> None:
    found = await watched.fetch(PLACE, 10, 3, 900, 901, 902)
    assert watched.said == (10, 900)
    assert watched.lag.left == 7
    watched.lag.done(found)
    assert watched.said == (7, 902)


async def test_where_nothing_is_left_behind_what_is_done_nothing_waits(watched: Watched) -> None:
    watched.lag.done(await watched.fetch(PLACE, 3, 3, 900, 901, 902))
    assert watched.said == (0, 0.0)


async def test_what_is_done_with_before_the_end_of_the_topic_is_known_waits_no_more(watched: Watched) -> None:
    watched.reader.meanwhile = lambda: watched.lag.done({PLACE: (2, 901.0)})
    await watched.fetch(PLACE, 2, 2, 900, 901)
    assert watched.said == (0, 0.0)


async def test_an_event_after_a_long_silence_has_waited_since_nothing_did(watched: Watched) -> None:
    watched.lag.done(await watched.fetch(PLACE, 3, 3, 900, 901, 902))
    watched.now = 5_000.0
    await watched.fetch(PLACE, 3, 3)
    watched.now = 5_001.0
    await watched.fetch(PLACE, 5, 4, 5_000.5)
    assert watched.said == (2, 5_000)


async def test_the_partition_that_is_behind_most_says_since_when(watched: Watched) -> None:
    watched.lag.done(await watched.fetch(PLACE, 10, 1, 990))
    watched.lag.done(await watched.fetch(OTHER, 10, 1, 700))
    assert watched.said == (18, 700)


async def test_a_marker_of_a_transaction_at_the_end_does_not_wait(watched: Watched) -> None:
    found = await watched.fetch(PLACE, 3, 3, 900, 901)  # the third is the marker
    watched.lag.done(found)
    assert watched.said == (0, 0.0)


async def test_partitions_that_others_read_now_are_forgotten(watched: Watched) -> None:
    await watched.fetch(PLACE, 10, 3, 900)
    await watched.fetch(OTHER, 5, 4, 950)
    del watched.reader.ends[PLACE]
    await watched.fetch(OTHER, 5, 4)
    assert watched.said == (2, 950)
    watched.lag.forget()
    assert watched.said == (0, 0.0)


async def test_a_batch_that_has_no_time_has_waited_since_now(watched: Watched) -> None:
    await watched.fetch(PLACE, 10, 3, 0)
    assert watched.said == (8, 1_000)
