"""Releases are read beside Faust, by every worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis

from consumers.runtime.reader_lag import ReaderLag
from consumers.work import release_reader
from consumers.work.release_reader import ReleaseReader
from stream.stores.heartbeats import Heartbeat
from stream.stores.releases import Asked
from stream.wire.consumer import Consumer
from tests.consumers.desk import Desk
from tests.waiting import wait_for_it

NAMES = [f"r{number}" for number in range(6)]


class Reading:
    """A reader, and the release events that it has given on."""

    def __init__(self, desk: Desk, consumer: Consumer) -> None:
        self._desk = desk
        self.stop = asyncio.Event()
        self.seen: list[Asked] = []
        lag = ReaderLag(Heartbeat(Redis(), "work"), "releases")
        self.reader = ReleaseReader(consumer, 2, lag, self._answer, self.stop)

    async def _answer(self, several: Sequence[Asked]) -> None:
        self.seen += several

    async def from_the_beginning(self) -> None:
        await self.reader.begin(set(range(self._desk.settings.partitions)))

    async def wait_for(self, names: list[str]) -> None:
        async def seen() -> bool:
            return {asked.release.release_id for asked in self.seen} >= set(names)

        await wait_for_it(seen, "the releases")


@pytest.fixture
async def reading(desk: Desk) -> AsyncIterator[Reading]:
    async with Consumer(desk.settings, enable_auto_commit=False) as consumer:
        yield Reading(desk, consumer)


async def test_what_was_published_before_and_after_the_start_is_answered_once(
    desk: Desk, reading: Reading
) -> None:
    desk.publish_all(NAMES[:3], "a1")
    await reading.from_the_beginning()
    running = asyncio.create_task(reading.reader.run())
    desk.publish_all(NAMES[3:], "a1")
    await reading.wait_for(NAMES)
    reading.stop.set()
    await running
    assert sorted(asked.release.release_id for asked in reading.seen) == NAMES


async def test_an_event_comes_with_its_place_and_time(desk: Desk, reading: Reading) -> None:
    await reading.from_the_beginning()
    running = asyncio.create_task(reading.reader.run())
    ((partition, offset),) = desk.log.send("releases", [{"release_id": "r1", "artist_ids": ["a1"]}])
    await reading.wait_for(["r1"])
    reading.stop.set()
    await running
    (record,) = desk.log.records("releases")
    (seen,) = reading.seen
    assert (seen.source, seen.offset) == (f"{partition}.2", offset)
    assert seen.published_at == record.timestamp / 1000


async def test_what_is_older_than_an_hour_is_left_to_faust(
    desk: Desk, reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.publish_all(NAMES[:3], "a1")
    monkeypatch.setattr(release_reader, "LOOK_BACK", -3600.0)  # as if all this were long ago
    await reading.from_the_beginning()
    running = asyncio.create_task(reading.reader.run())
    desk.publish_all(NAMES[3:], "a1")
    await reading.wait_for(NAMES[3:])
    reading.stop.set()
    await running
    assert sorted(asked.release.release_id for asked in reading.seen) == NAMES[3:]


async def test_what_is_no_release_is_passed_over(desk: Desk, reading: Reading) -> None:
    ((partition, _),) = desk.log.send("releases", [b"no JSON"])
    desk.log.send("releases", [{"release_id": "r1", "artist_ids": ["a1"]}], partition=partition)
    await reading.from_the_beginning()
    running = asyncio.create_task(reading.reader.run())
    await reading.wait_for(["r1"])
    reading.stop.set()
    await running
    assert len(reading.seen) == 1
