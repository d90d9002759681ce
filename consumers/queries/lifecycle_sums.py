"""What is added up over listeners for `consumers.queries.lifecycle`; memory does not grow with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from models.traits.activity import DAY, WEEK, ActiveDays, Activities, first_days, weekly
from models.traits.lifecycle import STAGES, UNSEEN, Limits, stages
from models.traits.next_week import NextWeek, last_week, what_came
from models.traits.retention import Retention
from models.traits.today import WHOLE_WEEKS, align, day_numbers, of_some, on_record, recorded_from
from models.traits.transitions import Transitions
from models.traits.weeks import KEPT, begin_of, codes_by_week, week_of

__all__ = ["CHURN_BINS", "LifecycleSums"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

SAMPLE = 20_000  # listeners that groups are made of
CHURN_BINS = 10  # of equal width, from 0 to 1
CHANGES = 3
"""From one week to the next, of which at least it is said how much weeks differ."""
FEWEST = 0.1
"""A week counts if more than this share of today's listeners were there: few say little of all."""


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
    erased_after
        Days without a click after which listeners are erased; 0: nobody is. Of who was gone only those who
        came back are sure to be left, so all are taken to stay gone. Where that is so of who was dormant in
        weeks long ago, too, these are not counted.

    Attributes
    ----------
    sizes
        Shape (s,), listeners in each stage today.
    erasing
        Whether listeners are erased.
    weeks_left_out
        Of the changes of stage from one week to the next, how many are not counted, the earliest.
    recorded
        How many of them have activity on record (`models.traits.today.on_record`).
    transitions
        Weeks ahead -> from stage to stage within so many weeks, of listeners who are not gone where these are
        erased.
    retention
        Up to the Monday of this week.
    zero
        How many of those on record are expected to do nothing in the next seven days.
    expected
        What they are expected to do.
    churn
        Shape (`CHURN_BINS`,), listeners by the probability of churn that is predicted of them.
    """

    def __init__(
        self, today: int, weeks: int, limits: Limits, model: NextWeek, *, erased_after: float = 0.0
    ) -> None:
        self._today, self._limits, self._model = today, limits, model
        self.erasing = erased_after > 0
        self._unsure = _unsure_weeks(today, erased_after, limits.gone_days) if self.erasing else 0
        self.weeks_left_out = min(self._unsure, KEPT - 1)
        self.sizes = np.zeros(len(STAGES), dtype=np.int64)
        self.recorded = 0
        nobody = np.zeros((0, KEPT), dtype=np.int8)
        self.transitions = {ahead: Transitions.of(nobody, ahead) for ahead in range(1, weeks + 1)}
        self.retention = _no_retention(begin_of(week_of(today)))
        self.churn = np.zeros(CHURN_BINS, dtype=np.int64)
        self.zero = self._by_chance = self.expected = 0.0
        self._weekly, self._came, self._chance = np.zeros((0, 5)), np.zeros(0), np.zeros(0, dtype=np.int64)
        self._idle, self._there = np.zeros(WHOLE_WEEKS), np.zeros(WHOLE_WEEKS)

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
        by_week[:, : self._unsure] = UNSEEN
        for ahead in self.transitions:
            found = Transitions.of(by_week, ahead)
            self.transitions[ahead] += found.staying("gone") if self.erasing else found
        since = recorded_from(activities)
        whole = np.flatnonzero(since <= first)
        self.retention += Retention.of(of_some(active, whole), self.retention.until, first_day=first[whole])
        outlook = self._model.predict(aligned.active, self._today, aligned.recorded_from)
        # Of the others nothing is known, which is not that they do nothing.
        recorded = on_record(active, last)
        seen &= recorded
        self.recorded += int(seen.sum())
        self.zero += float(outlook.zero[seen].sum())
        self._by_chance += float((outlook.zero * (1 - outlook.zero))[seen].sum())
        self.expected += float(outlook.expected[seen].sum())
        until = last_week(self._today)
        there = recorded & (since >= 0) & (first_days(active, until, since) < until)
        self._add_sample(users, weekly(active, until), what_came(active, until), there)
        self._add_weeks(active, until + WEEK, since, recorded)

    @property
    def zero_deviation(self) -> float | None:
        """The standard deviation of `zero`; None where too few weeks are known.

        Each one's chance would leave next to nothing of it where listeners are many. But weeks differ for all
        at once, there are holidays: by how much the share of those who did nothing has changed from one week
        to the next, weighed by who was there in both, as a service grows.
        """
        known = self._there > FEWEST * self.recorded
        there = self._there[known]
        changes = np.diff(self._idle[known] / there)
        if len(changes) < CHANGES:
            return None
        change = float(np.average(changes**2, weights=np.minimum(there[:-1], there[1:])))
        between_weeks = self.recorded**2 * change
        return math.sqrt(self._by_chance + between_weeks)

    def _add_weeks(
        self, active: ActiveDays, until: int, first: npt.NDArray[np.int64], recorded: Flags
    ) -> None:
        """Count of the weeks before a day who was there when each began, and who of them did nothing."""
        begins = until - WEEK * np.arange(1, WHOLE_WEEKS + 1)
        there = (recorded & (first >= 0))[:, None] & (first_days(active, until, first)[:, None] < begins)
        self._there += there.sum(axis=0)
        self._idle += (there & (weekly(active, until, WHOLE_WEEKS) == 0)).sum(axis=0)

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


def _unsure_weeks(today: int, erased_after: float, gone_days: float) -> int:
    """Return how many of the remembered beginnings of weeks are too long ago: of those who were not gone
    then, who did nothing since may be erased."""
    begins = np.array([begin_of(week_of(today) - ago) for ago in range(KEPT)])
    did_last = begins - gone_days  # or later, as they were not gone
    return int((today + 1 - did_last > erased_after).sum())


def _no_retention(until: int) -> Retention:
    return Retention.of(ActiveDays(0, np.zeros(0, dtype=np.int64), np.zeros(0, dtype=DAY)), until)
