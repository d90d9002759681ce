"""`refrain train`: learns from listeners who are active, and publishes snapshots of what it learned."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import random
import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import AsyncExitStack

from aiokafka import ConsumerRecord

from consumers.runtime.process import together
from consumers.runtime.startup import begin
from consumers.train.judge import Judge
from consumers.train.publish import LeaseLost, Publisher
from models.affinity import ACTION_WEIGHTS, ForwardDecay
from models.cohort_count import FIRST, CohortCount
from models.cohort_learner import CohortLearner
from models.model import Model
from stream.connect import REDIS_ERRORS, open_kafka
from stream.errors import SnapshotDamaged, SnapshotTooNew
from stream.retry import Retry, Stopped
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.heartbeats import Heartbeat, heartbeats
from stream.stores.lease import Lease
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from stream.wire.consumer import Consumer
from stream.wire.events import Record, parse_clicks

__all__ = ["Trainer", "train"]

logger = logging.getLogger(__name__)

SAMPLE = 512  # listeners learned from at once
READ = 10_000  # clicks looked at for a sample: the faster they come, the smaller the share of them
RECENT = 50_000  # listeners remembered, to learn from again while nobody clicks
REPEATS = 3  # times that each of them may be learned from again
SOONEST = 5.0  # seconds between snapshots while the first listeners come in
UNASSIGNED_SECONDS = 0.2
STANDBY_SECONDS = 1.0
RENEW_SECONDS = 2.0


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
        publisher: Publisher,
        heartbeat: Heartbeat,
        stop: asyncio.Event,
        retry: Retry,
    ) -> None:
        self._settings = settings
        self._listeners = listeners
        self._cohorts = cohorts
        self._catalogue = catalogue
        self._snapshots = snapshots
        self._publisher = publisher
        self._heartbeat = heartbeat
        self._stop = stop
        self._retry = retry
        self._decay = ForwardDecay(half_life=settings.half_life)
        self._number = CohortCount(settings.smallest_cohort) if settings.cohorts == "auto" else None
        self._judge = Judge()
        self._newest: int | None = None
        self._random = random.Random(0)  # noqa: S311 - a sample, not a secret
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._again = 0
        self._applied = -1

    async def run(self, consumer: Consumer) -> None:
        """Learn and publish until asked to stop.

        Raises
        ------
        LeaseLost
            Where another leads when a snapshot is to be published; it is not.
        """
        learner = await self._retry("loading the last snapshot", self._resume)
        met = await self._retry("sampling listeners", self._cohorts.sample, RECENT)
        self._recent.update(dict.fromkeys(met))
        self._again = len(met)
        published_at, published_clicks, learned = time.monotonic(), learner.clicks, 0
        while not self._stop.is_set():
            records = await self._read(consumer)
            active = await self._active(records)
            users = list(active) or await self._retry("looking how far ingesters are", self._idle)
            if users:
                rows = await self._retry(
                    "reading listeners", self._listeners.rows, users, self._settings.max_artists
                )
                known = [at for at, row in enumerate(rows) if row[0]]
                await asyncio.to_thread(
                    self._learn, learner, [users[at] for at in known], [rows[at] for at in known], active
                )
                learned += len(known)
                self._heartbeat.add("rows", len(known))
            learner.clicks += len(records)
            self._heartbeat.add("clicks", len(records))
            self._heartbeat.gauges.update(self._judge.figures())
            waited = time.monotonic() - published_at
            grown = learner.clicks >= 2 * published_clicks and waited >= SOONEST
            due = grown or waited >= self._settings.publish_every
            if learned and due and learner.ready(self._settings.first_model_listeners):
                await self._offer(learner)
                published_at, published_clicks, learned = time.monotonic(), learner.clicks, 0
            settled = bool(consumer.assignment()) and not users and not learned
            self._heartbeat.gauges.update(
                sample=learner.listeners, applied=self._applied, settled=int(settled)
            )

    async def _read(self, consumer: Consumer) -> list[ConsumerRecord]:
        if not consumer.assignment():
            # It would wait until Kafka has given up on a trainer that died; there is enough to learn from.
            await asyncio.sleep(UNASSIGNED_SECONDS)
            return []
        found = await consumer.getmany(timeout_ms=200, max_records=READ)
        return [record for records in found.values() for record in records]

    async def _active(self, records: list[ConsumerRecord]) -> dict[str, dict[str, float]]:
        """Return some of the listeners who clicked, and what their clicks add to each artist."""
        if len(records) > 4 * SAMPLE:
            records = self._random.sample(records, 4 * SAMPLE)
        # What is no click, the ingester sends to the dead letters.
        clicks, _ = parse_clicks(
            (Record(r.topic, r.partition, r.offset, r.key, r.value) for r in records), time.time()
        )
        songs = {click.song_id for click in clicks if not click.artist_ids}
        known = await self._retry("asking the catalogue for songs", self._catalogue.artists_of, songs)
        active: dict[str, dict[str, float]] = {}
        for click in clicks:
            self._recent[click.user_id] = None
            self._recent.move_to_end(click.user_id)
            if click.user_id in active or len(active) < SAMPLE:
                added = active.setdefault(click.user_id, {})
                weight = self._decay.stored(ACTION_WEIGHTS[click.action], click.ts)
                for artist in click.artist_ids or known.get(click.song_id, ()):
                    added[artist] = added.get(artist, 0.0) + weight
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        if active:
            self._again = REPEATS * len(self._recent)
        return active

    def _learn(
        self,
        learner: CohortLearner,
        users: list[str],
        rows: list[tuple[list[str], list[float]]],
        added: Mapping[str, Mapping[str, float]],
    ) -> None:
        """Judge, then learn: what is foreseen is said before it is known."""
        drifts = self._judge.see(users, rows, added)
        taught = [at for at, user in enumerate(users) if not self._judge.spares(user, learner.listeners)]
        if taught:
            learner.learn_many([rows[at] for at in taught], [users[at] for at in taught])
            drifts = self._judge.distorted(learner.distortion) or drifts
        if drifts:
            learner.hurry()
            self._heartbeat.add("drifts")
            self._heartbeat.gauges["drifted"] = time.time()
            logger.warning("listening drifts away from the model: learning faster for a while")

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
        settings, last = self._settings, await self._last()
        self._publisher.go_on_from(last)
        if last is None:
            number = FIRST if settings.cohorts == "auto" else settings.cohorts
            learner = CohortLearner(number, settings.dims, settings.vocabulary)
        else:
            number = len(last.cohort_ids) if settings.cohorts == "auto" else settings.cohorts
            learner = CohortLearner.from_model(last, n_cohorts=number, max_artists=settings.vocabulary)
            self._judge.serves(last)
            self._newest = last.version
        learner.skip_ids(await self._snapshots.next_cohort())
        return learner

    async def _last(self) -> Model | None:
        for version, _ in await self._snapshots.versions():
            try:
                model = await self._snapshots.load(version)
            except (SnapshotDamaged, SnapshotTooNew) as error:
                logger.error("%s", error)
                continue
            if model.n_dims != self._settings.dims:
                logger.warning(
                    "model %d has %d dimensions, the settings ask for %d: learning from the beginning",
                    version,
                    model.n_dims,
                    self._settings.dims,
                )
                return None
            logger.info("going on from model %d", version)
            return model
        return None

    async def _offer(self, learner: CohortLearner) -> None:
        """Publish what is learned, unless it is worse than what serves."""
        version = await self._retry("asking for a version", self._snapshots.next_version)
        model = await asyncio.to_thread(learner.snapshot, version, time.time())
        await self._retry("loading the model that serves", self._judge_what_serves)
        verdict = await asyncio.to_thread(self._judge.compare, model)
        if self._number is not None and self._judge.judged == self._newest:
            trial = await asyncio.to_thread(self._judge.trial, model)
            listeners = await self._retry("counting listeners", self._cohorts.listeners)
            learner.n_cohorts = self._number.next(len(model.cohort_ids), listeners, self._judge.judges, trial)
        if verdict.worse:
            self._heartbeat.add("refused")
            logger.warning(
                "model %d is not published: it ranks those who discover an artist %.1f %% of all listeners "
                "lower than the model that serves (%d discoveries)",
                version,
                -100 * verdict.gain,
                verdict.discoveries,
            )
            return
        await self._publisher.publish(dataclasses.replace(model, validation=self._judge.figures()))
        self._newest = version
        if await self._retry("asking what serves", self._snapshots.current) == version:
            self._judge.serves(model)
        else:
            self._judge.renew()

    async def _judge_what_serves(self) -> None:
        """Somebody may have gone back to an earlier version, for good or until a candidate is no worse."""
        version = await self._snapshots.current()
        if version is None or version == self._judge.judged:
            return
        try:
            self._judge.serves(await self._snapshots.load(version))
        except (SnapshotDamaged, SnapshotTooNew) as error:
            logger.error("%s", error)


async def train(settings: Settings, stop: asyncio.Event) -> None:
    """Wire a trainer from settings, and run it, or wait in reserve while another holds the lease.

    Raises
    ------
    RefrainError
        Where it cannot start: Kafka or Redis away, affinities of another half-life.
    """
    async with AsyncExitStack() as stack:
        retry = Retry(stop)
        redis, heartbeat = await begin(settings, "train", stack)
        listeners = Listeners(redis, settings.max_artists)
        lease = Lease(redis, heartbeat.name)
        trainer = Trainer(
            settings,
            listeners,
            Cohorts(redis, listeners),
            Catalogue(redis),
            Snapshots(redis),
            Publisher(
                Cohorts(redis, listeners),
                Catalogue(redis),
                Snapshots(redis),
                lease,
                heartbeat,
                retry,
                settings.release_seconds,
            ),
            heartbeat,
            stop,
            retry,
        )
        await together(_lead(settings, trainer, lease, heartbeat, stop, retry), heartbeat.keep())


async def _lead(
    settings: Settings,
    trainer: Trainer,
    lease: Lease,
    heartbeat: Heartbeat,
    stop: asyncio.Event,
    retry: Retry,
) -> None:
    said = False
    while not stop.is_set():
        try:
            leads = await retry("asking for the trainer's lease", lease.hold)
        except Stopped:
            return
        heartbeat.gauges["leads"] = int(leads)
        if leads:
            await _train_under(settings, trainer, lease, retry)
            said = False
        elif not said:
            logger.info("another trainer is at work; waiting in reserve")
            said = True
        if not leads:
            await asyncio.sleep(STANDBY_SECONDS)


async def _train_under(settings: Settings, trainer: Trainer, lease: Lease, retry: Retry) -> None:
    try:
        await together(_learn(settings, trainer), _renew(lease, retry))
    except Stopped as stopped:
        logger.info("ending while %s", stopped)
    except LeaseLost:
        logger.warning("the trainer's lease has gone to another")
    finally:
        with contextlib.suppress(*REDIS_ERRORS):  # it comes free by itself
            await lease.free()


async def _learn(settings: Settings, trainer: Trainer) -> None:
    consumer = Consumer(
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


async def _renew(lease: Lease, retry: Retry) -> None:
    """Keep the lease."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        if not await retry("renewing the trainer's lease", lease.hold):
            raise LeaseLost
