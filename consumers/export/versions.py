"""Which version of each row was exported last."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["Versions"]

Hashes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


class Versions:
    """The latest version of each row of a table: 17 bytes a row in memory.

    Parameters
    ----------
    tables
        ``key_hash``, ``version``, ``gone`` and ``run`` of all files, in any order: erasure and compaction
        put rows of earlier runs behind later ones.

    Examples
    --------
    >>> def file(run, keys, versions):
    ...     same = {"gone": [False] * len(keys), "run": [run] * len(keys)}
    ...     return pa.table({"key_hash": keys, "version": versions, **same})
    >>> versions = Versions([file(2, [1], [11]), file(1, [1, 2], [10, 20])])
    >>> versions.changed(np.array([1, 1, 2, 3]), np.array([10, 11, 20, 30])).tolist()
    [True, False, False, True]
    """

    COLUMNS = ("key_hash", "version", "gone", "run")

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        parts = [[table[name].to_numpy() for name in self.COLUMNS] for table in tables]
        none = [np.zeros(0, dtype=kind) for kind in (np.int64, np.int64, bool, np.int32)]
        keys, versions, gone, runs = (np.concatenate(each) for each in zip(none, *parts, strict=True))
        order = np.lexsort((runs, keys))  # of one key the latest is last
        keys = keys[order]
        last = np.append(keys[1:] != keys[:-1], True) if len(keys) else np.zeros(0, dtype=bool)
        self._keys = keys[last]
        self._versions, self._gone = versions[order][last], gone[order][last]

    def changed(self, keys: Hashes, versions: Hashes) -> Flags:
        """Return for rows, shape (n,), whether they are another version than the last, or new."""
        at = np.searchsorted(self._keys, keys)
        inside = np.minimum(at, max(len(self._keys) - 1, 0))
        if not len(self._keys):
            return np.ones(len(keys), dtype=bool)
        changed: Flags = (self._keys[inside] != keys) | (self._versions[inside] != versions)
        return changed

    def alive_without(self, met: Hashes) -> Hashes:
        """Return the keys of rows that are not gone and not among those."""
        return np.setdiff1d(self._keys[~self._gone], met)
