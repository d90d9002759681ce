"""What is added up over listeners for `consumers.queries.lifecycle`; memory does not grow with them."""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from models.traits.activity import DAY, ActiveDays, Activities, first_days, weekly
from models.traits.lifecycle import STAGES, Limits, stages
from models.traits.next_week import NextWeek, last_week, what_came
from models.traits.retention import Retention
from models.traits.today import align, day_numbers
from models.traits.transitions import Transitions
from models.traits.weeks import KEPT, begin_of, codes_by_week, week_of

__all__ = ["CHURN_BINS", "LifecycleSums"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SAMPLE = 20_000  # listeners that groups are made of
CHURN_BINS = 10  # of equal width, from 0 to 1


class LifecycleSums:
    """Sums over listeners.

    Parameters
    ----------
    today
        Day (UTC).
    weeks
        How many weeks ahead it will be looked.
    model
        Of the next week.

    Attributes
    ----------
    sizes
        Shape (s,), listeners in each stage today.
    transitions
        Weeks ahead -> from stage to stage within so many weeks.
    retention
        Up to the Monday of this week.
    zero, zero_variance
        How many are expected to do nothing in the next seven days, and the variance of that number.
    expected
        What all are expected to do.
    churn
        Shape (`CHURN_BINS`,), listeners by the probability of churn that is predicted of them.
    """

    def __init__(self, today: int, weeks: int, limits: Limits, model: NextWeek) -> None:
        self._today, self._limits, self._model = today, limits, model
        self.sizes = np.zeros(len(STAGES), dtype=np.int64)
        nobody = np.zeros((0, KEPT), dtype=np.int8)
        self.transitions = {ahead: Transitions.of(nobody, ahead) for ahead in range(1, weeks + 1)}
        self.retention = _no_retention(begin_of(week_of(today)))
        self.churn = np.zeros(CHURN_BINS, dtype=np.int64)
        self.zero = self.zero_variance = self.expected = 0.0
        self._weekly, self._came, self._chance = np.zeros((0, 5)), np.zeros(0), np.zeros(0, dtype=np.int64)

    def add(
        self,
        users: Sequence[str],
        activities: Activities,
        remembered: Sequence[str],
        churn: Sequence[float],
    ) -> None:
        """Add listeners.

        Parameters
        ----------
        remembered
            What is remembered of each one's stages (`models.traits.weeks`).
        churn
            How likely those are to churn of whom that is predicted, in any order.
        """
        self.churn += np.histogram(churn, bins=CHURN_BINS, range=(0.0, 1.0))[0]
        aligned, active = align(activities, self._today), activities.active
        first, last = day_numbers(activities.first_seen), day_numbers(activities.last_seen)
        codes = stages(aligned.active, self._today, aligned.first_day, aligned.last_day, self._limits)
        seen = codes >= 0
        self.sizes += np.bincount(codes[seen], minlength=len(STAGES))
        by_week = codes_by_week(active, self._today, remembered, first, last, self._limits)
        for ahead in self.transitions:
            self.transitions[ahead] += Transitions.of(by_week, ahead)
        self.retention += Retention.of(active, self.retention.until, first_day=first)
        outlook = self._model.predict(aligned.active, self._today, aligned.first_day)
        self.zero += float(outlook.zero[seen].sum())
        self.zero_variance += float((outlook.zero * (1 - outlook.zero))[seen].sum())
        self.expected += float(outlook.expected[seen].sum())
        until = last_week(self._today)
        there = (first >= 0) & (first_days(active, until, first) < until)
        self._add_sample(users, weekly(active, until), what_came(active, until), there)

    def sample(self) -> tuple[Floats, Flags]:
        """Return a sample of listeners: actions in each of five weeks (n, 5), the latest first, and who did
        nothing in the week after those, the last that is over on all clocks."""
        return self._weekly, self._came == 0

    def _add_sample(self, users: Sequence[str], counts: Floats, came: Floats, there: Flags) -> None:
        chance = np.array([crc32(user.encode()) for user in users], dtype=np.int64)[there]
        self._chance = np.concatenate([self._chance, chance])
        self._weekly = np.concatenate([self._weekly, counts[there]])
        self._came = np.concatenate([self._came, came[there]])
        if len(self._chance) > SAMPLE:
            kept = np.argpartition(self._chance, SAMPLE)[:SAMPLE]
            self._chance, self._weekly, self._came = self._chance[kept], self._weekly[kept], self._came[kept]


def _no_retention(until: int) -> Retention:
    return Retention.of(ActiveDays(0, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=DAY)), until)
