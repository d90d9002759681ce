"""Learns who does not come back: freezes some listeners each day, and learns when it is known who did."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from consumers.traits.looks import Looks, ReadsActivities, Sample
from models.quality.prequential import Prequential
from models.traits.activity import DAYS, FEATURES, Activities, day_of, first_days
from models.traits.churn import ENOUGH, ChurnModel
from models.traits.churn_span import Span, churned, known
from models.traits.today import Aligned, day_numbers, on_record, recorded_from
from stream.errors import SnapshotDamaged
from stream.stores.churn import ChurnStore, FrozenDay, LearnedChurn

__all__ = ["Churn"]

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]

LAST_CLOCK = -12 * 60
"""Minutes from UTC of the clock on which a day begins last: before that, the one before still goes on."""
LATE = 1
"""Days that an outcome is waited for beyond its last one: clocks behind UTC, clicks on their way."""
APART = 7
"""Days between those of the past that a service begins with."""


class Churn:
    """P(no activity in the next days | what was done before), learned from the service's own listeners.

    Each day some listeners are frozen: what is known of them, and what is predicted. When it is known who
    came back, that prediction is judged, and then learned from. What is learned is written in one step with
    the day up to which it is: a restart loses nothing and learns nothing twice. Where two processes do this
    at once, one of them finds another version there and goes on from that.

    Until enough is learned, it begins with days of the past whose outcome is known already: nothing was
    predicted then, so nothing is judged. Nothing is learned or frozen while history is on its way
    (`consumers.traits.looks.Looks`).

    Parameters
    ----------
    listeners
        Reads what they did.
    sample
        Draws listeners to be frozen.
    number
        How many are frozen a day, about.
    """

    def __init__(
        self, store: ChurnStore, listeners: ReadsActivities, sample: Sample, span: Span, number: int
    ) -> None:
        self._store = store
        self._listeners = listeners
        self._looks = Looks(listeners, sample, number)
        self._span = span
        self._learned = self._blank()
        self._there = 0  # the version in Redis that it goes on from, or is written in place of
        self._frozen = -1
        self._loaded = False

    @property
    def version(self) -> int:
        """The version of what is learned; 0: nothing is."""
        return self._learned.version

    @property
    def _enough(self) -> bool:
        return self._learned.model.examples >= ENOUGH

    def score(self, rows: Floats) -> Floats | None:
        """Return how likely listeners are not to come back, shape (n,), 0 to 1; None before enough is known.

        Parameters
        ----------
        rows
            Shape (n, d), columns `models.traits.activity.FEATURES`.
        """
        return self._learned.model.predict(rows) if self._enough else None

    def fields(self, aligned: Aligned, today: int, now: float) -> list[Mapping[str, str | float]]:
        """Return what is predicted of each listener.

        Parameters
        ----------
        aligned
            What they did, as it is seen today.
        now
            Unix seconds.

        Returns
        -------
        For each `churn`, and which version said so when. "" for who did nothing in the days before: they are
        not about to go, they are gone. "" also for whose activity is not on record, and for all before enough
        is learned.
        """
        rows, asked = known(aligned.active, today, self._span, aligned.recorded_from)
        scores = self.score(rows)
        asked &= on_record(aligned.active, aligned.last_day)
        if scores is None:
            # What was written when less was enough goes; not before it is known what is learned.
            return [{"churn": ""} if self._loaded else {} for _ in asked]
        about = {"churn:version": self.version, "churn:at": round(now, 3)}
        return [
            {"churn": round(score, 5), **about} if there else {"churn": ""}
            for score, there in zip(scores.tolist(), asked.tolist(), strict=True)
        ]

    async def tick(self, now: float) -> None:
        """Learn what has become known, then freeze today's listeners; may be called as often as one likes.

        Parameters
        ----------
        now
            Unix seconds.

        Raises
        ------
        redis.RedisError
            Where Redis fails: the next call goes on from there.
        """
        today = day_of(now, LAST_CLOCK)
        if not self._looks.due(now) or (self._loaded and today <= self._frozen and self._enough):
            return
        if not self._loaded or await self._store.version() != self._there:
            await self._load()
        if seen := await self._looks.look(now):
            users, read = seen
            if not self._enough:
                await self._begin(read, today, now)
            if self._loaded and await self._learn_known(today, now):
                await self._freeze(today, users, read)

    async def _load(self) -> None:
        try:
            learned = await self._store.learned()
        except SnapshotDamaged as error:
            logger.error("%s: learning it from the beginning", error)
            learned = None
        if learned and (learned.span, learned.model.names) != (self._span, FEATURES):
            logger.warning("churn was learned with other spans or features: learning it from the beginning")
            learned = None
        self._there = learned.version if learned else await self._store.version()
        self._learned, self._loaded = learned or self._blank(), True

    def _blank(self) -> LearnedChurn:
        return LearnedChurn(ChurnModel(FEATURES), span=self._span)

    async def _begin(self, read: Activities, today: int, now: float) -> None:
        """Learn from days whose outcome is known already, as far back as what listeners did is on record.

        That takes the place of what is learned, where it is more: no day is learned twice, as frozen days up
        to the latest of these are dropped.
        """
        latest = today - self._span.outcome - LATE
        days = range(latest, today - DAYS + self._span.history - 1, -APART)
        first = recorded_from(read)
        model = ChurnModel(FEATURES)
        for day in sorted(days):
            rows, asked = known(read.active, day, self._span, first)
            asked &= _on_record(read)
            outcome = churned(read.active, day, self._span)
            await asyncio.to_thread(model.learn, rows[asked], outcome[asked])
        if not model.finite:
            logger.error("what is learned of churn from the past has diverged: nothing is predicted")
        elif model.examples > self._learned.model.examples:
            await self._keep(replace(self._learned, model=model, learned=latest), now)

    async def _learn_known(self, today: int, now: float) -> bool:
        """Learn the frozen days whose outcome is known; False where the next call has to go on from there."""
        for day in await self._store.frozen_days():
            if day + self._span.outcome + LATE > today:
                break
            if day > self._learned.learned and not await self._learn(day, today, now):
                return False
            await self._store.drop([day])
        return True

    async def _learn(self, day: int, today: int, now: float) -> bool:
        try:
            frozen = await self._store.frozen(day)
        except SnapshotDamaged as error:
            logger.error("%s: they are not learned from", error)
            return True
        if frozen is None:
            return True
        if (frozen.names, frozen.span) != (FEATURES, self._span) or today - day > DAYS - 1:
            logger.warning("who was frozen on day %d is not learned from: spans changed, or too late", day)
            return True
        read = await self._listeners.activities(frozen.user_ids)
        # Who is not on record any more has been erased, is a bot, or is not recorded any more; who is only
        # from later on, was not recorded for a time.
        there = _on_record(read) & (first_days(read.active, day, recorded_from(read)) < day)
        rows, predicted = frozen.rows[there].astype(np.float64), frozen.predicted[there].astype(np.float64)
        outcome = churned(read.active, day, self._span)[there]
        # What serves goes on serving while another learns, and where that cannot be written.
        model, quality = copy.copy(self._learned.model), Prequential(self._learned.quality.cells)
        judged = np.isfinite(predicted)
        quality.add(predicted[judged], outcome[judged])
        await asyncio.to_thread(model.learn, rows, outcome)
        if not model.finite:
            logger.error(
                "what is learned of churn has diverged on day %d: learning it from the beginning", day
            )
            self._learned = replace(self._blank(), learned=day)
            return False  # the next call begins with the past
        return await self._keep(replace(self._learned, model=model, quality=quality, learned=day), now)

    async def _keep(self, learned: LearnedChurn, now: float) -> bool:
        """Write what is learned; False where somebody else has learned meanwhile: that is loaded next."""
        made = replace(learned, version=self._there + 1, made_at=now)
        self._loaded = await self._store.keep(made, instead_of=self._there)
        if self._loaded:
            self._learned, self._there = made, made.version
        return self._loaded

    async def _freeze(self, today: int, users: Sequence[str], read: Activities) -> None:
        if today not in await self._store.frozen_days():
            rows, asked = known(read.active, today, self._span, recorded_from(read))
            asked &= _on_record(read)
            predicted = self.score(rows[asked])
            chosen = [user for user, there in zip(users, asked.tolist(), strict=True) if there]
            await self._store.freeze(
                FrozenDay(
                    today,
                    self._span,
                    tuple(chosen),
                    FEATURES,
                    rows[asked].astype(np.float32),
                    np.full(int(asked.sum()), np.nan, np.float32)
                    if predicted is None
                    else predicted.astype(np.float32),
                )
            )
            # Who was erased between being read and being frozen would stay for as long as the day.
            there = _on_record(await self._listeners.activities(chosen))
            for user in (user for user, known in zip(chosen, there.tolist(), strict=True) if not known):
                await self._store.forget(user)
        self._frozen = today


def _on_record(read: Activities) -> npt.NDArray[np.bool_]:
    return on_record(read.active, day_numbers(read.last_seen))
