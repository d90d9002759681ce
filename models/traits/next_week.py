"""What listeners will do in the next seven days: how likely nothing, and how much is expected."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.traits.activity import WEEK, WEEKS, ActiveDays, first_days, weekly
from models.traits.online_glm import Glm, learned, predict

__all__ = [
    "ENOUGH",
    "FEATURES",
    "MEMORY",
    "Foresight",
    "NextWeek",
    "Outlook",
    "active_lately",
    "last_week",
    "next_week_features",
    "what_came",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LATE = 1  # days after which a day is over also on clocks behind UTC
MEMORY = 500_000.0
"""Examples after which an example counts 1/e: seasons change what weeks are like."""
ENOUGH = 200
"""Examples that are learned before anything is predicted."""
LATELY = 30
"""Days before a week in which those were active who are judged: of who left long ago all are right."""
LONGEST_IDLE = 60.0  # days
SPANS = 7, 14, 28, 49
"""Days over which active days are counted: none is longer than what is kept of a listener when the week after
them is over on all clocks."""
PRIOR = 1.0  # precision of coefficients of features that spread by about 1
BATCH = 2000  # examples that are learned in one step

FEATURES = (
    "constant",
    *(f"log_week_{week}" for week in range(1, WEEKS + 1)),
    *(f"active_{days}" for days in SPANS),
    "log_idle",
    "idle_7",
    "idle_14",
    "idle_to_gap",
    "zero_at_this_rate",
    "log_tenure",
    "log_mean_week",
    "trend",
)
"""The columns of `next_week_features`."""


class Outlook(NamedTuple):
    """For each listener, shape (n,): how likely they do nothing in the next seven days, and how much is
    expected of them."""

    zero: Floats
    expected: Floats


@dataclass(frozen=True)
class Foresight:
    """How well weeks were predicted when they began; those long ago fade.

    Attributes
    ----------
    examples, squares, zeros
        Sums over examples, faded: of 1, of squared errors, of who did nothing.
    """

    examples: float = 0.0
    squares: float = 0.0
    zeros: float = 0.0

    def after(self, predicted: Floats, zeros: Floats, memory: float) -> Foresight:
        """Return it with more examples."""
        keep = float(np.exp(-len(zeros) / memory))
        return Foresight(
            keep * self.examples + len(zeros),
            keep * self.squares + float(((predicted - zeros) ** 2).sum()),
            keep * self.zeros + float(zeros.sum()),
        )

    @property
    def brier(self) -> float:
        """The mean squared error of the probability of doing nothing; NaN of no examples."""
        return self.squares / self.examples if self.examples else math.nan

    @property
    def brier_of_rate(self) -> float:
        """What that would be, were all predicted alike: by the share who did nothing."""
        rate = self.zeros / self.examples if self.examples else math.nan
        return rate * (1 - rate)


def next_week_features(active: ActiveDays, until: int, first_day: Ints | None = None) -> Floats:
    """Return what the next week is predicted from, shape (n, len(FEATURES)), of the days before `until`.

    Besides the counts of five weeks it knows what they do not say: on how many days (20 clicks on one day are
    not 20 days with a click), how long ago the last was, how long that is beside the listener's usual gap
    (BG/NBD's recency and frequency), how long they have been here.

    References
    ----------
    [^1]: Fader, P. S., Hardie, B. G. S. and Lee, K. L., 2005. "Counting your customers" the easy way: an
          alternative to the Pareto/NBD model. Marketing Science.
    """
    day = active.days["day"].astype(np.int64)
    known = day < until
    owner, ago = active.owner[known], until - day[known]
    counts = weekly(active, until)
    logs = np.log1p(counts)
    on = [np.bincount(owner[ago <= days], minlength=active.number).astype(np.float64) for days in SPANS]
    idle = np.full(active.number, LONGEST_IDLE)
    np.minimum.at(idle, owner, ago.astype(np.float64))
    tenure = np.clip(until - first_days(active, until, first_day), 1, None).astype(np.float64)
    lived = np.minimum(tenure, SPANS[-1])
    rate = (on[-1] + 0.5) / (lived + 1.0)  # active days a day
    mean = np.log1p(counts.sum(axis=1) / np.clip(np.ceil(tenure / WEEK), 1, WEEKS))
    columns = [
        np.ones(active.number),
        *(logs.T / 2.0),
        *(np.sqrt(number / days) for number, days in zip(on, SPANS, strict=True)),
        np.log(idle),
        idle > WEEK,
        idle > 2 * WEEK,
        np.log1p(idle * rate),
        np.exp(-WEEK * rate),
        np.log(tenure) / 3.0,
        mean / 2.0,
        (logs[:, 0] + logs[:, 1] - logs[:, 2] - logs[:, 3]) / 2.0,
    ]
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])


def last_week(today: int) -> int:
    """Return the first of the last seven days that are over on all clocks.

    Parameters
    ----------
    today
        Day (UTC). The day before it goes on where clocks are behind UTC.

    Examples
    --------
    >>> last_week(100)
    92
    """
    return today - LATE - WEEK


def what_came(active: ActiveDays, until: int) -> Floats:
    """Return what listeners did in the seven days from `until` on, shape (n,)."""
    return weekly(active, until + WEEK, weeks=1)[:, 0]


def active_lately(active: ActiveDays, until: int) -> npt.NDArray[np.bool_]:
    """Return who did anything in the last `LATELY` days before a day, shape (n,)."""
    day = active.days["day"].astype(np.int64)
    return np.bincount(active.owner[(day < until) & (day >= until - LATELY)], minlength=active.number) > 0


def _prior(*, level: float) -> Floats:
    prior = np.full(len(FEATURES), PRIOR)
    prior[0] = level
    return prior


@dataclass
class NextWeek:
    """Learns what comes in a week from what listeners did before it.

    Who has done nothing in the last 60 days is predicted, too; who was first seen later than `until` is not
    to be learned from.

    Attributes
    ----------
    zero, count
        The two regressions.
    foresight
        How well it has predicted so far.

    Examples
    --------
    Half of all listeners click every day, the others never again.

    >>> from models.traits.activity import DAY
    >>> days = np.zeros(50 * 37 + 50, dtype=DAY)
    >>> days["day"] = [*([*range(63, 100)] * 50), *[63] * 50]
    >>> days["play"] = 1
    >>> active = ActiveDays(100, np.array([i // 37 for i in range(50 * 37)] + [*range(50, 100)]), days)
    >>> model = NextWeek()
    >>> _ = model.learn(active, until=93)
    >>> outlook = model.predict(active, until=100)
    >>> float(outlook.zero[0].round(1)), float(outlook.zero[99].round(1))
    (0.0, 1.0)
    """

    zero: Glm = field(default_factory=lambda: Glm.blank("bernoulli", _prior(level=0.1)))
    count: Glm = field(default_factory=lambda: Glm.blank("poisson", _prior(level=0.1)))
    foresight: Foresight = field(default_factory=Foresight)
    memory: float = MEMORY

    @property
    def finite(self) -> bool:
        """Whether all that is learned is numbers; else it has diverged, and no example brings it back."""
        return self.zero.finite and self.count.finite and math.isfinite(self.foresight.squares)

    @property
    def version(self) -> int:
        """How many examples were learned."""
        return self.zero.examples

    def predict(self, active: ActiveDays, until: int, first_day: Ints | None = None) -> Outlook:
        """Predict the seven days from `until` on."""
        return self._outlook(next_week_features(active, until, first_day))

    def learn(self, active: ActiveDays, until: int, first_day: Ints | None = None) -> Outlook:
        """Learn from what listeners did before a day, and in the seven days from it on, which must be over.

        Returns
        -------
        What was predicted before learning.
        """
        rows, came = next_week_features(active, until, first_day), what_came(active, until)
        before, zeros = self._outlook(rows), (came == 0).astype(np.float64)
        for at in range(0, len(rows), BATCH):
            part = slice(at, at + BATCH)
            self.zero = learned(self.zero, rows[part], zeros[part], self.memory)
            self.count = learned(self.count, rows[part], came[part], self.memory)
        return before

    def judge(self, predicted: Floats, came: Floats) -> None:
        """Judge what was predicted of listeners when a week began, shape (n,).

        Parameters
        ----------
        predicted
            How likely they were to do nothing. Once the week is over, a model knows what others did in it.
        came
            What they did.
        """
        self.foresight = self.foresight.after(predicted, (came == 0).astype(np.float64), self.memory)

    def _outlook(self, rows: Floats) -> Outlook:
        return Outlook(predict(self.zero, rows), predict(self.count, rows))
