"""Which rows a run has met, in eight bytes each."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Met"]

Hashes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Met:
    """A set of key hashes: sorted arrays, each more than twice as long as the next.

    A set of Python's takes some 90 bytes a row, which is 2 GB for the stages and weeks of a million
    listeners. Arrays are joined as a log-structured merge tree joins its levels (O'Neil et al., 1996), so
    that n rows take O(n log n) steps whatever pieces they come in.

    Examples
    --------
    >>> met = Met()
    >>> met.add(np.array([3, 1, 3])).tolist()
    [True, True, False]
    >>> met.add(np.array([2, 1])).tolist()
    [True, False]
    >>> met.all().tolist()
    [1, 2, 3]
    """

    def __init__(self) -> None:
        self._levels: list[Hashes] = []

    def add(self, keys: Hashes) -> Flags:
        """Take keys, shape (n,); return of each whether it is met for the first time."""
        first = np.zeros(len(keys), dtype=bool)
        first[np.unique(keys, return_index=True)[1]] = True
        for level in self._levels:
            at = np.minimum(np.searchsorted(level, keys), len(level) - 1)
            first &= level[at] != keys
        if first.any():
            self._levels.append(np.sort(keys[first]))
        while len(self._levels) > 1 and len(self._levels[-2]) <= 2 * len(self._levels[-1]):
            last = self._levels.pop()
            # Stable is a radix or merge sort here: it finds the two that are sorted already.
            self._levels[-1] = np.sort(np.concatenate([self._levels[-1], last]), kind="stable")
        return first

    def all(self) -> Hashes:
        """Return all keys that were met, sorted."""
        return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *self._levels]), kind="stable")
