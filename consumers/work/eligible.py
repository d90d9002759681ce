"""Which candidates meet a release's conditions on traits, read as far down the ranking as it takes."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from consumers.work.draft import Candidates
from models.audience import best_rows
from models.traits.where import HOLDS, Where
from stream.stores.traits import Traits

__all__ = ["Eligible"]

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOT_READ = -2
AT_ONCE = 5000  # listeners


class Eligible:
    """Reads traits of candidates, of each once, and keeps which condition they do not meet.

    Redis is not asked of those who are held with these traits (`consumers.work.member_cache.Members.traits`),
    as candidates are for previews alone.

    Attributes
    ----------
    at_hand
        Whether all are.
    """

    def __init__(self, where: Where, traits: Traits, candidates: Candidates) -> None:
        self._where = where
        self._traits = traits
        self._candidates = candidates
        members = candidates.members
        self.at_hand = bool(members) and all(each.traits.keys() >= {*where.traits} for each in members)
        self._failing = np.full(len(candidates.scores), NOT_READ, dtype=np.int64)

    @cached_property
    def out(self) -> Flags:
        """Who of all candidates does not meet the conditions, shape (n,); only where all are `at_hand`."""
        self._failing[:] = np.concatenate([each.failing(self._where) for each in self._candidates.members])
        out: Flags = self._failing != HOLDS
        return out

    async def meet(self, rows: Ints) -> Flags:
        """Say which candidates meet all conditions, given by their rows."""
        if self.at_hand:
            return ~self.out[rows]
        unread = rows[self._failing[rows] == NOT_READ]
        for at in range(0, len(unread), AT_ONCE):
            some = unread[at : at + AT_ONCE]
            columns = await self._traits.columns(self._candidates.users_at(some), self._where.traits)
            self._failing[some] = self._where.failing(columns)
        meets: Flags = self._failing[rows] == HOLDS
        return meets

    async def best(self, ranks: npt.NDArray[np.floating[Any]], number: int) -> Ints:
        """Return the rows with the highest ranks, so many that `number` of them meet all conditions."""
        if self.at_hand:
            meeting = ranks[~self.out]
            if len(meeting) <= number:
                return np.arange(len(ranks))
            return np.flatnonzero(ranks >= -np.partition(-meeting, number - 1)[number - 1])
        wanted = number
        while True:
            rows = best_rows(ranks, wanted)
            if (await self.meet(rows)).sum() >= number or wanted >= len(ranks):
                return rows
            wanted *= 2

    async def failing(self, rows: Ints) -> dict[str, set[str]]:
        """Return who of some candidates does not meet the conditions, by the trait that they fail by."""
        out = rows[~await self.meet(rows)]
        found: dict[str, set[str]] = {}
        for row, user in zip(out.tolist(), self._candidates.users_at(out), strict=True):
            found.setdefault(self.reason(row), set()).add(user)
        return found

    def left_out(self, among: Flags) -> dict[str, int]:
        """Return how many of some candidates, shape (n,), are known to fail, by the trait that they fail by.

        Who fails several conditions counts for the first.
        """
        out = among & (self._failing >= 0)
        hashes = self._candidates.hashes_at(np.flatnonzero(out))
        _, first = np.unique(hashes, return_index=True)  # somebody may be there twice
        failing = self._failing[out][first]
        counts = np.bincount(failing, minlength=len(self._where.conditions)).tolist()
        return {trait: number for trait, number in zip(self._where.traits, counts, strict=True) if number}

    def reason(self, row: int) -> str:
        """Return the trait by which a candidate is known to fail; "" where none is."""
        failing = int(self._failing[row])
        return self._where.traits[failing] if failing >= 0 else ""
