"""`refrain work`: releases answered at once, feedback counted, the catalogue filled."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

from structlog.contextvars import bound_contextvars

from consumers.runtime.live_model import LiveModel
from consumers.runtime.live_songs import LiveSongs
from consumers.runtime.newest_click import NewestClick
from consumers.runtime.process import starts_over, together
from consumers.runtime.reader_lag import ReaderLag
from consumers.runtime.startup import begin, begin_producer, epoch_of
from consumers.runtime.wiring import Stores, worth_of
from consumers.work.ab_test import ab_test_of
from consumers.work.agents import Agents
from consumers.work.click_habits import ClickHabits
from consumers.work.emitter import Emitter
from consumers.work.gate import gate_of
from consumers.work.member_cache import MemberCache
from consumers.work.planner import Planner
from consumers.work.release_reader import ReleaseReader, asked
from consumers.work.tracing import open_tracer
from models.listener import OffsetSource
from stream.connect import ask_redis, open_kafka
from stream.retry import Retry
from stream.settings import Settings
from stream.stores.artist_aliases import REFRESH_SECONDS
from stream.stores.catalogue import Catalogue
from stream.stores.durability import Durability
from stream.stores.erased_lately import ErasedLately
from stream.stores.feedback import FeedbackCounts, Heard
from stream.stores.heartbeats import Heartbeat
from stream.stores.releases import Asked
from stream.wire.composed import nfc
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import DeadLetter
from stream.wire.events import Feedback, Release, Song
from stream.wire.parsing import parse
from stream.wire.record import Record
from stream.wire.sender import Sender, dead_letter

__all__ = ["Worker", "work"]

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
REST_SECONDS = 0.2
HABITS_SECONDS = 1.0
SONGS_SECONDS = 5.0
OVERDUE_SECONDS, OVERDUE_LOOK_SECONDS = 60.0, 5.0
TESTED_AGAIN_SECONDS = 60.0
LAG_SECONDS = 1.0
PAGES_BYTES = 1 << 19  # some ten pages go to Kafka together; a topic takes twice as much at once


class Worker:
    """What is done with a release, with feedback, with songs.

    Parameters
    ----------
    epochs
        How often the topics `releases` and `feedback` have been recreated.
    """

    def __init__(
        self,
        emitter: Emitter,
        feedback_counts: FeedbackCounts,
        catalogue: Catalogue,
        durability: Durability,
        producer: Sender,
        heartbeat: Heartbeat,
        epochs: Mapping[str, int],
        retry: Retry,
    ) -> None:
        self._emitter = emitter
        self._feedback_counts = feedback_counts
        self._catalogue = catalogue
        self._durability = durability
        self._producer = producer
        self._heartbeat = heartbeat
        self._epochs = epochs
        self._retry = retry

    async def release(self, record: Record, published_at: float) -> None:
        """Answer a release, unless it is answered."""
        release = await self._read(Release, record)
        if release:
            event = asked(release, record, self._epochs["releases"], published_at)
            with bound_contextvars(release_id=release.release_id):
                answered = await self._retry("answering a release", self._emitter.answer_for_good, event)
            self._heartbeat.add("releases", answered)

    async def answer(self, releases: Sequence[Asked]) -> None:
        """Answer release events, but those that are answered."""
        answered = await self._retry("answering releases", self._emitter.answer, releases)
        self._heartbeat.add("releases", answered)

    async def feedback(self, records: Sequence[Record]) -> None:
        """Count feedback."""
        heard = []
        for record in records:
            feedback = await self._read(Feedback, record)
            if feedback:
                source = OffsetSource(record.partition, self._epochs["feedback"])
                heard.append(Heard(feedback, source, record.offset))
        counted = await self._retry(
            "counting feedback", self._durability.kept, lambda: self._feedback_counts.count(heard)
        )
        self._heartbeat.add("feedback", len(heard))
        self._heartbeat.add("feedback counted", counted)

    async def songs(self, records: Sequence[Record]) -> None:
        """Enter songs into the catalogue; take off it those that come without a value."""
        last: dict[str, Song | None] = {}
        for record in records:
            if record.value is None:
                last[nfc((record.key or b"").decode(errors="replace"))] = None  # as it was entered
            elif song := await self._read(Song, record):
                last[song.song_id] = song
        there = [song for song in last.values() if song]
        gone = [song_id for song_id, song in last.items() if song is None]

        async def put() -> None:
            await self._catalogue.put(there)
            await self._catalogue.remove(gone)

        await self._retry("filling the catalogue", self._durability.kept, put)
        self._heartbeat.add("songs", len(last))

    async def _read(self, kind: Any, record: Record) -> Any:
        event = parse(kind, record)
        if not isinstance(event, DeadLetter):
            return event
        await self._retry("emitting a dead letter", self._producer.deliver, [dead_letter(event)])
        self._heartbeat.add(f"dead:{event.reason.value}")
        return None


@starts_over
async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Wire a worker from settings, and run it until asked to stop.

    Raises
    ------
    RefrainError
        Where it cannot start: Kafka or Redis away, affinities of another half-life.
    """
    async with AsyncExitStack() as stack:
        retry = Retry(stop)
        redis, heartbeat, watch = begun = await begin(settings, "work", stack)
        epochs = {topic: await epoch_of(settings, begun, topic) for topic in ("releases", "feedback")}
        stores = Stores.on(redis, settings)
        live = LiveModel(stores.snapshots, heartbeat, NewestClick.on(redis, settings))
        await ask_redis(settings, live.refresh, logger.info)
        await ask_redis(settings, stores.durability.begin, logger.info)
        await ask_redis(settings, stores.aliases.refresh, logger.info)
        producer = await begin_producer(settings, stack, batch_bytes=PAGES_BYTES)
        idle = asyncio.Event()
        member_cache = MemberCache(stores.listeners, stores.cohorts, stores.told, idle, settings.members_mb)
        opted_out = stores.opted_out
        gate = gate_of(stores.told, settings, ErasedLately(stores.erased))
        habits = ClickHabits(stores.cohorts, stores.ctr_models)
        worth = worth_of(settings)
        songs = LiveSongs(stores.song_models)
        ab_test = ab_test_of(settings)
        planner = Planner(
            member_cache,
            stores.catalogue,
            opted_out,
            settings.max_audience,
            gate,
            habits,
            worth,
            stores.traits,
            settings.first_wave,
            ab_test,
            settings.dormant_days,
            songs,
            stores.merged_lately,
            stores.aliases,
        )
        # Of one host's network, in containers, two processes have the same name.
        name = f"{heartbeat.name}-{uuid4().hex}"
        emitter = Emitter(
            settings,
            stores.releases,
            stores.erased,
            stores.release_traces,
            stores.durability,
            planner,
            live,
            producer,
            name,
            idle,
            settings.wave_seconds,
            open_tracer(settings, stack),
        )
        worker = Worker(
            emitter,
            stores.feedback_counts,
            stores.catalogue,
            stores.durability,
            producer,
            heartbeat,
            epochs,
            retry,
        )

        consumer = Consumer(settings, enable_auto_commit=False)
        stack.push_async_callback(consumer.stop)
        await open_kafka(settings, consumer.start, logger.info)
        lag = ReaderLag(heartbeat, "releases")
        reader = ReleaseReader(consumer, epochs["releases"], lag, worker.answer, stop)

        async def look_back() -> None:
            await reader.begin(await producer.partitions_for("releases"))

        await open_kafka(settings, look_back, logger.info)

        async def read_tastes() -> None:
            if model := live.model:
                await member_cache.refresh(model)

        async def read_habits() -> None:
            if model := live.model:
                await habits.refresh(model.cohort_ids)

        async def keep_tested() -> None:
            # Else it would be dropped as later ones come, and a worker that starts then would have no test.
            if ab_test and ab_test.ctr_version is not None:
                await stores.ctr_models.keep_for_test(ab_test.ctr_version)

        async def same_redis() -> None:
            # Else the first release after a restart of Redis would be answered twice.
            await stores.durability.acknowledged(stores.durability.primaries)

        async def count_overdue() -> None:
            overdue = await stores.releases.left_open(time.time() - OVERDUE_SECONDS)
            heartbeat.gauges["overdue"] = len(overdue)

        agents = Agents(settings, worker, stop, watch, heartbeat)
        stack.push_async_callback(agents.end)
        logger.info("answering releases")
        await together(
            agents.run(),
            live.follow(),
            heartbeat.keep(),
            reader.run(),
            watch.run(),
            retry.every(LOOK_SECONDS, "finishing releases left in the middle", emitter.finish_abandoned),
            retry.every(OVERDUE_LOOK_SECONDS, "counting releases that wait", count_overdue),
            retry.every(LAG_SECONDS, "looking how far the agents are", agents.show_lag),
            retry.every(LOOK_SECONDS, "looking whether Redis is the same", same_redis),
            retry.every(REST_SECONDS, "reading who opted out", opted_out.refresh),
            retry.every(REST_SECONDS, "reading tastes", read_tastes),
            retry.every(REFRESH_SECONDS, "reading aliases of artists", stores.aliases.refresh),
            retry.every(SONGS_SECONDS, "reading song vectors", songs.refresh),
            retry.every(HABITS_SECONDS, "reading who clicks", read_habits),
            retry.every(TESTED_AGAIN_SECONDS, "keeping the CTR model under test", keep_tested),
        )
