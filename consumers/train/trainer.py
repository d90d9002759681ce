"""`refrain train`: learns from listeners who are active, and publishes snapshots of what it learned."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from consumers.runtime.lead import lead
from consumers.runtime.newest_click import NewestClick
from consumers.runtime.process import starts_over, together
from consumers.runtime.reader_lag import ReaderLag
from consumers.runtime.startup import begin, once_loaded
from consumers.runtime.wiring import Stores, rules_of
from consumers.train.active import SAMPLE, ActiveListeners, Added, RecentListeners
from consumers.train.click_trainer import ClickTrainer
from consumers.train.judge import Judge
from consumers.train.publish import Publisher
from consumers.train.schedule import Candidate, Progress, Reason, Schedule
from models.cohort_count import FIRST, CohortCount
from models.cohort_learner import CohortLearner
from models.model import Model
from models.sample import Sampled
from models.song_learner import SongLearner
from stream.connect import ask_redis
from stream.errors import SnapshotUnusable
from stream.retry import Retry
from stream.settings import Settings
from stream.stores.artist_aliases import REFRESH_SECONDS
from stream.stores.catalogue import LENGTHS_SECONDS
from stream.stores.cohorts import Cohorts
from stream.stores.heartbeats import STARTING, Heartbeat
from stream.stores.lease import Lease
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from stream.stores.sweeps import Sweeps
from stream.wire.consumer import Consumer

__all__ = ["Trainer", "train"]

logger = logging.getLogger(__name__)

SWEEP_BEGINS_SECONDS = 10.0  # after a model is published, at most


class Trainer:
    """Learns while it holds the lease: reads who is active, learns from them, publishes what is worth it."""

    def __init__(
        self,
        settings: Settings,
        listeners: Listeners,
        cohorts: Cohorts,
        active: ActiveListeners,
        recent: RecentListeners,
        newest: NewestClick,
        snapshots: Snapshots,
        sweeps: Sweeps,
        publisher: Publisher,
        heartbeat: Heartbeat,
        stop: asyncio.Event,
        retry: Retry,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._listeners = listeners
        self._cohorts = cohorts
        self._active = active
        self._recent = recent
        self._newest_click = newest
        self._snapshots = snapshots
        self._sweeps = sweeps
        self._publisher = publisher
        self._heartbeat = heartbeat
        self._stop = stop
        self._retry = retry
        self._clock = clock
        self._number = CohortCount(settings.smallest_cohort) if settings.cohorts == "auto" else None
        self._judge = Judge()
        self._newest: int | None = None
        self._rows = 0
        self._said_too_few = False

    async def run(self, consumer: Consumer) -> None:
        """Learn and publish until asked to stop.

        Raises
        ------
        LeaseLost
            Where another leads when a snapshot is to be published; it is not.
        """
        try:
            await self._learn_while_it_leads(consumer)
        finally:
            self._active.end()

    async def _learn_while_it_leads(self, consumer: Consumer) -> None:
        learner = await self._retry("loading the last snapshot", self._resume)
        await self._retry("sampling listeners", self._recent.remember)
        schedule = self._schedule(learner)
        # Songs that serve do not go with tastes that are learned from the beginning: any others are better.
        known = await self._publisher.song_plays() if learner.last else 0
        songs = SongLearner(
            last_plays=known,
            made_at=await self._publisher.songs_made_at(),
            artist_of=self._active.artist_of,
        )
        while not self._stop.is_set():
            read = self._active.clicks
            users, added, plays = await self._active.next(consumer)
            songs.learn_many(plays)
            learner.clicks += self._active.clicks - read
            if users and await self._learn_from(learner, users, added):
                schedule.drifted()
            if await self._due(schedule, learner):
                await self._offer(schedule, learner, songs)
            self._show(
                learner,
                clicks=self._active.clicks - read,
                up_to_date=bool(consumer.assignment()) and not users and schedule.looked_at_all(self._rows),
            )

    def _schedule(self, learner: CohortLearner) -> Schedule:
        every, at_latest = self._settings.publish_every, self._settings.publish_at_latest
        last = learner.last
        serving = Progress(last.clicks, 0, last.listeners, len(last.artists), 0) if last else None
        return Schedule(every, at_latest, self._clock(), serving)

    async def _learn_from(self, learner: CohortLearner, users: list[str], added: Added) -> bool:
        """Learn from listeners' rows in Redis; say whether listening has changed."""
        rows = await self._retry("reading listeners", self._listeners.rows, users, self._settings.max_artists)
        known = [at for at, row in enumerate(rows) if row[0]]
        self._rows += len(known)
        self._heartbeat.add("rows", len(known))
        drifts = await asyncio.to_thread(
            self._learn, learner, [users[at] for at in known], [rows[at] for at in known], added
        )
        if drifts:
            learner.hurry()
            self._heartbeat.add("drifts")
            self._heartbeat.gauges["drifted"] = time.time()
            logger.warning("listening drifts away from the model: learning faster for a while")
        return drifts

    def _learn(
        self,
        learner: CohortLearner,
        users: Sequence[str],
        rows: Sequence[tuple[list[str], list[float]]],
        added: Added,
    ) -> bool:
        # Judge first, then learn: what is predicted is said before it is known.
        drifts = self._judge.see(users, rows, added, learner.listeners)
        taught = [at for at, user in enumerate(users) if not self._judge.holds_out(user, learner.listeners)]
        if taught:
            learner.learn_many(
                [rows[at] for at in taught],
                [users[at] for at in taught],
                play_now=self._active.play_now,
            )
            drifts = self._judge.distorted(learner.distortion) or drifts
        return drifts

    def _seen(self, learner: CohortLearner) -> Progress:
        return Progress(
            learner.clicks, self._recent.applied, learner.listeners, len(learner.artists), self._rows
        )

    async def _due(self, schedule: Schedule, learner: CohortLearner) -> bool:
        due = schedule.due(
            self._clock(),
            self._seen(learner),
            quiet=self._recent.quiet,
            all_learned=self._recent.all_learned,
        )
        if not due:
            return False
        if not learner.ready(self._settings.first_model_listeners):
            # Where they click on and on, it is never quiet.
            if (
                self._recent.all_learned
                or schedule.since_published(self._clock()) >= self._settings.publish_at_latest
            ):
                self._say_too_few(learner)
            return False
        if schedule.urgent:
            return True
        return await self._retry("asking how far the sweep is", self._all_placed, schedule)

    def _say_too_few(self, learner: CohortLearner) -> None:
        """Warn, once, where a later model waits for more listeners than there are: it may wait for ever."""
        if learner.last is None or self._said_too_few:
            return
        self._said_too_few = True
        logger.warning(
            "no model is made after model %d, which was made of %d listeners: there are %d by now, and %d "
            "are needed; with fewer cohorts (REFRAIN_COHORTS) fewer are needed",
            learner.last.version,
            learner.last.listeners,
            learner.listeners,
            learner.needed(self._settings.first_model_listeners),
        )

    async def _all_placed(self, schedule: Schedule) -> bool:
        """Whether every listener is placed by the model that serves, or nobody is about to place them."""
        serving, sweep = await self._snapshots.current(), await self._sweeps.now()
        if serving is None or (sweep and sweep.done == serving):
            return True
        if not await self._recent.ingesters():
            return True
        begun = sweep is not None and sweep.version == serving
        # Ingesters that cannot load what serves sweep nobody, and the next model is what they wait for.
        return not begun and schedule.since_published(self._clock()) >= SWEEP_BEGINS_SECONDS

    async def _offer(self, schedule: Schedule, learner: CohortLearner, songs: SongLearner) -> None:
        """Publish what is learned where it is worth it."""
        version = await self._retry("asking for a version", self._snapshots.next_version)
        model = await asyncio.to_thread(learner.snapshot, version, time.time())
        self._judge.learned(model)
        await self._retry("loading the model that serves", self._judge_what_serves)
        candidate = dataclasses.replace(
            await asyncio.to_thread(self._judge.candidate, model, trial=self._number is not None),
            more_plays=songs.ready(model.created_at) and songs.grown,
        )
        await self._choose_number(learner, model, candidate)
        seen = self._seen(learner)
        if candidate.verdict.worse and not candidate.asked_for:
            schedule.refused(self._clock(), seen)
            self._refuse(version, candidate)
            self._judge.renew(self._active.play_now)
        elif reason := schedule.worth(self._clock(), seen, candidate):
            await self._publish(model, reason)
            await self._publish_songs(learner, songs, model)
            schedule.published(self._clock(), seen, reason)
        else:
            schedule.held(self._clock(), seen)
            self._heartbeat.add("held")
            self._judge.renew(self._active.play_now)

    async def _choose_number(self, learner: CohortLearner, model: Model, candidate: Candidate) -> None:
        if self._number is None or self._judge.judged != self._newest:
            return
        listeners = await self._retry("counting listeners", self._cohorts.listeners)
        learner.n_cohorts = self._number.next(
            len(model.cohort_ids), listeners, self._judge.judges, candidate.trial
        )

    def _refuse(self, version: int, candidate: Candidate) -> None:
        self._heartbeat.add("refused")
        logger.warning(
            "model %d is not published: it ranks those who discover an artist %.1f %% of all listeners "
            "lower than the model that serves (%d discoveries)",
            version,
            -100 * candidate.verdict.gain,
            candidate.verdict.discoveries,
        )

    async def _publish(self, model: Model, reason: Reason) -> None:
        learned = dataclasses.replace(
            model, validation=self._judge.figures(), play_rate=self._judge.play_rate
        )
        await self._publisher.publish(learned, reason)
        self._newest = model.version
        if await self._retry("asking what serves", self._snapshots.current) == model.version:
            self._judge.serves(learned)
        else:
            self._judge.renew(self._active.play_now)

    async def _publish_songs(self, learner: CohortLearner, songs: SongLearner, model: Model) -> None:
        if learner.sampled is None or not songs.ready(model.created_at):
            return
        sampled = await self._with_those_beyond(learner.sampled, songs, model)
        songs.know(await self._publisher.new_songs())
        learned = await asyncio.to_thread(songs.snapshot, sampled, model)
        if learned is not None:
            await self._publisher.publish_songs(learned)

    async def _with_those_beyond(self, sampled: Sampled, songs: SongLearner, model: Model) -> Sampled:
        parts, beyond = [sampled], [str(listener) for listener in songs.beyond(sampled)]
        if not beyond:
            return sampled
        for at in range(0, len(beyond), SAMPLE):
            users = beyond[at : at + SAMPLE]
            rows = await self._retry(
                "reading listeners", self._listeners.rows, users, self._settings.max_artists
            )
            parts.append(await asyncio.to_thread(Sampled.of, model, users, rows))
        return Sampled.joined(parts)

    async def _judge_what_serves(self) -> None:
        """Somebody may have gone back to an earlier version, for good or until a candidate is no worse."""
        version = await self._snapshots.current()
        if version is None or version == self._judge.judged:
            return
        try:
            model = await self._snapshots.load(version)
            self._judge.serves(model.as_of(self._active.play_now))
        except SnapshotUnusable as error:
            logger.error("%s. %s", error, error.hint)

    async def _resume(self) -> CohortLearner:
        settings, last = self._settings, await self._last()
        # Before a click is read, too: after history was loaded there may be none to read for long.
        self._active.play_now = max(self._active.play_now, await self._newest_click.play_now())
        self._publisher.go_on_from(last)
        if last is None:
            number = FIRST if settings.cohorts == "auto" else settings.cohorts
            learner = CohortLearner(number, settings.dims, settings.vocabulary, activity=settings.activity)
        else:
            number = len(last.cohort_ids) if settings.cohorts == "auto" else settings.cohorts
            learner = CohortLearner.from_model(
                last,
                n_cohorts=number,
                max_artists=settings.vocabulary,
                activity=settings.activity,
            )
            self._judge.serves(last.as_of(self._active.play_now))
            self._newest = last.version
        learner.skip_ids(await self._snapshots.next_cohort())
        return learner

    async def _last(self) -> Model | None:
        for version, _ in await self._snapshots.versions():
            try:
                model = await self._snapshots.load(version)
            except SnapshotUnusable as error:
                logger.error("%s. %s", error, error.hint)
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

    def _show(self, learner: CohortLearner, *, clicks: int, up_to_date: bool) -> None:
        self._heartbeat.add("clicks", clicks)
        self._heartbeat.led.update(self._judge.figures())
        self._heartbeat.led.update(
            sample=learner.listeners, applied=self._recent.applied, up_to_date=int(up_to_date)
        )


