"""What is expected of listeners' next week, and learned of the last one."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from consumers.traits.looks import Looks
from models.traits.activity import WEEK, ActiveDays, Activities, first_days
from models.traits.next_week import ENOUGH, NextWeek, active_lately, last_week, what_came
from models.traits.today import Aligned, day_numbers, of_some, on_record, recorded_from
from stream.errors import SnapshotDamaged
from stream.stores.next_week_model import NextWeekModel

__all__ = ["NextWeekTrait"]

logger = logging.getLogger(__name__)

NOTHING: Mapping[str, str | float] = {"zero_week": "", "expected_week": ""}
TOLD_AFTER = 600.0  # seconds in which nothing could be learned: for less nobody needs to know why


class NextWeekTrait:
    """Learns what listeners do within a week from what their days say, and predicts the next.

    A listener's last seven days that are over on all clocks are learned once a week, on a weekday that their
    id chooses, so that no day is learned twice; before `ENOUGH` is learned, on any. No samples need to be
    kept: 60 days of a listener also say what was known of them a week ago.

    What is predicted then of the week that is learned at their next turn is kept until that, and judged. Who
    was not active lately is not judged.

    Nothing is learned while history is on its way. That is decided for all at once: were it decided for few,
    those few of whom nobody was active lately would not be learned, and who does nothing would seem rare.

    Parameters
    ----------
    looks
        At listeners drawn from all.
    """

    def __init__(self, store: NextWeekModel, looks: Looks) -> None:
        self._store = store
        self._looks = looks
        self._all_there = False
        self._waits_since, self._told = math.inf, False
        self.model = NextWeek()
        self._kept = 0

    async def begin(self) -> None:
        """Go on from what was learned before."""
        try:
            self.model = await self._store.load()
        except SnapshotDamaged as error:
            logger.error("%s: learning it from the beginning", error)
            self.model = NextWeek()
        self._kept = self.model.version

    async def look(self, now: float) -> bool:
        """Look whether history is on its way, where it is time for that.

        Parameters
        ----------
        now
            Unix seconds.

        Returns
        -------
        Whether all is there that was not at the last look.
        """
        before = self._all_there
        if self._looks.due(now):
            self._all_there = await self._looks.look(now) is not None
            self._tell(now)
        return self._all_there and not before

    async def keep(self) -> None:
        """Write what is learned, where there is more."""
        if self.model.version != self._kept:
            version = self.model.version
            await self._store.keep(self.model)
            self._kept = version

    def fields(self, aligned: Aligned, today: int, now: float) -> list[Mapping[str, str | float]]:
        """Return what is predicted of each listener; nothing before enough is learned, or where no day is on
        record."""
        if self.model.version < ENOUGH:
            return [{} for _ in aligned.first_day]
        outlook = self.model.predict(aligned.active, today, aligned.recorded_from)
        about = {"zero_week:version": self.model.version, "zero_week:at": round(now, 3)}
        return [
            {"zero_week": round(zero, 5), "expected_week": round(expected, 3), **about} if there else NOTHING
            for zero, expected, there in zip(
                *map(np.ndarray.tolist, (*outlook, on_record(aligned.active, aligned.last_day))), strict=True
            )
        ]

    def learn(
        self, users: Sequence[str], activities: Activities, today: int, learned: Sequence[str]
    ) -> list[str]:
        """Judge and learn the last week of those listeners whose turn it is.

        Parameters
        ----------
        learned
            For each what this returned last, "" if nothing.

        Returns
        -------
        For each the day on which they were learned last, and what was predicted then: `20100:0.25`.
        """
        if not self._all_there:
            return list(learned)
        until, first = last_week(today), recorded_from(activities)
        there = on_record(activities.active, day_numbers(activities.last_seen)) & (first >= 0)
        there &= first_days(activities.active, until, first) < until
        any_day = self.model.version < ENOUGH
        due = [
            known and _day(text) != str(today) and (any_day or (crc32(user.encode()) + today) % WEEK == 0)
            for user, known, text in zip(users, there.tolist(), learned, strict=True)
        ]
        rows = np.flatnonzero(due)
        if not len(rows):
            return list(learned)
        active = of_some(activities.active, rows)
        predicted = np.array([_predicted(learned[row], today - WEEK) for row in rows.tolist()])
        judged = np.isfinite(predicted)
        self.model.judge(predicted[judged], what_came(active, until)[judged])
        self.model.learn(active, until, first[rows])
        if not self.model.finite:
            logger.error("what was learned of the next week has diverged: learning it from the beginning")
            self.model = NextWeek()
            return list(learned)
        now = iter(self._noted(active, today, first[rows]))
        return [next(now) if each else text for each, text in zip(due, learned, strict=True)]

    def _tell(self, now: float) -> None:
        """Say once that nothing is learned, where that goes on, and that it is over."""
        if self._all_there:
            if self._told:
                logger.info("churn and the next week are learned again")
            self._waits_since, self._told = math.inf, False
        elif self._looks.missing:
            self._waits_since = min(self._waits_since, now)
            if now - self._waits_since >= TOLD_AFTER and not self._told:
                self._told = True
                logger.warning(
                    "history seems to be on its way, so nothing is learned of churn and the next week: %s",
                    self._looks.missing,
                )

    def _noted(self, active: ActiveDays, today: int, first: npt.NDArray[np.int64]) -> list[str]:
        """Return what is kept of listeners who are learned today until their next turn."""
        if self.model.version < ENOUGH:  # what is predicted before that is shown to nobody
            return [str(today)] * active.number
        until = last_week(today + WEEK)
        zero = self.model.predict(active, until, first).zero
        return [
            f"{today}:{chance:.4f}" if lately else str(today)
            for chance, lately in zip(zero.tolist(), active_lately(active, until).tolist(), strict=True)
        ]


def _day(learned: str) -> str:
    return learned.partition(":")[0]


def _predicted(learned: str, on_day: int) -> float:
    """Return what was predicted on a day; NaN where nothing was, or that was noted on another day."""
    day, _, predicted = learned.partition(":")
    return float(predicted) if predicted and day == str(on_day) else math.nan
