"""Nobody hears of a release under two ids."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import chain

import numpy as np

from models.names import hashes
from stream.stores.merged_lately import MergedLately

__all__ = ["ANOTHER_ID", "Persons"]

ANOTHER_ID = "told under another id"


class Persons:
    """Who is told of one release, as persons; ids that became part of a listener meanwhile included.

    Parameters
    ----------
    merged
        Read a moment ago; read once more before each look but the first.
    told
        Ids that are told already.
    """

    def __init__(self, merged: MergedLately, told: Collection[str] = ()) -> None:
        self._merged = merged
        self._told = [told]  # page by page: a set of a million names takes eight times as much
        self._joined: set[str] = set()  # those of them that are part of a listener
        self._known: set[str] = set()  # ids that are, as of the last look
        self._is_fresh = True

    async def doubles(self, users: Sequence[str]) -> list[bool]:
        """Say which ids are part of another listener, or of one who is told already."""
        if not self._is_fresh:
            await self._merged.refresh()
        self._is_fresh = False
        into = self._merged.into
        if new := [user for user in into if user not in self._known]:
            self._known.update(new)
            told_by_now = list(chain.from_iterable(self._told))
            is_told = np.isin(hashes(new), hashes(told_by_now))
            self._joined.update(user for user, one in zip(new, is_told.tolist(), strict=True) if one)
        if not into:
            return [False] * len(users)
        told = self._merged.persons(self._joined)
        return [user in into or user in told for user in users]

    def tell(self, users: Collection[str]) -> None:
        """Note who is told."""
        self._told.append(users)
        self._joined.update(self._known.intersection(users))
