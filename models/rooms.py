"""Room in a pool: columns that hold entries of many listeners, each listener's in one stretch."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Rooms"]

Ints = npt.NDArray[np.int64]


class Rooms:
    """Says where in a pool there is room. Rooms double, and are used again.

    Parameters
    ----------
    first
        Entries that the smallest room has.

    Attributes
    ----------
    end
        How many entries the pool has to have at least.

    Examples
    --------
    >>> rooms = Rooms(8)
    >>> rooms.take(3), rooms.take(20), rooms.end
    ((0, 8), (8, 32), 40)
    >>> rooms.give_back(0, 8)
    >>> rooms.take(5)
    (0, 8)
    """

    def __init__(self, first: int) -> None:
        self.end = 0
        self._first = first
        self._free: dict[int, list[int]] = {}

    def take(self, number: int) -> tuple[int, int]:
        """Return where there is room for so many entries, and for how many there is."""
        room = self._first
        while room < number:
            room *= 2
        if free := self._free.get(room):
            return free.pop(), room
        begin = self.end
        self.end += room
        return begin, room

    def pack(self, begin: Ints, room: Ints, count: Ints) -> tuple[Ints, Ints, Ints]:
        """Let the rooms that are taken follow one another without a gap.

        Parameters
        ----------
        begin, room, count
            Shape (n,): where each begins, how many entries it has, and how many of them hold something.

        Returns
        -------
        Where each begins now, shape (n,); and of all entries that hold something, where they were and where
        they are to be.
        """
        packed, ends = np.cumsum(room) - room, np.cumsum(count)
        within = np.arange(int(count.sum())) - np.repeat(ends - count, count)
        self.end, self._free = int(room.sum()), {}
        return packed, within + np.repeat(begin, count), within + np.repeat(packed, count)

    def give_back(self, begin: int, room: int) -> None:
        """Let a room be used again."""
        if room:
            self._free.setdefault(room, []).append(begin)
