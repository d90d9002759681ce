"""Nobody hears of a release under two ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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

    def __init__(self, merged: MergedLately, told: Iterable[str] = ()) -> None:
        self._merged = merged
        self._told = set(told)
        self._is_fresh = True

    async def doubles(self, users: Sequence[str]) -> list[bool]:
        """Say which ids are part of another listener, or of one who is told already."""
        if not self._is_fresh:
            await self._merged.refresh()
        self._is_fresh = False
        if not self._merged.into:
            return [False] * len(users)
        told = self._merged.persons(self._told)
        return [user in self._merged.into or user in told for user in users]

    def tell(self, users: Iterable[str]) -> None:
        """Note who is told."""
        self._told.update(users)
