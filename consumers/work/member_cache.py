"""Tastes of cohorts' members, at hand for the next release.

To read 25,000 tastes takes Redis and us 150 ms; a release is to be answered in less.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.taste import unit
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners

__all__ = ["MemberCache", "Members"]

TOLERANCE = 0.05  # of a cohort's size: so many may have come or gone before it is read anew at once
TASTES_A_SECOND = 10_000  # read in the background


@dataclass(frozen=True, eq=False)
class Members:
    """The members of a cohort who have a taste.

    Attributes
    ----------
    users
        n listeners.
    tastes
        Shape (n, d), single precision, unit length.
    counted
        Members, those without a taste included, when they were read.
    read_at
        Seconds of the monotonic clock.
    """

    users: tuple[str, ...]
    tastes: npt.NDArray[np.float32]
    counted: int
    read_at: float


class MemberCache:
    """Holds the members of cohorts.

    What is handed out is as new as the cohort's size tells: someone who has just joined a large cohort may be
    missing for as long as a round through all cohorts takes, some ten seconds per 100,000 listeners.
    """

    def __init__(self, listeners: Listeners, cohorts: Cohorts) -> None:
        self._listeners = listeners
        self._cohorts = cohorts
        self.held: dict[str, Members] = {}

    async def members(self, sizes: dict[str, int], dims: int) -> dict[str, Members]:
        """Return the members of cohorts.

        Parameters
        ----------
        sizes
            Cohort -> how many members it has now.
        dims
            The dimensions of the live model.
        """
        stale = [cohort for cohort, size in sizes.items() if not self._serves(cohort, size, dims)]
        await self._read(stale, dims)
        return {cohort: self.held[cohort] for cohort in sizes}

    def _serves(self, cohort: str, size: int, dims: int) -> bool:
        held = self.held.get(cohort)
        if held is None or held.tastes.shape[1] != dims:
            return False
        return abs(held.counted - size) <= TOLERANCE * size

    async def _read(self, cohorts: list[str], dims: int) -> None:
        for cohort, everyone in (await self._cohorts.everyone(cohorts)).items():
            users, tastes = await self._listeners.tastes(everyone, dims)
            self.held[cohort] = Members(
                tuple(users), unit(tastes).astype(np.float32), len(everyone), time.monotonic()
            )

    async def keep(self, dims: int) -> None:
        """Read the cohort that was read longest ago anew, and rest for as long as that is worth."""
        sizes = await self._cohorts.sizes()
        for gone in self.held.keys() - sizes.keys():
            del self.held[gone]
        if not sizes:
            return
        oldest = min(sizes, key=lambda cohort: self.held[cohort].read_at if cohort in self.held else 0.0)
        await self._read([oldest], dims)
        await asyncio.sleep(self.held[oldest].counted / TASTES_A_SECOND)
