"""`refrain ingest`: clicks from Kafka into Redis, each exactly once, in batches as large as the backlog."""

from __future__ import annotations

import asyncio
import logging
import time
from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TypeAlias

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata
from structlog.contextvars import bind_contextvars, bound_contextvars

from consumers.ingest.aliases import AliasReader
from consumers.ingest.apply import Applier
from consumers.ingest.late_songs import LateSongs
from consumers.ingest.merger import Merger
from consumers.ingest.merges import MergeReader
from consumers.ingest.sweep import Sweeper
from consumers.runtime.live_model import LiveModel
from consumers.runtime.moves import Moves
from consumers.runtime.process import starts_over, together
from consumers.runtime.reader_lag import ReaderLag, in_hand
from consumers.runtime.startup import begin, begin_producer, epoch_of, once_loaded
from consumers.runtime.wiring import Stores, rules_of
from models.listener import Click, Move, OffsetSource
from models.model import Model
from stream.connect import ask_redis, open_kafka
from stream.metrics import BATCH_CLICKS, BATCH_SECONDS, CLICK_TO_COHORT
from stream.retry import Retry, Stopped
from stream.settings import Settings
from stream.stores.artist_aliases import REFRESH_SECONDS
from stream.stores.catalogue import LENGTHS_SECONDS, Catalogue
from stream.stores.durability import Durability, Primaries
from stream.stores.heartbeats import STARTING, Heartbeat
from stream.stores.history import History
from stream.stores.released_songs import ReleasedSongs
from stream.stores.waiting import MOST_WAITING, Waiting
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.events import Feedback, encode
from stream.wire.groups import GROUPS
from stream.wire.parsing import parse_clicks
from stream.wire.record import Record
from stream.wire.schema_registry import Fetched
from stream.wire.sender import Message, Sender, dead_letter

__all__ = ["Ingester", "ingest"]

logger = logging.getLogger(__name__)

WAIT_MS = 500  # for a first click; a click that comes ends the wait
FIRST_CLICKS = 500  # at most, in the first batch; each that is applied doubles it, up to `batch_clicks`
AT_ONCE = 1000  # records: all those of a large batch beside its clicks would be most of what memory grows by
IN_HAND = 2  # batches at a time: while the last of one is written, the next is read
LOOK_SECONDS = 1.0  # for songs released lately
TIMED = 100  # moves of a batch: more of them say no more of how long it took
SESSION_MS = 10_000  # without a sign of life for so long, partitions go to others

Artists: TypeAlias = "dict[str, tuple[str, ...]]"
"""Song -> its artists."""

Places: TypeAlias = "set[tuple[int, int]]"
"""Partitions and offsets of clicks."""


@dataclass
class Batch:
    """Clicks ready to be applied, by listener, what that moved, and where they are in Kafka.

    Attributes
    ----------
    began
        When it was fetched, in seconds of `time.perf_counter`.
    events
        How many records are of each partition, and when Kafka had the last of them (`ReaderLag.done`).
    size
        Records that were fetched. They are not held: where several batches wait, that is most of what grows.
    late
        Those of the records, all the same, whose song is not known: one may be a click too many yet.
    published
        Partition -> the offsets of the records, and when Kafka had each, in Unix milliseconds.
    primaries
        Redis's, before the first write.
    played
        Plays of songs that were released lately.
    """

    generation: int
    primaries: Primaries = frozenset()
    began: float = 0.0
    events: dict[TopicPartition, tuple[int, float]] = field(default_factory=dict)
    published: dict[int, tuple[array[int], array[int]]] = field(default_factory=dict)
    size: int = 0
    late: list[Record] = field(default_factory=list)
    clicks: dict[str, list[Click]] = field(default_factory=dict)
    dead: list[DeadLetter] = field(default_factory=list)
    played: list[Feedback] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    model: Model | None = None
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def place(self) -> str:
        """Its partitions and offsets, for the log: ``3:120-180``."""
        places = sorted(self.published.items())
        return " ".join(f"{number}:{offsets[0]}-{offsets[-1]}" for number, (offsets, _) in places)

    def note(self, fetched: Fetched) -> None:
        """Note where records are that were fetched for it."""
        for partition, (number, published) in in_hand(fetched).items():
            before, _ = self.events.get(partition, (0, 0.0))
            self.events[partition] = before + number, published
            offsets, timestamps = self.published.setdefault(partition.partition, (array("q"), array("q")))
            offsets.extend(message.offset for message in fetched[partition])
            timestamps.extend(message.timestamp for message in fetched[partition])
            self.size += number

    def end(self) -> None:
        """Say that it is finished, and hold no longer what nobody asks for then."""
        self.clicks, self.late, self.dead, self.played, self.moves = {}, [], [], [], []
        self.published.clear()
        self.finished.set()


