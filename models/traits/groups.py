"""Groups of listeners by their activity pattern: the shape of their weekly counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.kmeans import KMeans

__all__ = ["Group", "Groups", "pattern"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LIGHT = 20.0  # actions a week: twice as many of few differ more than twice as many of many


@dataclass(frozen=True)
class Group:
    """A group: its listeners, their mean weekly counts (the oldest week first), who did nothing a week on."""

    listeners: int
    weekly: tuple[float, ...]
    zero_week: float | None


def pattern(weekly: Floats) -> Floats:
    """Return what listeners are grouped by, of their weekly counts, shape (n, w) both.

    log(1 + count), so that 5-5-5-5-5 and 0-0-1-1-1 are far apart, and 50-50-50 and 60-60-60 are not.
    """
    return np.asarray(np.log1p(weekly) / np.log1p(LIGHT), dtype=np.float64)


class Groups:
    """Groups listeners by k-means (`models.kmeans.KMeans`) on `pattern`.

    Parameters
    ----------
    number
        How many groups, at most.
    seed
        Of the k-means++ start.

    Examples
    --------
    >>> weekly = np.array([[5.0, 5, 5, 5, 5]] * 9 + [[0.0, 0, 1, 1, 1]] * 9)
    >>> groups = Groups(2).fit(weekly)
    >>> [group.weekly for group in groups.describe(weekly)]
    [(5.0, 5.0, 5.0, 5.0, 5.0), (1.0, 1.0, 1.0, 0.0, 0.0)]
    """

    def __init__(self, number: int = 6, seed: int = 1) -> None:
        self._kmeans = KMeans(number, seed=seed)

    def fit(self, weekly: Floats) -> Groups:
        """Find the groups of weekly counts, shape (n, w), the latest week first."""
        rows = pattern(weekly)
        self._kmeans.n_clusters = min(self._kmeans.n_clusters, len(np.unique(rows, axis=0)))
        self._kmeans.start(rows)
        return self

    def of(self, weekly: Floats) -> Ints:
        """Return the group of each, shape (n,), 0 for the most active group."""
        rank = {number: at for at, number in enumerate(self._order())}
        return np.array([rank[number] for number in self._kmeans.predict_many(pattern(weekly)).tolist()])

    def describe(self, weekly: Floats, zero: npt.NDArray[np.bool_] | None = None) -> list[Group]:
        """Return the groups, the most active first.

        Parameters
        ----------
        zero
            Shape (n,), who did nothing in the week after; None: that is not known.
        """
        of = self.of(weekly)
        found = []
        for at in range(len(self._kmeans.ids)):
            here = of == at
            if here.any():
                means = tuple(np.round(weekly[here].mean(axis=0)[::-1], 2).tolist())
                share = None if zero is None else float(zero[here].mean())
                found.append(Group(int(here.sum()), means, share))
        return found

    def _order(self) -> list[int]:
        heights = self._kmeans.matrix.sum(axis=1)
        return [self._kmeans.ids[row] for row in np.argsort(-heights, kind="stable").tolist()]
