"""How listeners go from stage to stage week by week, and how many will be where in some weeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

from models.traits.lifecycle import STAGES

__all__ = ["Expected", "Forecast", "Transitions"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_NEW, _DORMANT, _GONE = map(STAGES.index, ("new", "dormant", "gone"))
PRIOR = np.full((len(STAGES), len(STAGES)), 0.5)
"""Jeffreys' prior of a multinomial: half a listener on each way that there is. Nobody becomes new again, and
who is gone was dormant before: with a prior on those ways, too, dozens would seem to take them."""
PRIOR[np.arange(len(STAGES)) != _NEW, _NEW] = 0.0
PRIOR[~np.isin(np.arange(len(STAGES)), (_DORMANT, _GONE)), _GONE] = 0.0
LEVEL = 0.95
DRAWS = 1000
STRETCHES = 2
"""Of which bounds know how they differ: of less than two, differing weeks would narrow them."""


class Expected(NamedTuple):
    """A number that is expected, and bounds within which it is with a probability of 95 %."""

    number: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Forecast:
    """How many listeners are expected in each stage after some weeks.

    Attributes
    ----------
    weeks
        How many.
    expected
        Shape (s,); adds up to as many as there are now.
    draws
        Shape (m, s), what it may come to: each draw adds up to as many as there are now.
    counted
        By how many stretches it goes; they may overlap.
    """

    weeks: int
    expected: Floats
    draws: Floats
    counted: int

    @property
    def bounded(self) -> bool:
        """Whether bounds hold: so many weeks were seen that stretches of the forecast's length can differ."""
        return self.counted >= STRETCHES * self.weeks

    def among(self, *stages: str) -> Expected:
        """Return how many are expected in some stages together."""
        at = [STAGES.index(stage) for stage in stages]
        low, high = np.quantile(self.draws[:, at].sum(axis=1), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Expected(float(self.expected[at].sum()), float(low), float(high))


@dataclass(frozen=True, eq=False)
class Transitions:
    """How many listeners went from stage to stage within some weeks.

    Attributes
    ----------
    counts
        Shape (w, s, s), by when it was, the oldest first: from the stage of a row to that of a column
        (`STAGES`).
    ahead
        Weeks from the one to the other.

    References
    ----------
    [^1]: Anderson, T. W. and Goodman, L. A., 1957. Statistical inference about Markov chains. Annals of
          Mathematical Statistics.
    [^2]: Pfeifer, P. E. and Carraway, R. L., 2000. Modeling customer relationships as Markov chains. Journal
          of Interactive Marketing.
    [^3]: Rubin, D. B., 1981. The Bayesian bootstrap. Annals of Statistics.

    Examples
    --------
    Of ten regular listeners, one is fading a week later.

    >>> transitions = Transitions.of(np.array([[1, 1]] * 9 + [[1, 3]]))
    >>> transitions.probabilities()[1].round(2).tolist()
    [0.0, 0.76, 0.04, 0.12, 0.04, 0.0, 0.04]
    >>> forecast = transitions.forecast([0, 10, 0, 0, 0, 0, 0])
    >>> round(float(forecast.expected.sum()), 9), round(forecast.among("fading").number, 1)
    (10.0, 1.2)
    """

    counts: Ints
    ahead: int = 1

    @classmethod
    def of(cls, codes: npt.NDArray[np.integer[Any]], ahead: int = 1) -> Transitions:
        """Count those of listeners' stages, shape (n, w), a week a column, the oldest first.

        A listener who is in no stage (`UNSEEN`) in one of two weeks goes nowhere between them.
        """
        size, number = len(STAGES), max(codes.shape[1] - ahead, 0)
        counts = np.zeros((number, size, size), dtype=np.int64)
        for week in range(number):
            origin, to = codes[:, week].astype(np.int64), codes[:, week + ahead].astype(np.int64)
            both = (origin >= 0) & (to >= 0)
            ways = np.bincount(size * origin[both] + to[both], minlength=size * size)
            counts[week] = ways.reshape(size, size)
        return cls(counts, ahead)

    def __add__(self, other: Transitions) -> Transitions:
        """Add those of other listeners in the same weeks."""
        return Transitions(self.counts + other.counts, self.ahead)

    def staying(self, stage: str) -> Transitions:
        """Take all who were in a stage to have stayed there: where they went is not known of all of them."""
        counts, at = self.counts.copy(), STAGES.index(stage)
        counts[:, at] = 0
        counts[:, at, at] = self.counts[:, at].sum(axis=1)
        return Transitions(counts, self.ahead)

    @property
    def total(self) -> Ints:
        """Over all weeks, shape (s, s)."""
        return np.asarray(self.counts.sum(axis=0), dtype=np.int64)

    def probabilities(self) -> Floats:
        """Return how likely each way is, shape (s, s): the posterior's mean; rows add up to 1."""
        weights = self.total + PRIOR
        return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float64)

    def intervals(self) -> tuple[Floats, Floats]:
        """Return the bounds of each probability's 95 % credible interval, shape (s, s) both.

        They hold for listeners who move independently; that weeks differ is in `forecast` only.
        """
        weights = self.total + PRIOR
        others = weights.sum(axis=1, keepdims=True) - weights
        low, high = np.zeros(weights.shape), np.zeros(weights.shape)
        ways = weights > 0
        for bound, level in ((low, (1 - LEVEL) / 2), (high, (1 + LEVEL) / 2)):
            bound[ways] = scipy.stats.beta.ppf(level, weights[ways], others[ways])
        return low, high

    def forecast(self, now: Sequence[int] | Ints, steps: int = 1, seed: int = 0) -> Forecast:
        """Say how many of some listeners will be in each stage; those who are yet to come are not in it.

        Parameters
        ----------
        now
            Shape (s,), how many are in each stage.
        steps
            How many times `ahead` weeks on. One step assumes nothing of how weeks hang together; several
            assume that a stage is all that counts (a Markov chain), and see too many leave: a regular
            listener of long standing leaves less often than one who has just become regular.

        Notes
        -----
        A draw weighs the weeks that were counted (the Bayesian bootstrap: weeks differ by more than chance,
        there are holidays), takes probabilities from their posterior, and lets the listeners move. Stretches
        of `ahead` weeks overlap, so that each weighs as `1 / ahead` of one. With few stretches counted, the
        draws know little of how they differ: `Forecast.bounded`.
        """
        sizes = np.asarray(now, dtype=np.int64)
        counts = self.counts[self.counts.any(axis=(1, 2))]  # a week of which nothing is known says nothing
        expected = sizes @ np.linalg.matrix_power(self.probabilities(), steps)
        random = np.random.default_rng(seed)
        draws = _draw(counts, sizes, steps, self.ahead, random)
        return Forecast(steps * self.ahead, np.asarray(expected, dtype=np.float64), draws, len(counts))


def _draw(counts: Ints, sizes: Ints, steps: int, ahead: int, random: np.random.Generator) -> Floats:
    """Return `DRAWS` of what may come, shape (m, s)."""
    number = len(counts)
    at = np.tile(sizes, (DRAWS, 1))
    for _ in range(steps):
        of_weeks = np.zeros((DRAWS, 0))
        if number:
            of_weeks = number * random.dirichlet(np.full(number, 1.0 / ahead), DRAWS)
        likely = random.standard_gamma(np.tensordot(of_weeks, counts, axes=1) + PRIOR)  # of a Dirichlet
        likely /= likely.sum(axis=2, keepdims=True)
        at = random.multinomial(at, likely).sum(axis=1)
    return at.astype(np.float64)
