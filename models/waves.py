"""Whom a release goes to next: a first wave that explores cohorts, then more of where it is clicked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.audience import best_rows

__all__ = ["FIRST_SHARE", "Cohorts", "Wave", "choose", "explore", "wave_size"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.floating[Any]]

FIRST_SHARE = 0.1
"""Share of the audience that is told in the first wave."""
GROWTH = 3.0  # each wave to the one before
STRENGTH = 30.0
"""Notifications that the predicted CTR of a cohort counts as: it leaves the cohort's CTR for one release
uncertain by half at a CTR of 0.1."""
RELEASE_STRENGTH = 100.0  # the same, of the release as a whole
UNIFORM = 0.02
"""Share of an exploring wave that goes to anybody, so that other policies can be evaluated by it."""
CONTENDERS = 10
"""Times as many of the best candidates as there are places that a draw may choose from: no cohort is clicked
ten times as often as predicted, and a release is waiting."""
DRAWS = 100  # from the posterior: propensities of Thompson sampling in steps of 1/100
DRAWN = 1e6  # candidates that all draws go through: fewer draws of many, so that it takes some 10 ms


def wave_size(places: int, told: int, first_share: float = FIRST_SHARE) -> int:
    """Return how many listeners the next wave tells: the first share, then thrice as many as the one before.

    The last takes what remains where less than half of another would.

    Parameters
    ----------
    places
        Listeners told in all, at most.
    told
        So far.

    Examples
    --------
    >>> wave_size(1000, 0), wave_size(1000, 100), wave_size(1000, 400)
    (100, 300, 600)
    """
    first = max(int(np.ceil(first_share * places)), 1)
    size, done = float(first), 0.0
    while done + size <= told:
        done, size = done + size, GROWTH * size
    left = places - told
    return max(left if left < size + GROWTH * size / 2 else int(size), 0)


class Wave(NamedTuple):
    """How far a release is that goes out in waves.

    Attributes
    ----------
    number
        From 1.
    until
        How many listeners are told once this wave is out.
    aimed
        How many are to be told in all, as planned at first.

    Examples
    --------
    >>> wave = Wave.first(1000, 0.1)
    >>> wave, wave.next(0.1), wave.next(0.1).next(0.1).is_last
    (Wave(number=1, until=100, aimed=1000), Wave(number=2, until=400, aimed=1000), True)
    """

    number: int
    until: int
    aimed: int

    @classmethod
    def first(cls, aimed: int, first_share: float) -> Wave:
        """Return the first wave of a release."""
        return cls(1, wave_size(aimed, 0, first_share), aimed)

    def next(self, first_share: float) -> Wave:
        """Return the wave that follows."""
        return Wave(self.number + 1, self.until + wave_size(self.aimed, self.until, first_share), self.aimed)

    @property
    def is_last(self) -> bool:
        """Whether none follows."""
        return self.until >= self.aimed


@dataclass(frozen=True, eq=False)
class Cohorts:
    """How much better or worse than predicted each cohort clicks on a release: a Beta posterior each.

    The release as a whole is clicked r = (s' + c) / (s' + e) times as often as predicted, c clicks where
    e = sum of predictions were expected, s' = `RELEASE_STRENGTH` times the mean prediction. A cohort whose
    told listeners were predicted to click with probability q on average has the prior
    Beta(s r q, s (1 - r q)), s = `STRENGTH`, and the posterior Beta(s r q + c_k, s (1 - r q) + n_k - c_k).

    Attributes
    ----------
    predicted
        Shape (k,), q.
    alpha, beta
        Shape (k,), the two parameters of each posterior.
    """

    predicted: Floats
    alpha: Floats
    beta: Floats

    @classmethod
    def of(
        cls,
        ctr: Floats,
        cohort: Ints,
        places: int,
        sent: npt.ArrayLike = 0.0,
        clicked: npt.ArrayLike = 0.0,
        expected: npt.ArrayLike = 0.0,
    ) -> Cohorts:
        """Make the posteriors of what is predicted and what was found.

        Parameters
        ----------
        ctr
            Predicted click-through rates of the candidates that are left, shape (n,).
        cohort
            Shape (n,), their cohorts' rows, 0 to k - 1.
        places
            Listeners that the wave tells.
        sent, clicked, expected
            Shape (k,), of each cohort so far: notifications whose outcome is known, how many were clicked,
            and the sum of what was predicted for them. Of those sent a moment ago count `sent` and `expected`
            for the share of clicks that come so soon, or the release looks worse than it is.
        """
        best = best_rows(ctr, places)
        k = int(cohort.max(initial=-1)) + 1
        n, c, e = (np.zeros(max(k, np.size(sent))) + np.asarray(x, float) for x in (sent, clicked, expected))
        k = len(n)
        told = np.bincount(cohort[best], minlength=k)
        own = np.bincount(cohort[best], ctr[best], k)
        everybody = np.bincount(cohort, ctr, k) / np.maximum(np.bincount(cohort, minlength=k), 1)
        q = np.where(told > 0, own / np.maximum(told, 1), everybody)
        q = np.where(n > 0, e / np.maximum(n, 1e-300), q)
        q = np.clip(q, 1e-6, 1.0 - 1e-6)
        level = RELEASE_STRENGTH * (float(e.sum() / n.sum()) if n.sum() > 0 else float(q.mean()))
        prior = np.clip(q * (level + c.sum()) / (level + e.sum()), 1e-6, 1.0 - 1e-6)
        return cls(q, STRENGTH * prior + c, STRENGTH * (1.0 - prior) + np.maximum(n - c, 0.0))

    @property
    def factor(self) -> Floats:
        """Shape (k,), how many times as often as predicted each cohort clicks: the posterior mean."""
        factor: Floats = self.alpha / (self.alpha + self.beta) / self.predicted
        return factor

    def draw(self, random: np.random.Generator) -> Floats:
        """Return one sample of it from the posterior, shape (k,)."""
        drawn: Floats = random.beta(self.alpha, self.beta) / self.predicted
        return drawn


def explore(
    ctr: Floats,
    cohort: Ints,
    posterior: Cohorts,
    places: int,
    random: np.random.Generator,
) -> Floats:
    """Return the propensity of each candidate, shape (n,), under Thompson sampling over cohorts.

    A draw from the posterior says how often each cohort clicks; those told would be the `places` best by
    their predicted CTR times that. A candidate's propensity is in what share of the draws it is among
    them, but for `UNIFORM`, which all share. They add up to `places`, and `choose` tells each with just that
    probability: they are exact whatever the number of draws, which only says how close to Thompson sampling
    it is.

    References
    ----------
    [^1]: Thompson, W. R., 1933. On the likelihood that one unknown probability exceeds another in view of the
          evidence of two samples. Biometrika.

    Examples
    --------
    >>> ctr, cohort = np.array([0.2, 0.2, 0.1, 0.1]), np.array([0, 0, 1, 1])
    >>> posterior = Cohorts.of(ctr, cohort, places=2)
    >>> odds = explore(ctr, cohort, posterior, 2, np.random.default_rng(1))
    >>> round(float(odds.sum()), 9), bool(odds[0] > odds[2] > 0.1)
    (2.0, True)
    """
    n, places = len(ctr), min(places, len(ctr))
    found = np.zeros(n)
    if places == 0:
        return found
    rows = best_rows(ctr, CONTENDERS * places)
    p, own = ctr[rows], cohort[rows]
    counts = np.zeros(len(rows))
    draws = int(np.clip(DRAWN / len(rows), 8, DRAWS))
    for _ in range(draws):
        best = np.argpartition(-p * posterior.draw(random)[own], places - 1)[:places]
        counts[best] += 1.0
    found[rows] = counts / draws
    propensities: Floats = (1.0 - UNIFORM) * found + UNIFORM * places / n
    return propensities


def choose(propensities: Floats, random: np.random.Generator) -> Ints:
    """Return the rows of who is told, each with just its propensity; as many as these add up to.

    Systematic sampling of rows in random order: laid end to end as lengths, those are told on whom one of
    the points u, u + 1, u + 2, ... falls, u uniform in [0, 1).

    References
    ----------
    [^1]: Madow, W. G., 1949. On the theory of systematic sampling, II. Annals of Mathematical Statistics.

    Examples
    --------
    >>> choose(np.array([1.0, 0.0, 0.5, 0.5]), np.random.default_rng(2)).tolist()
    [0, 2]
    """
    order = random.permutation(len(propensities))
    ends = np.cumsum(propensities[order])
    places = round(float(ends[-1])) if len(ends) else 0
    if places == 0:
        return np.zeros(0, dtype=np.int64)
    ends *= places / ends[-1]  # rounding must not cost the last place
    at = np.searchsorted(ends, np.arange(places) + random.random(), side="right")
    told: Ints = np.sort(order[np.minimum(at, len(order) - 1)])
    return told
