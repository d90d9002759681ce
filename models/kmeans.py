"""River's incremental k-means with its centres in one matrix."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from river import cluster
from scipy.sparse import csr_matrix

__all__ = ["KMeans"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

CHUNK = 8192
HALVING = 10  # passes that a cluster is split by
SAME = 1e-9  # of the squared length: rows nearer than that differ by rounding only


class KMeans(cluster.KMeans):
    """Incremental k-means, River's rule on a matrix.

    The centre nearest to an observation moves towards it by `halflife` of the way. Fed one by one from the
    same centres, this gives River's centres to 1e-9; it differs where River's would be of no use on tastes:

    - centres start from data, by k-means++ on the first observations;
    - `predict_one` changes nothing, also when it meets a new feature;
    - `learn_many` and `predict_many` take a batch;
    - a centre that has lost its members is reborn, under a new id, where distortion is largest (`rebirth`);
    - where there are to be fewer, the two that are dispensed with most easily become one (`merge`).

    Parameters
    ----------
    n_clusters
        Maximum number of clusters.
    halflife
        Share of the way to an observation that the nearest centre moves, 0 to 1.
    mu, sigma
        Mean and deviation of the normal distribution from which centres start when `first` is 0, and from
        which the coordinates of a feature that appears later start.
    p
        Power of the Minkowski distance: 1 is Manhattan, 2 Euclidean.
    seed
        Random seed.
    first
        How many observations are gathered for the k-means++ start; until then everything is in cluster 0.
        0 starts from random centres, as River does.

    Attributes
    ----------
    ids : list of int
        Cluster numbers, a row of `matrix` each. A number is never used for another cluster again.
    features : list
        The feature that each column of `matrix` stands for.
    matrix : numpy.ndarray
        Shape (k, d), the centres.

    References
    ----------
    [^1]: Sculley, D., 2010. Web-scale k-means clustering. WWW.
    [^2]: Ward, J.H., 1963. Hierarchical grouping to optimize an objective function. JASA.
    [^3]: Arthur, D. and Vassilvitskii, S., 2007. k-means++: The advantages of careful seeding. SODA.

    Examples
    --------
    >>> X = [[1, 2], [1, 4], [1, 0], [-4, 2], [-4, 4], [-4, 0]]
    >>> model = KMeans(n_clusters=2, halflife=0.1, seed=42, first=6)
    >>> for x in X:
    ...     model.learn_one(dict(enumerate(x)))
    >>> model.predict_one({0: 0, 1: 0}) == model.predict_one({0: 2, 1: 2})
    True
    >>> model.predict_one({0: 0, 1: 0}) == model.predict_one({0: -4, 1: 0})
    False

    With random centres it is River's, to the bit of its own example.

    >>> model = KMeans(n_clusters=2, halflife=0.1, sigma=3, seed=42, first=0)
    >>> [model.learn_predict_one(dict(enumerate(x))) for x in X]
    [1, 1, 0, 1, 1, 0]
    """

    def __init__(
        self,
        n_clusters: int = 5,
        halflife: float = 0.5,
        mu: float = 0,
        sigma: float = 1,
        p: int = 2,
        seed: int | None = None,
        first: int = 100,
    ) -> None:
        super().__init__(n_clusters, halflife, mu, sigma, p, seed)
        self.first = first
        self.ids: list[int] = []
        self.next_id = 0
        self.features: list[Hashable] = []
        self.matrix: Floats = np.zeros((0, 0))
        self._waiting: list[dict[Hashable, float]] = []
        if first == 0:
            self._install(np.zeros((n_clusters, 0)))

    @property  # type: ignore[override]  # an attribute in River; here it is a view of the matrix
    def centers(self) -> dict[int, dict[Hashable, float]]:
        """The centres as River holds them: cluster -> feature -> coordinate. A copy, where read."""
        return {
            number: dict(zip(self.features, row, strict=True))
            for number, row in zip(self.ids, self.matrix.tolist(), strict=True)
        }

    @centers.setter
    def centers(self, centers: Mapping[int, Mapping[Hashable, float]]) -> None:
        # River's constructor hands over centres that have no coordinates yet: there is nothing to take.
        if not any(centers.values()):
            return
        features = sorted({name for center in centers.values() for name in center}, key=str)
        matrix = np.array([[center[name] for name in features] for center in centers.values()])
        self.resume(matrix, list(centers), max(centers) + 1)
        self.features = list(features)

    def learn_one(self, x: Mapping[Hashable, float]) -> None:
        """Move the centre nearest to `x` towards it."""
        self.learn_predict_one(x)

    def learn_predict_one(self, x: Mapping[Hashable, float]) -> int:
        """Learn `x` and return the cluster that it was nearest to before."""
        self._meet(x)
        if not self.ids:
            self._waiting.append(dict(x))
            if len(self._waiting) >= self.first:
                self._start()
            return 0
        row = self._nearest(x)
        columns, values = self._columns(x)
        self.matrix[row, columns] += self.halflife * (values - self.matrix[row, columns])
        return self.ids[row]

    def predict_one(self, x: Mapping[Hashable, float]) -> int:
        """Return the cluster nearest to `x`; 0 before the start. Changes nothing."""
        return self.ids[self._nearest(x)] if self.ids else 0

    def learn_many(self, X: npt.ArrayLike) -> None:
        """Learn from a batch, shape (n, d): columns stand for `features`, or 0 to d - 1 at first.

        Rows go to the centres as they were before the batch; a centre with m rows moves to its rows' mean
        by 1 - (1 - halflife)^m of the way, as far as m steps of `learn_one` take it, in no order.
        """
        rows = self._rows(X)
        if not self.ids:
            self._waiting.extend(dict(enumerate(row)) for row in rows.tolist())
            if len(self._waiting) >= self.first:
                self._start()
            return
        means, sizes = _means(rows, self._nearest_many(rows)[0], self.matrix)
        self.matrix += (1 - (1 - self.halflife) ** sizes)[:, None] * (means - self.matrix)

    def predict_many(self, X: npt.ArrayLike) -> Ints:
        """Return the nearest cluster of each row, shape (n,); zeros before the start. Changes nothing."""
        rows = np.asarray(X, dtype=np.float64)
        if not self.ids:
            return np.zeros(len(rows), dtype=np.int64)
        return np.array(self.ids, dtype=np.int64)[self._nearest_many(rows)[0]]

    def distortion(self, X: npt.ArrayLike) -> float:
        """Return the mean distance of rows, to the p-th power, from the nearest centre; NaN of no rows."""
        rows = np.asarray(X, dtype=np.float64)
        return float(self._nearest_many(rows)[1].mean()) if len(rows) and self.ids else math.nan

    def start(self, X: npt.ArrayLike, passes: int = 30, tries: int = 3) -> None:
        """Start over from data: the best of some k-means++ starts, each refined by `passes`. Ids are new."""
        rows = self._rows(X)
        best, least = np.zeros((0, rows.shape[1])), math.inf
        for _ in range(tries):
            self._install(_spread(rows, self.n_clusters, self._rng.randrange(2**32)))
            self.refine(rows, passes)
            distortion = float(self._nearest_many(rows)[1].sum())
            if distortion < least:
                best, least = self.matrix, distortion
            self.next_id -= len(self.ids)
        self._install(best)

    def resume(self, matrix: Floats, ids: Sequence[int], next_id: int) -> None:
        """Go on from centres (k, d) that had these ids; `next_id` is the first that was never used."""
        self.features = list(range(matrix.shape[1]))
        self.matrix, self.ids, self.next_id = matrix.copy(), list(ids), next_id
        self._waiting = []

    def refine(self, X: npt.ArrayLike, passes: int = 1, share: float = 1.0, until: float = 0.0) -> None:
        """Move every centre to the mean of its rows, or a share of the way there, `passes` times (Lloyd).

        A centre without rows stays. Stops when a pass has lessened the distortion by a share below `until`.
        """
        rows = self._rows(X)
        last = math.inf
        for _ in range(passes):
            nearest, distances = self._nearest_many(rows)
            distortion = float(distances.sum())
            if last - distortion < until * last and math.isfinite(last):
                break
            self.matrix = self.matrix + share * (_means(rows, nearest, self.matrix)[0] - self.matrix)
            last = distortion

    def rebirth(self, X: npt.ArrayLike, smallest: int = 1) -> dict[int, int]:
        """Replace centres that fewer than `smallest` rows are nearest to.

        For each the cluster with the largest distortion is split, by k-means with two centres on its own
        rows: the larger part keeps the id, the other gets a new one, and all other centres stay.
        Fewer centres than `n_clusters` are made up for in the same way. Where all rows are at their centres
        there is nothing to split: there are as many centres as there are distinct rows, and those without
        rows go.

        Returns
        -------
        New id -> id of the cluster it was split from.
        """
        rows = self._rows(X)
        parents: dict[int, int] = {}
        rng = np.random.default_rng(self._rng.randrange(2**32))
        for _ in range(2 * self.n_clusters):
            nearest, distortion = self._nearest_many(rows)
            sizes = np.bincount(nearest, minlength=len(self.ids))
            dead = int(sizes.argmin())
            alive = sizes[dead] >= smallest
            if alive and len(self.ids) >= min(self.n_clusters, len(rows)):
                break
            worst = int(np.bincount(nearest, weights=distortion, minlength=len(self.ids)).argmax())
            own = nearest == worst
            if distortion[own].sum() <= SAME * (rows[own] ** 2).sum():
                self._keep(sizes > 0)
                break
            larger, smaller = _halves(rows[own], self.matrix[worst], distortion[own], rng)
            self.matrix[worst] = larger
            parents[self.next_id] = self.ids[worst]
            if alive:
                self.matrix = np.vstack([self.matrix, smaller])
                self.ids.append(self.next_id)
            else:
                self.matrix[dead] = smaller
                gone = self.ids[dead]
                if gone in parents:  # it lived within this call only: what was split from it is its parent's
                    over = parents.pop(gone)
                    parents = {new: over if parent == gone else parent for new, parent in parents.items()}
                self.ids[dead] = self.next_id
            self.next_id += 1
        return parents

    def merge(self, X: npt.ArrayLike) -> dict[int, int]:
        """Join clusters until there are `n_clusters`: always the two whose joining costs least distortion.

        The one with more rows keeps its id, the new centre is the mean of both by their rows (Ward's rule).

        Returns
        -------
        Id that is gone -> id of the cluster it went into.
        """
        sizes = np.bincount(self._nearest_many(self._rows(X))[0], minlength=len(self.ids)).astype(np.float64)
        gone: dict[int, int] = {}
        if len(self.ids) <= self.n_clusters:
            return gone
        cost = np.array([self._joining(row, sizes) for row in range(len(self.ids))])
        while len(self.ids) > self.n_clusters:
            pair = np.unravel_index(cost.argmin(), cost.shape)
            kept, lost = sorted((int(row) for row in pair), key=lambda row: -sizes[row])
            share = sizes[lost] / max(sizes[kept] + sizes[lost], 1.0)
            self.matrix[kept] += share * (self.matrix[lost] - self.matrix[kept])
            gone = {old: self.ids[kept] if new == self.ids[lost] else new for old, new in gone.items()}
            gone[self.ids[lost]] = self.ids[kept]
            sizes[kept] += sizes[lost]
            cost[kept] = cost[:, kept] = self._joining(kept, sizes)
            cost = np.delete(np.delete(cost, lost, axis=0), lost, axis=1)
            sizes, self.matrix = np.delete(sizes, lost), np.delete(self.matrix, lost, axis=0)
            del self.ids[lost]
        return gone

    @classmethod
    def _unit_test_params(cls) -> Iterator[dict[str, Any]]:
        yield {"n_clusters": 5}
        yield {"n_clusters": 5, "first": 0}

    def _joining(self, row: int, sizes: Floats) -> Floats:
        """Return by how much joining a cluster with each other one adds to the distortion, shape (k,)."""
        apart = ((self.matrix - self.matrix[row]) ** 2).sum(axis=1)
        cost: Floats = sizes[row] * sizes / np.maximum(sizes[row] + sizes, 1.0) * apart
        cost[row] = np.inf
        return cost

    def _install(self, matrix: Floats) -> None:
        self.matrix = matrix
        self.ids = list(range(self.next_id, self.next_id + len(matrix)))
        self.next_id += len(matrix)

    def _keep(self, kept: npt.NDArray[np.bool_]) -> None:
        self.matrix = self.matrix[kept]
        self.ids = [number for number, stays in zip(self.ids, kept.tolist(), strict=True) if stays]

    def _start(self) -> None:
        rows = np.array([[x.get(name, 0.0) for name in self.features] for x in self._waiting])
        self._waiting = []
        self.start(rows)

    def _rows(self, X: npt.ArrayLike) -> Floats:
        rows = np.asarray(X, dtype=np.float64)
        if not self.features:
            self._meet(dict.fromkeys(range(rows.shape[1])))
        if rows.shape[1] != len(self.features):
            raise ValueError(
                f"rows have {rows.shape[1]} columns, but there are {len(self.features)} features"
            )
        return rows

    def _meet(self, x: Mapping[Hashable, Any]) -> None:
        # Sorted, so that the order of features in a mapping makes no difference to the random start.
        new: Sequence[Hashable] = sorted((name for name in x if name not in self.features), key=str)
        if new:
            start = [[self._rng.gauss(self.mu, self.sigma) for _ in new] for _ in self.ids]
            self.matrix = np.hstack([self.matrix, np.array(start).reshape(len(self.matrix), len(new))])
            self.features.extend(new)

    def _columns(self, x: Mapping[Hashable, float]) -> tuple[list[int], Floats]:
        known = [(column, x[name]) for column, name in enumerate(self.features) if name in x]
        return [column for column, _ in known], np.array([value for _, value in known], dtype=np.float64)

    def _nearest(self, x: Mapping[Hashable, float]) -> int:
        # A feature that is not known yet is equally far from all centres: it decides nothing.
        point = np.array([x.get(name, 0.0) for name in self.features])
        return int((np.abs(self.matrix - point) ** self.p).sum(axis=1).argmin())

    def _nearest_many(self, rows: Floats) -> tuple[Ints, Floats]:
        nearest, distances = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows))
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            if self.p == 2:  # noqa: PLR2004  # the square of a distance is the one that a product gives
                to = (self.matrix**2).sum(axis=1) - 2 * part @ self.matrix.T + (part**2).sum(axis=1)[:, None]
            else:
                to = (np.abs(part[:, None, :] - self.matrix) ** self.p).sum(axis=2)
            nearest[start : start + CHUNK] = to.argmin(axis=1)
            distances[start : start + CHUNK] = np.maximum(to.min(axis=1), 0.0)
        return nearest, distances


def _means(rows: Floats, nearest: Ints, centers: Floats) -> tuple[Floats, Ints]:
    sizes = np.bincount(nearest, minlength=len(centers))
    sums = csr_matrix((np.ones(len(rows)), (nearest, np.arange(len(rows)))), (len(centers), len(rows))) @ rows
    return np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centers), sizes


def _halves(
    rows: Floats, center: Floats, distortion: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Split one cluster's rows in two; return the centre of the larger part, then that of the smaller."""
    centers = np.array([center, rows[rng.choice(len(rows), p=distortion / distortion.sum())]])
    sizes = np.array([len(rows), 1])
    for _ in range(HALVING):
        first = ((rows - centers[0]) ** 2).sum(axis=1) <= ((rows - centers[1]) ** 2).sum(axis=1)
        centers, sizes = _means(rows, np.where(first, 0, 1), centers)
    larger = int(sizes.argmax())
    return centers[larger], centers[1 - larger]


def _spread(rows: Floats, n_clusters: int, seed: int) -> Floats:
    """k-means++: rows drawn one after another, each with the square of its distance to those drawn."""
    rng = np.random.default_rng(seed)
    centers = [rows[rng.integers(len(rows))]]
    distances = ((rows - centers[0]) ** 2).sum(axis=1)
    while len(centers) < n_clusters and distances.max() > SAME * (rows**2).sum(axis=1).max():
        centers.append(rows[rng.choice(len(rows), p=distances / distances.sum())])
        distances = np.minimum(distances, ((rows - centers[-1]) ** 2).sum(axis=1))
    return np.array(centers)
