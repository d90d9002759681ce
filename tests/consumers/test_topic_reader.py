"""Readers of small topics: whoever had a partition before writes nothing of it any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing

import pytest

from consumers.ingest.aliases import AliasReader
from consumers.runtime import topic_reader
from consumers.runtime.startup import begin_producer
from stream.connect import AnyRedis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.durability import Durability
from stream.stores.heartbeats import Heartbeat
from stream.wire.topic_watch import TopicWatch
from tests.consumers.kafka_log import KafkaLog
from tests.fresh_topics import shapes_of
from tests.waiting import wait_for_it

ALIASES = [f"x{number}" for number in range(16)]  # in all partitions


class Counted(ArtistAliases):
    """Counts how often it was written to."""

    def __init__(self, redis: AnyRedis) -> None:
        super().__init__(redis)
        self.written = 0

    async def put(self, artist_of: Mapping[str, str]) -> None:
        await super().put(artist_of)
        self.written += 1


@asynccontextmanager
async def reading(settings: Settings, redis: AnyRedis, replicas: int) -> AsyncIterator[Counted]:
    """A reader of aliases that waits for so many replicas, of which there is none."""
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        shapes = shapes_of(settings, ["artist-aliases"])
        watch = stack.enter_context(closing(TopicWatch(settings, shapes)))
        producer = await begin_producer(settings, stack)
        consumer = AliasReader.consumer(settings, watch)
        stack.push_async_callback(consumer.stop)
        aliases, heartbeat = Counted(redis), Heartbeat(redis, "ingest")
        waits = Durability(redis, replicas)
        await waits.begin()
        reader = AliasReader(consumer, aliases, waits, producer, heartbeat, Retry(stop), stop)
        await consumer.start()
        run = asyncio.create_task(reader.run())
        try:
            yield aliases
        finally:
            stop.set()
            await run


async def all_said(redis: AnyRedis) -> dict[str, str]:
    held = await redis.hgetall(keys.ARTIST_ALIASES)
    return {name.decode(): artist.decode() for name, artist in held.items() if name[:1] == b"x"}


async def test_an_alias_that_could_not_be_committed_is_not_written_again_over_the_next_owners(
    settings: Settings, redis: AnyRedis, log: KafkaLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_reader, "GIVE_UP_SECONDS", 0.1)
    log.send("artist-aliases", [{"alias": each, "artist_id": "y"} for each in ALIASES])
    async with reading(settings, redis, replicas=1) as first:

        async def written() -> bool:
            return first.written > 1

        await wait_for_it(written, "the first to write what no replica has")
        async with reading(settings, redis, replicas=0):
            log.send("artist-aliases", [{"alias": each, "artist_id": "z"} for each in ALIASES])

            async def theirs() -> set[str]:
                return {each for each, artist in (await all_said(redis)).items() if artist == "z"}

            newer = await wait_for_it(theirs, "the second to write what came later")
            before = first.written

            async def written_again() -> bool:
                return first.written > before + 1

            await wait_for_it(written_again, "the first to try again")
            assert newer <= await theirs()
