"""`refrain train`: learns from listeners who are active, and publishes snapshots of what it learned."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import random
import time
from collections import OrderedDict
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from pydantic import ValidationError

from consumers.begin import begin
from consumers.insist import Stopped, insist
from consumers.process import together
from models.cohort_learner import CohortLearner
from models.cohorts import genres, labels
from models.model import Model
from stream.catalogue import Catalogue
from stream.cohorts import Cohorts
from stream.connect import REDIS_ERRORS, open_kafka
from stream.errors import SnapshotDamaged, SnapshotTooNew
from stream.events import read_click
from stream.heartbeats import Heartbeat, heartbeats
from stream.listeners import Listeners
from stream.settings import Settings
from stream.snapshots import Lease, Snapshots

__all__ = ["Trainer", "train"]

logger = logging.getLogger(__name__)

SAMPLE = 512  # listeners learned from at once
READ = 10_000  # clicks looked at for a sample: the faster they come, the smaller the share of them
RECENT = 50_000  # listeners remembered, to learn from again while nobody clicks
REPEATS = 3  # times that each of them may be learned from again
APART = 50  # artists kept that set a cohort apart
SOONEST = 5.0  # seconds between snapshots while the first listeners come in
UNASSIGNED_SECONDS = 0.2
STANDBY_SECONDS = 1.0
RENEW_SECONDS = 2.0


class LeaseLost(Exception):
    """Another trainer leads."""


class Trainer:
    """Learns while it holds the lease.

    Clicks only say who is active; what is learned from is the listener's own row in Redis. Any partition is
    a uniform sample of listeners, so clicks may be passed over; what counts is that nobody is passed over
    for good.
    """

    def __init__(
        self,
        settings: Settings,
        listeners: Listeners,
        cohorts: Cohorts,
        catalogue: Catalogue,
        snapshots: Snapshots,
        lease: Lease,
        heartbeat: Heartbeat,
        stop: asyncio.Event,
    ) -> None:
        self._settings = settings
        self._listeners = listeners
        self._cohorts = cohorts
        self._catalogue = catalogue
        self._snapshots = snapshots
        self._lease = lease
        self._heartbeat = heartbeat
        self._stop = stop
        self._random = random.Random(0)  # noqa: S311 - a sample, not a secret
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._again = 0
        self._applied = -1
        self._counted: dict[str, int] = {}
        self._genres: dict[str, str] = {}

    async def run(self, consumer: AIOKafkaConsumer) -> None:
        """Learn and publish until asked to stop.

        Raises
        ------
        LeaseLost
            Where another leads when a snapshot is to be published; it is not.
        """
        self._counted = {}  # another may have written others meanwhile
        learner = await insist(self._resume, "loading the last snapshot", self._stop)
        met = await insist(lambda: self._cohorts.sample(RECENT), "sampling listeners", self._stop)
        self._recent.update(dict.fromkeys(met))
        self._again = len(met)
        published_at, published_clicks, learned = time.monotonic(), learner.clicks, 0
        while not self._stop.is_set():
            records = await self._read(consumer)
            active = self._active(records)
            users = active or await insist(self._idle, "looking how far ingesters are", self._stop)
            if users:
                rows = await insist(
                    lambda: self._listeners.rows(users, self._settings.max_artists),  # noqa: B023 - called at once
                    "reading listeners",
                    self._stop,
                )
                known = [at for at, row in enumerate(rows) if row[0]]
                await asyncio.to_thread(
                    learner.learn_many, [rows[at] for at in known], [users[at] for at in known], len(records)
                )
                learned += len(known)
                self._heartbeat.add("rows", len(known))
            self._heartbeat.add("clicks", len(records))
            waited = time.monotonic() - published_at
            grown = learner.clicks >= 2 * published_clicks and waited >= SOONEST
            due = grown or waited >= self._settings.publish_every
            if learned and due and learner.ready(self._settings.first_model_listeners):
                await self._publish(learner)
                published_at, published_clicks, learned = time.monotonic(), learner.clicks, 0
            self._heartbeat.gauges["sample"] = learner.listeners
            self._heartbeat.gauges["settled"] = int(bool(consumer.assignment()) and not users and not learned)

    async def _read(self, consumer: AIOKafkaConsumer) -> list[ConsumerRecord]:
        if not consumer.assignment():
            # It would wait until Kafka has given up on a trainer that died; there is enough to learn from.
            await asyncio.sleep(UNASSIGNED_SECONDS)
            return []
        found = await consumer.getmany(timeout_ms=200, max_records=READ)
        return [record for records in found.values() for record in records]

    def _active(self, records: list[ConsumerRecord]) -> list[str]:
        """Return some of the listeners who clicked, each once."""
        if len(records) > 4 * SAMPLE:
            records = self._random.sample(records, 4 * SAMPLE)
        users: dict[str, None] = {}
        for record in records:
            try:
                users[read_click(record.value or b"")["user_id"]] = None
            except ValidationError:
                continue  # the ingester sends it to the dead letters
        chosen = list(users)[:SAMPLE]
        for user in users:
            self._recent[user] = None
            self._recent.move_to_end(user)
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        if chosen:
            self._again = REPEATS * len(self._recent)
        return chosen

    async def _idle(self) -> list[str]:
        """Return some of the recent listeners while nobody clicks.

        Each is learned from some times more, counted from when the ingesters, too, have no more to do: they
        may be behind, and what is learned from is what they write.
        """
        processes = await heartbeats(self._listeners.redis)
        applied = sum(int(p.get("clicks", 0)) for p in processes.values() if p["kind"] == "ingest")
        if applied != self._applied:
            self._applied, self._again = applied, REPEATS * len(self._recent)
        if self._again <= 0:
            return []
        users = self._random.sample(list(self._recent), min(SAMPLE, len(self._recent)))
        self._again -= len(users)
        return users

    async def _resume(self) -> CohortLearner:
        learner = await self._last_learner()
        learner.skip_ids(await self._snapshots.next_cohort())
        return learner

    async def _last_learner(self) -> CohortLearner:
        settings = self._settings
        fresh = CohortLearner(settings.cohorts, settings.dims, settings.vocabulary)
        for version, _ in await self._snapshots.versions():
            try:
                model = await self._snapshots.load(version)
            except (SnapshotDamaged, SnapshotTooNew) as error:
                logger.error("%s", error)
                continue
            if model.n_dims != settings.dims:
                logger.warning(
                    "model %d has %d dimensions, the settings ask for %d: learning from the beginning",
                    version,
                    model.n_dims,
                    settings.dims,
                )
                return fresh
            logger.info("going on from model %d", version)
            self._genres = dict(zip(model.cohort_ids, model.genres, strict=True))
            return CohortLearner.from_model(
                model, n_cohorts=settings.cohorts, max_artists=settings.vocabulary
            )
        return fresh

    async def _publish(self, learner: CohortLearner) -> None:
        version = await insist(self._snapshots.next_version, "asking for a version", self._stop)
        model = await asyncio.to_thread(learner.snapshot, version, time.time())
        tops = model.standing_out(APART)
        model = await insist(lambda: self._named(model, tops), "naming cohorts", self._stop)

        async def publish() -> None:
            # Whoever was held up for longer than the lease lasts notices here at the latest.
            if not await self._lease.hold():
                raise LeaseLost
            # Described first: whoever finds a listener in a cohort finds the cohort's label too.
            await self._cohorts.describe(model, tops)
            await self._snapshots.publish(model)
            await self._count(model)

        await insist(publish, "publishing a snapshot", self._stop)
        self._heartbeat.gauges["version"] = version
        self._heartbeat.add("snapshots")
        logger.info(
            "model %d: %d cohorts of %d listeners, %d artists, from %d clicks",
            version,
            len(model.cohort_ids),
            model.listeners,
            len(model.artists),
            model.clicks,
        )

    async def _named(self, model: Model, tops: list[dict[str, float]]) -> Model:
        artists = list(dict.fromkeys(artist for top in tops for artist in top))
        said = genres(tops, await self._catalogue.genres(artists), model.cohort_ids, self._genres)
        self._genres = dict(zip(model.cohort_ids, said, strict=True))
        names = await self._catalogue.names([artist for found in model.named_after for artist in found])
        called = labels(model.named_after, model.cohort_ids, names.__getitem__, said)
        return dataclasses.replace(model, labels=called, genres=said)

    async def _count(self, model: Model) -> None:
        share = model.counts / max(model.n_rows, 1.0) * await self._cohorts.listeners()
        counted = dict(zip(model.artists, share.round().astype(int).tolist(), strict=True))
        changed = {
            artist: number for artist, number in counted.items() if self._counted.get(artist) != number
        }
        await self._catalogue.count(changed)
        self._counted = counted


async def train(settings: Settings, stop: asyncio.Event) -> None:
    """Wire a trainer from settings, and run it, or wait in reserve while another holds the lease.

    Raises
    ------
    RefrainError
        Where it cannot start: Kafka or Redis away, affinities of another half-life.
    """
    async with AsyncExitStack() as stack:
        redis, heartbeat = await begin(settings, "train", stack)
        listeners = Listeners(redis, settings.max_artists)
        lease = Lease(redis, heartbeat.name)
        trainer = Trainer(
            settings,
            listeners,
            Cohorts(redis, listeners),
            Catalogue(redis),
            Snapshots(redis),
            lease,
            heartbeat,
            stop,
        )
        await together(_lead(settings, trainer, lease, heartbeat, stop), heartbeat.keep())


async def _lead(
    settings: Settings, trainer: Trainer, lease: Lease, heartbeat: Heartbeat, stop: asyncio.Event
) -> None:
    said = False
    while not stop.is_set():
        try:
            leads = await insist(lease.hold, "asking for the trainer's lease", stop)
        except Stopped:
            return
        heartbeat.gauges["leads"] = int(leads)
        if leads:
            await _train_under(settings, trainer, lease, stop)
            said = False
        elif not said:
            logger.info("another trainer is at work; waiting in reserve")
            said = True
        if not leads:
            await asyncio.sleep(STANDBY_SECONDS)


async def _train_under(settings: Settings, trainer: Trainer, lease: Lease, stop: asyncio.Event) -> None:
    try:
        await together(_learn(settings, trainer), _renew(lease, stop))
    except Stopped as stopped:
        logger.info("ending while %s", stopped)
    except LeaseLost:
        logger.warning("the trainer's lease has gone to another")
    finally:
        with contextlib.suppress(*REDIS_ERRORS):  # it comes free by itself
            await lease.free()


async def _learn(settings: Settings, trainer: Trainer) -> None:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka,
        group_id=f"{settings.group}-train",
        auto_offset_reset="earliest",
        enable_auto_commit=True,
        fetch_max_wait_ms=200,
    )
    try:
        await open_kafka(settings, consumer.start, logger.info)
        # Only now: the start, too, would wait until Kafka has given up on a trainer that died.
        consumer.subscribe(["clicks"])
        await trainer.run(consumer)
    finally:
        await consumer.stop()


async def _renew(lease: Lease, stop: asyncio.Event) -> None:
    """Keep the lease."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        if not await insist(lease.hold, "renewing the trainer's lease", stop):
            raise LeaseLost