@starts_over
async def train(settings: Settings, stop: asyncio.Event) -> None:
    """Wire a trainer from settings, and run it, or wait in reserve while another holds the lease.

    Raises
    ------
    RefrainError
        Where it cannot start: Kafka or Redis away, affinities of another half-life.
    """
    async with AsyncExitStack() as stack:
        retry = Retry(stop)
        redis, heartbeat, watch = begun = await begin(settings, "train", stack)
        living = await once_loaded(begun, retry, stop, stack)
        if living is None:
            return
        stores = Stores.on(redis, settings)
        await ask_redis(settings, stores.durability.begin, logger.info)
        await ask_redis(settings, stores.aliases.refresh, logger.info)
        await ask_redis(settings, stores.catalogue.refresh, logger.info)
        lease = Lease(redis, heartbeat.name)
        recent = RecentListeners(redis, stores.cohorts, time.monotonic)
        trainer = Trainer(
            settings,
            stores.listeners,
            stores.cohorts,
            ActiveListeners(
                stores.catalogue,
                rules_of(settings),
                recent,
                retry,
                stores.aliases,
                stores.merges.roots,
                ReaderLag(heartbeat, "clicks"),
            ),
            recent,
            NewestClick.on(redis, settings),
            stores.snapshots,
            stores.sweeps,
            Publisher(
                stores.cohorts,
                stores.catalogue,
                stores.snapshots,
                stores.song_models,
                stores.durability,
                lease,
                heartbeat,
                retry,
                settings.release_seconds,
            ),
            heartbeat,
            stop,
            retry,
        )
        clicks = ClickTrainer(
            stores.decisions,
            stores.ctr_models,
            stores.durability,
            heartbeat,
            retry,
            settings.played_within_seconds,
        )
        leading = lead(settings, watch, trainer.run, [clicks.run], lease, heartbeat, stop, retry)
        following = retry.every(REFRESH_SECONDS, "reading aliases of artists", stores.aliases.refresh)
        lengths = retry.every(LENGTHS_SECONDS, "reading songs of no length", stores.catalogue.refresh)
        del heartbeat.gauges[STARTING]  # from here on it is at work, or stands by
        await together(leading, following, lengths, living, watch.run())
