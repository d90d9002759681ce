"""A simulated year of listeners whose truth is known: own rates, weeks, seasons, holidays, fading, leaving.

    from benchmarks.year import simulate
    year = simulate(listeners=3000, seed=1)
    for day in range(year.begin + 60, year.end):
        active = year.active(until=day)        # as the service keeps it: 60 days up to each one's latest

Nothing in it is tuned to a model: each listener has a rate of their own, which wanders; leaving, fading and
coming back are drawn day by day. `chance` is the truth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from models.traits.activity import DAY, DAYS, ActiveDays

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

BEGIN = 20_089  # 1 January 2025
YEAR = 365
HOLIDAYS = (0, 8), (105, 12), (215, 21), (355, 10)  # days of the year: first, how many
LEAVE = 1 / 330  # a day, of those who are there
FADE = 1 / 400  # a day, of those who do not fade
FADED = 1 / 15  # log-odds a day
BACK = 1 / 150  # a day, of those who have left
RECOVER = 1 / 120  # a day, of those who fade


@dataclass(frozen=True, eq=False)
class Year:
    """What listeners did, and how likely it was.

    Attributes
    ----------
    first
        Shape (n,), the day from which each is there (their first activity may be later).
    chance
        Shape (n, days), how likely each was to be active on a day, as they were that day.
    there
        Shape (n, days), whether they had come and not left.
    owner, days
        All that was done, as in `ActiveDays`.
    """

    begin: int
    first: Ints
    chance: npt.NDArray[np.float32]
    there: npt.NDArray[np.bool_]
    owner: Ints
    days: npt.NDArray[Any]

    @property
    def end(self) -> int:
        """The day after the last."""
        return self.begin + self.chance.shape[1]

    @property
    def listeners(self) -> int:
        """How many."""
        return len(self.first)

    def active(self, until: int, kept: int = DAYS) -> ActiveDays:
        """Return what is kept of what was done before a day: `kept` days up to each listener's latest."""
        before = self.days["day"] < until
        owner, days = self.owner[before], self.days[before]
        latest = np.zeros(self.listeners, dtype=np.int64)
        np.maximum.at(latest, owner, days["day"].astype(np.int64))
        near = days["day"] > latest[owner] - kept
        return ActiveDays(self.listeners, owner[near], days[near])

    def first_days(self, until: int) -> Ints:
        """Return the day of each listener's first activity before a day, -1 where there was none."""
        before = self.days["day"] < until
        first = np.full(self.listeners, until, dtype=np.int64)
        np.minimum.at(first, self.owner[before], self.days["day"][before].astype(np.int64))
        return np.where(first < until, first, -1)


def simulate(listeners: int = 3000, days: int = YEAR, seed: int = 0, begin: int = BEGIN) -> Year:
    """Simulate listeners for some days; a third are there at the beginning, others come all year."""
    random = np.random.default_rng(seed)
    arrives = np.where(random.random(listeners) < 1 / 3, 0, random.integers(0, days, listeners))
    chance, there = _chances(random, arrives, days)
    active = random.random(chance.shape) < chance
    active[np.arange(listeners), arrives] = True  # they come by doing something
    owner, at = np.nonzero(active)
    return Year(begin, begin + arrives, chance, there, owner, _records(random, owner, at + begin, listeners))


def _chances(
    random: np.random.Generator, arrives: Ints, days: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    number = len(arrives)
    level = logit(np.clip(random.beta(0.9, 2.0, number), 0.01, 0.97))
    weekend = random.normal(0.2, 0.7, number)
    season, phase = random.normal(0.25, 0.2, number), random.normal(0.0, 0.6, number)
    holiday = random.normal(-0.5, 0.9, number)
    wander, faded = np.zeros(number), np.zeros(number)
    fading, left = np.zeros(number, dtype=bool), np.zeros(number, dtype=bool)
    chance, there = np.zeros((number, days), dtype=np.float32), np.zeros((number, days), dtype=bool)
    for day in range(days):
        come = arrives <= day
        fading |= come & ~left & (random.random(number) < FADE)
        recovers = fading & (random.random(number) < RECOVER)
        fading[recovers] = False
        faded = np.where(fading, faded + FADED, np.maximum(faded - 2 * FADED, 0.0))
        left |= come & (random.random(number) < LEAVE * np.where(day - arrives < 28, 3.0, 1.0))
        back = left & (random.random(number) < BACK)
        left[back], faded[back], fading[back] = False, 0.0, False
        wander = 0.97 * wander + random.normal(0.0, 0.15, number)
        odds = level + wander - faded
        odds += weekend * (day % 7 in (3, 4))  # 1 January 2025 is a Wednesday
        odds += season * np.cos(2 * np.pi * day / YEAR + phase)
        if any(first <= day % YEAR < first + length for first, length in HOLIDAYS):
            odds += holiday
        there[:, day] = come & ~left
        chance[:, day] = np.where(there[:, day], expit(odds), 0.0)
    return chance, there


def _records(random: np.random.Generator, owner: Ints, day: Ints, listeners: int) -> npt.NDArray[Any]:
    usual = random.lognormal(1.8, 0.8, listeners)[owner]  # actions on an active day
    finishes = random.beta(4, 3, listeners)[owner]
    plays = 1 + random.poisson(usual * random.gamma(2.0, 0.5, len(owner)))
    made = np.zeros(len(owner), dtype=DAY)
    made["day"] = day
    made["complete"] = random.binomial(plays, finishes)
    made["skip"] = np.minimum(random.binomial(plays - made["complete"], 0.5), 255)
    made["play"] = plays - made["complete"] - made["skip"]
    made["like"] = np.minimum(random.poisson(0.05 * plays), 255)
    made["download"] = np.minimum(random.poisson(0.02 * plays), 255)
    made["search"] = np.minimum(random.poisson(0.1 * usual), 255)
    made["ms"] = 60_000 * plays + 140_000 * made["complete"].astype(np.int64)
    made["songs"] = np.minimum(np.ceil(0.7 * plays), 255)
    return made
