"""Random clusters of the same sizes: what a click-through rate has to be better than."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.click_rate import MIN_SENT, credible_interval

__all__ = ["Chance", "Rate", "random_clusters", "rate_of"]

TAILS = (0.025, 0.975)


@dataclass(frozen=True)
class Rate:
    """Clicked / (members x releases), and its 95 % interval; None where too few could have clicked to say."""

    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None


@dataclass(frozen=True)
class Chance:
    """The same rate of random clusters.

    Attributes
    ----------
    random_ctr
        Their mean, which is the rate of all listeners.
    random_low, random_high
        95 % of the clusters that were drawn are in between.
    """

    random_ctr: float
    random_low: float
    random_high: float


def rate_of(clicked: Mapping[int, int], members: int, releases: int) -> Rate:
    """Return the rate of a cluster: the mean over its releases of clicked / members.

    The interval is that of a binomial rate (`models.click_rate.credible_interval`), of so many fewer trials
    as members differ more than by chance in how many of the releases they click on (Kish's design effect).

    Parameters
    ----------
    clicked
        Times -> members who clicked on so many of the releases.

    Examples
    --------
    >>> rate_of({1: 20}, members=100, releases=1)
    Rate(ctr=0.2, ctr_low=0.131, ctr_high=0.286)
    >>> rate_of({5: 20}, members=100, releases=5)  # the same twenty each time say no more than once
    Rate(ctr=0.2, ctr_low=0.131, ctr_high=0.286)
    """
    trials = members * releases
    if trials < MIN_SENT:
        return Rate(None, None, None)
    total = sum(times * listeners for times, listeners in clicked.items())
    ctr = total / trials
    by_chance = releases * ctr * (1 - ctr)
    squares = sum(times**2 * listeners for times, listeners in clicked.items())
    spread = squares / members - (total / members) ** 2
    effective = trials / max(spread / by_chance, 1.0) if by_chance else float(trials)
    low, high = credible_interval(ctr * effective, effective)
    return Rate(round(ctr, 6), round(float(low), 3), round(float(high), 3))


def random_clusters(
    clicked: Mapping[int, int],
    listeners: int,
    members: int,
    releases: int,
    draws: int,
    rng: np.random.Generator,
) -> Chance:
    """Return the rates of random clusters of so many members, drawn from all listeners without replacement.

    How many of a random cluster clicked on how many of the releases is multivariate hypergeometric: these
    numbers are drawn, which is the same as drawing the listeners and counting, and needs none of them.

    Parameters
    ----------
    clicked
        Times -> listeners of all cohorts who clicked on so many of the releases.
    listeners
        Of all cohorts.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> random_clusters({1: 100}, listeners=1000, members=50, releases=1, draws=1000, rng=rng)
    Chance(random_ctr=0.1, random_low=0.02, random_high=0.2)
    """
    times = np.array([0, *clicked])
    counts = np.array([listeners - sum(clicked.values()), *clicked.values()])
    drawn = rng.multivariate_hypergeometric(counts, members, size=draws, method="marginals")
    rates = drawn @ times / max(members * releases, 1)
    low, high = np.quantile(rates, TAILS).round(6).tolist()
    mean = float(counts @ times) / max(listeners * releases, 1)
    return Chance(round(mean, 6), low, high)
