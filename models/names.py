"""Names by number: arrays hold numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["UNUSED", "Names", "hashes", "marked", "text_bytes", "to_keep"]

Ints = npt.NDArray[np.int64]

UNUSED = 0.25
"""The share of names that nobody has any more from which on they are given up."""


def text_bytes(name: str) -> int:
    """Estimate the bytes that Python takes for a name."""
    return 49 + len(name) if name.isascii() else 74 + 2 * len(name)


def hashes(names: Collection[str]) -> Ints:
    """Return a number that stands for each name, in this process alone, shape (n,).

    NumPy compares numbers in one go, and without a look at each name in memory. Two names have the same
    number once in 10^19 times: among a million names that any two do is less likely than one in ten million.

    Examples
    --------
    >>> ana, bo, again = hashes(["ana", "bo", "ana"])
    >>> bool(ana == again), bool(ana == bo)
    (True, False)
    """
    return np.fromiter(map(hash, names), np.int64, len(names))


class Names:
    """Names by number: each gets the next number when it is first met.

    Examples
    --------
    >>> names = Names()
    >>> names.place("ana"), names.place("bo"), names.place("ana"), names.names
    (0, 1, 0, ['ana', 'bo'])
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names: list[str] = []
        self.index: dict[str, int] = {}
        self.nbytes = 0
        for name in names:
            self.place(name)

    def __len__(self) -> int:
        return len(self.names)

    def places(self, names: Sequence[str]) -> Ints:
        """Return the numbers of names."""
        found = list(map(self.index.get, names))
        if None in found:
            found = list(map(self.place, names))
        return np.array(found, dtype=np.int64)

    def place(self, name: str) -> int:
        """Return the number of a name."""
        place = self.index.get(name)
        if place is None:
            self.index[name] = place = len(self.names)
            self.names.append(name)
            self.nbytes += _bytes(name)
        return place

    def bytes_of(self, places: Ints) -> int:
        """Return how much of `nbytes` is of the names with these numbers."""
        return sum(_bytes(self.names[place]) for place in places.tolist())

    def bytes_after(self, kept: Ints | None) -> int:
        """Return what `nbytes` is when no more than the names with these numbers are kept; None: all."""
        return self.nbytes if kept is None else self.bytes_of(kept)

    def keep(self, places: Ints) -> None:
        """Hold no more than the names with these numbers, rising; each is numbered by its place there."""
        self.names = [self.names[place] for place in places.tolist()]
        self.index = dict(zip(self.names, range(len(self.names)), strict=True))
        self.nbytes = sum(map(_bytes, self.names))


def marked(number: int, *places: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Return which of so many names any of these places has, shape (number,); negative ones are of none.

    Examples
    --------
    >>> marked(4, np.array([2, -1]), np.array([0])).tolist()
    [True, False, True, False]
    """
    used = np.zeros(number, dtype=bool)
    for each in places:
        used[each[each >= 0]] = True
    return used


def to_keep(used: npt.NDArray[np.bool_]) -> Ints | None:
    """Return the numbers of names that are used, rising; None where a share below `UNUSED` of all are not.

    Examples
    --------
    >>> to_keep(np.array([True, False, False, True])).tolist(), to_keep(np.array([True, True]))
    ([0, 3], None)
    """
    kept = np.flatnonzero(used)
    return kept if len(kept) < (1 - UNUSED) * len(used) else None


def _bytes(name: str) -> int:
    return text_bytes(name) + 136  # with its number, its dictionary entry, its list's place
