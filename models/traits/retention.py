"""The retention triangle: of those who came in a week, how many were active so many weeks later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.traits.activity import DAYS, WEEK, ActiveDays, first_days

__all__ = ["MOST_WEEKS", "Retention"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MOST_WEEKS = (DAYS - WEEK + 1) // WEEK
"""Whole weeks before this one that are all kept of a listener who was active on its last day."""


@dataclass(frozen=True, eq=False)
class Retention:
    """Listeners by the week they came in.

    Attributes
    ----------
    until
        The day on which the last week ends, not part of it. The last row came in the seven days before it.
    came
        Shape (w,), how many listeners came in each week, the oldest first.
    active
        Shape (w, w): how many of them were active in the week that begins so many weeks after the one they
        came in; the weeks of row r end after w - r of them.

    Examples
    --------
    Two came two weeks ago, one of whom was back in the week after.

    >>> from models.traits.activity import DAY
    >>> days = np.zeros(3, dtype=DAY)
    >>> days["day"] = [88, 95, 89]
    >>> found = Retention.of(ActiveDays(2, np.array([0, 0, 1]), days), until=100, weeks=2)
    >>> found.came.tolist(), found.shares().round(2).tolist()
    ([2, 0], [[1.0, 0.5], [nan, nan]])
    """

    until: int
    came: Ints
    active: Ints

    @classmethod
    def of(
        cls, days: ActiveDays, until: int, weeks: int = MOST_WEEKS, first_day: Ints | None = None
    ) -> Retention:
        """Count listeners.

        Parameters
        ----------
        weeks
            How many weeks of acquisition, at most `MOST_WEEKS` where only 60 days are kept.
        first_day
            Shape (n,), the day on which each was first seen, by UTC; the first of the active days without.
        """
        day = days.days["day"].astype(np.int64)
        first = first_days(days, until, first_day)
        begin = until - WEEK * weeks
        row = np.where((first >= begin) & (first < until), (first - begin) // WEEK, -1)
        came = np.bincount(row[row >= 0], minlength=weeks)
        known = (day < until) & (row[days.owner] >= 0)
        owner, week = days.owner[known], (day[known] - begin) // WEEK
        pairs = np.unique(np.column_stack([owner, week]), axis=0)
        active = np.zeros((weeks, weeks), dtype=np.int64)
        rows = row[pairs[:, 0]]
        np.add.at(active, (rows, pairs[:, 1] - rows), 1)
        return cls(until, came, active)

    def __add__(self, other: Retention) -> Retention:
        """Add other listeners."""
        return Retention(self.until, self.came + other.came, self.active + other.active)

    def shares(self) -> Floats:
        """Return the active share of those who came, shape (w, w); NaN for weeks to come, and of nobody."""
        weeks = len(self.came)
        there = np.add.outer(np.arange(weeks), np.arange(weeks)) < weeks
        of = np.where(self.came > 0, self.came, 1)[:, None]
        return np.where(there & (self.came > 0)[:, None], self.active / of, np.nan)
