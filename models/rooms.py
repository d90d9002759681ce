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
    >>> begin, room = rooms.take(np.array([3, 20]))
    >>> begin.tolist(), room.tolist(), rooms.end
    ([0, 8], [8, 32], 40)
    >>> rooms.give_back(begin[:1], room[:1])
    >>> begin, room = rooms.take(np.array([5, 5]))
    >>> begin.tolist(), room.tolist(), rooms.end
    ([0, 40], [8, 8], 48)
    """

    def __init__(self, first: int) -> None:
        self.end = 0
        self._first = first
        self._free: dict[int, list[int]] = {}

    def take(self, numbers: Ints) -> tuple[Ints, Ints]:
        """Return where there is room for so many entries each, and for how many there is; shape (n,)."""
        room = np.full(len(numbers), self._first, dtype=np.int64)
        while (small := room < numbers).any():
            room[small] *= 2
        begin = np.zeros(len(numbers), dtype=np.int64)
        for size in np.unique(room).tolist():
            wanted = np.flatnonzero(room == size)
            free = self._free.get(size, [])
            used = min(len(free), len(wanted))
            again = len(free) - used
            begin[wanted[:used]], free[again:] = free[again:], []
            more = len(wanted) - used
            begin[wanted[used:]] = self.end + size * np.arange(more)
            self.end += size * more
        return begin, room

    def give_back(self, begin: Ints, room: Ints) -> None:
        """Let rooms be used again."""
        for size in np.unique(room[room > 0]).tolist():
            self._free.setdefault(size, []).extend(begin[room == size].tolist())

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

    def move(self, begin: Ints, room: Ints, count: Ints, numbers: Ints) -> tuple[Ints, Ints, Ints, Ints]:
        """Give rooms for more entries, and take back those that these entries were in.

        Parameters
        ----------
        begin, room, count
            Shape (n,): where each room begins, how many entries it has, and how many of them hold something.
        numbers
            Shape (n,): for how many entries there is to be room.

        Returns
        -------
        Where each begins now, and for how many entries there is room, shape (n,); and of all entries that
        hold something, where they were and where they are to be.
        """
        began, rooms = self.take(numbers)
        self.give_back(begin, room)
        within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
        return began, rooms, within + np.repeat(begin, count), within + np.repeat(began, count)