class Ingester(ConsumerRebalanceListener):  # type: ignore[misc]
    """Fetch a batch; apply it; let all else follow, and commit it. Two batches are in hand at a time.

    Whoever is in both waits in the second until the first is finished: a listener's clicks are applied in
    their order, and a listener moves again only after the member sets have followed the last move, which is
    all that their record tells those who read the clicks again after a crash.

    Offsets are committed only when all that a batch changes is in Redis's file, and on replicas where they
    are waited for, and what it emits is in Kafka. What a crash makes Kafka deliver again is known by its
    offset and changes nothing. Where Redis has failed over or was restarted, the batches in hand are
    applied once more: what was lost of them nobody knows.
    """

    def __init__(
        self,
        consumer: Consumer,
        producer: Sender,
        applier: Applier,
        moves: Moves,
        catalogue: Catalogue,
        waiting: Waiting,
        released_songs: ReleasedSongs,
        durability: Durability,
        live: LiveModel,
        heartbeat: Heartbeat,
        *,
        batch_clicks: int,
        epoch: int,
        stop: asyncio.Event,
        retry: Retry,
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._applier = applier
        self._moves = moves
        self._catalogue = catalogue
        self._waiting = waiting
        self._released_songs = released_songs
        self._durability = durability
        self._live = live
        self._heartbeat = heartbeat
        self._batch_clicks = batch_clicks
        self._most = min(FIRST_CLICKS, batch_clicks)
        self._epoch = epoch
        self._stop = stop
        self._retry = retry
        self._lag = ReaderLag(heartbeat, "clicks")
        self._generation = 0
        self._busy = asyncio.Lock()
        self._ended = asyncio.Event()
        self._room = asyncio.Semaphore(IN_HAND)
        self._batches: asyncio.Queue[tuple[Batch, asyncio.Task[None]]] = asyncio.Queue()
        self._last = Batch(0)
        self._last.finished.set()

    async def run(self) -> None:
        """Work until asked to stop; then finish the batches in hand."""
        try:
            await together(self._apply_all(), self._finish_all())
        except Stopped as stopped:
            logger.warning("ending while %s: whoever comes next does it", stopped)
        finally:
            while not self._batches.empty():
                self._batches.get_nowait()[1].cancel()
            self._ended.set()

    async def _apply_all(self) -> None:
        stopping = asyncio.create_task(self._stop.wait())
        fetching = asyncio.create_task(self._fetch())
        try:
            while True:
                await asyncio.wait({fetching, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if stopping.done():
                    break
                if (batch := fetching.result()).size:
                    await self._take_up(batch)
                fetching = asyncio.create_task(self._fetch())
            await self._batches.join()
        finally:
            for task in (fetching, stopping):
                task.cancel()
            await asyncio.gather(fetching, stopping, return_exceptions=True)

    async def _fetch(self) -> Batch:
        batch, clicks, without_artists = Batch(self._generation), list[Click](), list[Record]()
        more = True
        while more and batch.size < self._most:
            asked = min(AT_ONCE, self._most - batch.size)
            fetched = await self._consumer.fetch(timeout_ms=0 if batch.size else WAIT_MS, max_records=asked)
            # Before anything is waited for: what this brings is of the partitions that are ours now, what was
            # fetched before a rebalance is the next owner's.
            if batch.generation != self._generation:
                self._lag.forget()
                batch, clicks, without_artists = Batch(self._generation), [], []
            batch.began = batch.began or time.perf_counter()
            await self._lag.fetched(self._consumer, fetched)
            # While the Schema Registry is away this waits, and the next rebalance may come.
            fetched = await self._consumer.decoded(fetched)
            batch.note(fetched)
            some = self._parse(batch, fetched)
            clicks += some[0]
            without_artists += some[1]
            more = sum(map(len, fetched.values())) == asked
            await asyncio.sleep(0)  # others take turns, such as those who apply the batch before
        self._heartbeat.gauges["behind"] = self._lag.left
        if batch.size:
            self._heartbeat.add("read", batch.size)
            batch.played = self._released_songs.plays(clicks)
            await self._prepare(batch, self._catalogue.without_length(clicks), without_artists)
        return batch

    def _parse(self, batch: Batch, fetched: Fetched) -> tuple[list[Click], list[Record]]:
        """Return the clicks, and the records of those whose song may not be known."""
        records = [Record.of(message) for messages in fetched.values() for message in messages]
        clicks, dead = parse_clicks(records, time.time(), self._epoch)
        batch.dead += dead
        asked = {_place(click) for click in clicks if not click.artist_ids and click.song_id}
        return clicks, [record for record in records if (record.partition, record.offset) in asked]

    async def _prepare(self, batch: Batch, clicks: Sequence[Click], records: Sequence[Record]) -> None:
        """Let a batch have clicks, each with its artists as far as they are known.

        Parameters
        ----------
        records
            Of the clicks that name no artists, at least.
        """
        batch.primaries = self._durability.primaries
        clicks = await self._with_artists(batch, clicks, records)
        named = {artist for click in clicks for artist in click.artist_ids}
        await self._retry("noting artists", self._catalogue.note, named)
        by_listener: dict[str, list[Click]] = defaultdict(list)
        for click in clicks:
            by_listener[click.user_id].append(click)
        batch.clicks = by_listener

    async def _with_artists(
        self, batch: Batch, clicks: Sequence[Click], records: Sequence[Record]
    ) -> Sequence[Click]:
        """Name the artists of clicks as far as they are known; a click that has none waits for its song."""
        asked = {click.song_id for click in clicks if not click.artist_ids and click.song_id}
        if not asked:
            return clicks
        known = await self._retry("asking the catalogue for songs", self._catalogue.artists_of, asked)
        if len(known) < len(asked):
            known, late, beyond = await self._let_wait(clicks, known)
            batch.late = [record for record in records if (record.partition, record.offset) in late]
            detail = f"{MOST_WAITING:,} clicks of this listener wait already"
            batch.dead += [
                DeadLetter(record, Reason.UNKNOWN_SONG, detail)
                for record in batch.late
                if (record.partition, record.offset) in beyond
            ]
            clicks = [click for click in clicks if _place(click) not in beyond]
        return [
            click if click.artist_ids else click._replace(artist_ids=known.get(click.song_id, ()))
            for click in clicks
        ]

    async def _let_wait(self, clicks: Sequence[Click], known: Artists) -> tuple[Artists, Places, Places]:
        """Prepare that clicks wait; return the artists known by then, who waits, and who is one too many."""
        late = [
            click for click in clicks if not click.artist_ids and click.song_id and click.song_id not in known
        ]
        await self._retry("expecting songs", lambda: self._waiting.expect(late, time.time()))
        # Either the catalogue sees, when a song comes, that it is expected, or we see here that it has come.
        came = await self._retry(
            "asking the catalogue once more", self._catalogue.artists_of, {click.song_id for click in late}
        )
        late = [click for click in late if click.song_id not in came]
        beyond = await self._retry("counting what waits", self._waiting.beyond, late, MOST_WAITING)
        self._heartbeat.add("late", len(late) - len(beyond))
        return known | came, set(map(_place, late)), set(map(_place, beyond))

    async def _take_up(self, batch: Batch) -> None:
        await self._room.acquire()
        async with self._busy:
            if batch.generation != self._generation:
                self._lag.forget()  # it may have been noted after the rebalance
                self._room.release()
                return
            before, self._last = self._last, batch
            self._batches.put_nowait((batch, asyncio.create_task(self._apply(batch, before))))

    async def _apply(self, batch: Batch, before: Batch) -> None:
        bind_contextvars(clicks=batch.place)  # of this task alone
        both = batch.clicks.keys() & before.clicks.keys()
        only = {user: clicks for user, clicks in batch.clicks.items() if user not in both}
        await self._under_one_model(batch, only)
        await before.finished.wait()
        if both:
            await self._under_one_model(batch, {user: batch.clicks[user] for user in both})

    async def _under_one_model(self, batch: Batch, clicks: Mapping[str, Sequence[Click]]) -> None:
        while True:
            model = self._live.model
            await self._retry("applying clicks", self._write, batch, clicks, model)
            await self._retry("asking which model serves", self._live.refresh)
            if self._live.model is model:
                batch.model = model
                return
            # A model came meanwhile: its sweep may have met these listeners before this batch was written.
            clicks = dict.fromkeys(clicks, ())

    async def _write(self, batch: Batch, clicks: Mapping[str, Sequence[Click]], model: Model | None) -> None:
        """Try it once, at the time of this attempt: the first may be long ago."""
        await self._applier.apply(clicks, model, time.time(), batch.moves)

    async def _finish_all(self) -> None:
        while True:
            batch, applying = await self._batches.get()
            await applying
            with bound_contextvars(clicks=batch.place):
                await self._finish(batch)
            batch.end()
            self._room.release()
            self._batches.task_done()

    async def _finish(self, batch: Batch) -> None:
        await self._moves.follow(batch.moves, batch.model)
        _time_moves(batch)
        await self._retry("emitting dead letters", self._producer.deliver, list(map(dead_letter, batch.dead)))
        played = [Message("feedback", each.user_id.encode(), encode(each)) for each in batch.played]
        await self._retry("emitting plays of released songs", self._producer.deliver, played)
        await self._keep(batch)
        await self._retry("committing offsets", self._commit, batch)
        self._heartbeat.add("clicks", batch.size - len(batch.dead))
        self._heartbeat.gauges.update(
            repeated=self._applier.repeated, met=self._applier.met, fetched=self._applier.reads
        )
        for letter in batch.dead:
            self._heartbeat.add(f"dead:{letter.reason.value}")
        self._lag.done(batch.events)
        self._most = min(2 * self._most, self._batch_clicks)
        BATCH_CLICKS.observe(batch.size)
        BATCH_SECONDS.observe(time.perf_counter() - batch.began)

    async def _keep(self, batch: Batch) -> None:
        """Wait until a batch is durable; what a Redis may have taken along is applied once more."""
        acknowledged, primaries = self._durability.acknowledged, batch.primaries
        while not await self._retry("waiting until Redis keeps it", acknowledged, primaries):
            again = Batch(batch.generation)
            clicks = [click for of_listener in batch.clicks.values() for click in of_listener]
            await self._prepare(again, clicks, batch.late)
            await self._under_one_model(again, again.clicks)
            # Also those of before: whom a model has moved, whoever repeats their clicks does not say.
            batch.moves += again.moves
            await self._moves.follow(batch.moves, again.model)
            # A click that was to wait for its song may be one too many by now.
            letters = list(map(dead_letter, again.dead))
            await self._retry("emitting dead letters", self._producer.deliver, letters)
            batch.clicks, batch.late = again.clicks, again.late
            batch.dead += again.dead
            primaries = again.primaries

    async def _commit(self, batch: Batch) -> None:
        read = {
            TopicPartition("clicks", number): OffsetAndMetadata(offsets[-1] + 1, "")
            for number, (offsets, _) in batch.published.items()
        }
        try:
            await self._consumer.commit(read)
        except (CommitFailedError, IllegalStateError):
            # It reads these clicks again and skips what is applied.
            logger.info("offsets are not ours to commit any more: the partitions have another owner")

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Let the batches in hand be finished and committed; what is fetched beyond is the next owner's."""
        async with self._busy:
            waits = [asyncio.ensure_future(self._batches.join()), asyncio.ensure_future(self._ended.wait())]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            self._generation += 1
            self._lag.forget()
            self._applier.release(OffsetSource(each.partition, self._epoch) for each in revoked)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Say what is ours now."""
        logger.info("reading %d partitions of clicks", len(assigned))
        self._heartbeat.gauges["partitions"] = len(assigned)


def _place(click: Click) -> tuple[int, int]:
    return click.partition.number, click.offset


def _time_moves(batch: Batch) -> None:
    """Observe how long ago clicks were sent that have moved their listeners, for some of the moves."""
    now = time.time()
    moves = batch.moves[:: len(batch.moves) // TIMED + 1]
    for move in moves:
        if move.reason != "click" or not (clicks := batch.clicks.get(move.user_id)):
            continue
        last = clicks[-1]
        offsets, timestamps = batch.published[last.partition.number]
        CLICK_TO_COHORT.observe(now - timestamps[bisect_left(offsets, last.offset)] / 1000)


@starts_over
async def ingest(settings: Settings, stop: asyncio.Event) -> None:
    """Wire an ingester from settings, and run it until asked to stop.

    Raises
    ------
    RefrainError
        Where it cannot start: Kafka or Redis away, affinities of another half-life.
    """
    async with AsyncExitStack() as stack:
        retry = Retry(stop)
        redis, heartbeat, watch = begun = await begin(settings, "ingest", stack)
        living = await once_loaded(begun, retry, stop, stack)
        if living is None:
            return
        epoch = await epoch_of(settings, begun, "clicks")
        stores = Stores.on(redis, settings)
        loaded = await ask_redis(settings, History(redis).ends, logger.info)
        if not settings.record_activity:
            logger.warning(
                "REFRAIN_RECORD_ACTIVITY=false: what is on record of listeners' activity is erased, of each "
                "when they click or the next model serves"
            )
        applier = Applier(
            stores.listeners,
            rules_of(settings),
            settings.resident_mb,
            activity=settings.record_activity,
            most_event_ids=settings.event_ids,
            aliases=stores.aliases,
            loaded=loaded,
        )
        stores.durability.when_lost(applier.forget)
        stores.durability.when_lost(stores.catalogue.forget_noted)
        live = LiveModel(stores.snapshots, heartbeat)
        await ask_redis(settings, live.refresh, logger.info)
        await ask_redis(settings, stores.durability.begin, logger.info)
        await ask_redis(settings, lambda: stores.released_songs.refresh(time.time()), logger.info)
        await ask_redis(settings, stores.catalogue.refresh, logger.info)
        await ask_redis(settings, stores.aliases.refresh, logger.info)
        producer = await begin_producer(settings, stack)
        moves = Moves(stores.cohorts, producer, retry)
        consumer = Consumer(
            settings,
            watch=watch,
            group_id=GROUPS["ingest"].full_name(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=WAIT_MS,
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=SESSION_MS // 5,
        )
        ingester = Ingester(
            consumer,
            producer,
            applier,
            moves,
            stores.catalogue,
            stores.waiting,
            stores.released_songs,
            stores.durability,
            live,
            heartbeat,
            batch_clicks=settings.batch_clicks,
            epoch=epoch,
            stop=stop,
            retry=retry,
        )
        consumer.subscribe(["clicks"], listener=ingester)
        stack.push_async_callback(consumer.stop)
        merging, aliasing = MergeReader.consumer(settings, watch), AliasReader.consumer(settings, watch)
        stack.push_async_callback(merging.stop)
        stack.push_async_callback(aliasing.stop)
        merger = Merger(applier, stores, moves, live, producer, settings.merge_undo_seconds)
        merges = MergeReader(merging, merger, stores.durability, producer, heartbeat, retry, stop)
        aliases = AliasReader(aliasing, stores.aliases, stores.durability, producer, heartbeat, retry, stop)
        # Each waits until its group has said which partitions are its own.
        consumers = consumer, merging, aliasing
        await asyncio.gather(*(open_kafka(settings, each.start, logger.info) for each in consumers))
        sweeper = Sweeper(
            redis, applier, stores.cohorts, moves, stores.durability, live, heartbeat, stop, retry
        )
        late_songs = LateSongs(
            redis,
            applier,
            stores.listeners,
            moves,
            stores.durability,
            live,
            producer,
            heartbeat,
            wait_seconds=settings.song_wait_seconds,
            stop=stop,
            retry=retry,
        )
        del heartbeat.gauges[STARTING]  # from here on it is at work
        await together(
            ingester.run(),
            merges.run(),
            aliases.run(),
            live.follow(),
            sweeper.run(),
            late_songs.run(),
            living,
            watch.run(),
            retry.every(
                LOOK_SECONDS,
                "reading songs released lately",
                lambda: stores.released_songs.refresh(time.time()),
            ),
            retry.every(LENGTHS_SECONDS, "reading songs of no length", stores.catalogue.refresh),
            retry.every(REFRESH_SECONDS, "reading aliases of artists", stores.aliases.refresh),
        )
