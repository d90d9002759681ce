"""What audiences are measured against: who is most active, and recommenders that see all plays at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from river import cluster
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from models.kmeans import KMeans
from models.quality.evaluation import Holdout, holdout, lift
from models.taste import idf, root, unit, unit_rows

__all__ = [
    "artist_weights",
    "binary_rows",
    "by_cohort",
    "ease",
    "item_knn",
    "k_means",
    "most_heard",
    "random_projection",
    "river_k_means",
    "tuned",
    "weighted_rows",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

AT_ONCE = 64  # artists
VALIDATED = 100  # artists


def artist_weights(known: csr_matrix) -> Floats:
    """Return sqrt(idf) of each artist, shape (A,), by who is known to play it.

    Examples
    --------
    >>> artist_weights(csr_matrix([[1.0, 1.0]] + [[1.0, 0.0]] * 8)).round(2)
    array([0.18, 1.43])
    """
    counts = np.bincount(known.indices, minlength=known.shape[1]).astype(np.float64)
    weights: Floats = np.sqrt(idf(counts, known.shape[0]))
    return weights


def weighted_rows(known: csr_matrix, weights: Floats | None = None) -> csr_matrix:
    """Return listeners as baselines that go by tastes see them, shape (n, A).

    Unit rows of sqrt(plays) x sqrt(idf): the weighting that Refrain's own tastes have.

    Parameters
    ----------
    weights
        Shape (A,), those of the artists, where they are of other listeners; else `artist_weights` of these.

    Examples
    --------
    >>> weighted_rows(csr_matrix([[4.0, 0.0], [0.0, 1.0]])).toarray()
    array([[1., 0.],
           [0., 1.]])
    """
    weights = artist_weights(known) if weights is None else weights
    data = root(np.asarray(known.data, dtype=np.float64)) * weights[known.indices]
    return unit_rows(csr_matrix((data, known.indices, known.indptr), shape=known.shape))


def most_heard(split: Holdout, most: int) -> Ints:
    """Return the columns of the `most` artists with the most listeners, and of those that are asked about."""
    heard = np.bincount(split.known.indices, minlength=split.known.shape[1])
    return np.union1d(np.argsort(-heard, kind="stable")[:most], split.artists)


def binary_rows(known: csr_matrix) -> csr_matrix:
    """Return 1 where a listener plays an artist, shape (n, A)."""
    return csr_matrix((np.ones(known.nnz), known.indices, known.indptr), shape=known.shape)


def ease(split: Holdout, most: int = 3000, penalty: float = 200.0) -> Iterator[Floats]:
    """Score every listener for each artist asked about by EASE: linear regression of artists on artists.

    Memory and time go with the square and the cube of the artists taken, hence `most`.

    Parameters
    ----------
    most
        Artists taken, the most heard.
    penalty
        Of the squared weights.

    References
    ----------
    [^1]: Steck, H., 2019. Embarrassingly shallow autoencoders for sparse data. WWW.

    Examples
    --------
    >>> known = csr_matrix([[1.0, 1.0, 0.0]] * 5 + [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> [scores] = ease(Holdout(known, known, np.array([1])))
    >>> bool(scores[5] > scores[6])
    True
    """
    columns = most_heard(split, most)
    rows = binary_rows(split.known)[:, columns]
    gram = (rows.T @ rows).toarray()
    gram[np.diag_indices_from(gram)] += penalty
    factor = cho_factor(gram, overwrite_a=True)
    asked = np.searchsorted(columns, split.artists)
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        units = np.zeros((len(columns), len(some)))
        units[some, np.arange(len(some))] = 1.0
        inverse = cho_solve(factor, units, overwrite_b=True)
        weights = -inverse / inverse[some, np.arange(len(some))]
        weights[some, np.arange(len(some))] = 0.0
        yield from np.asarray(rows @ weights).T


def item_knn(split: Holdout, neighbours: int = 50) -> Iterator[Floats]:
    """Score every listener for each artist asked about by how like it the artists are that they play.

    The sum of the cosines of who plays what, over the artist's `neighbours` nearest artists.

    References
    ----------
    [^1]: Deshpande, M. and Karypis, G., 2004. Item-based top-N recommendation algorithms. TOIS.

    Examples
    --------
    >>> known = csr_matrix([[1.0, 1.0, 0.0]] * 5 + [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    >>> [scores] = item_knn(Holdout(known, known, np.array([1])))
    >>> bool(scores[5] > scores[6])
    True
    """
    rows = binary_rows(split.known)
    lengths = np.sqrt(np.bincount(rows.indices, minlength=rows.shape[1]))
    known = split.by_artist[0]
    for artist in split.artists:
        fans = known.indices[known.indptr[artist] : known.indptr[artist + 1]]
        alike = np.asarray(rows[fans].sum(axis=0)).ravel() / np.maximum(lengths * lengths[artist], 1e-12)
        alike[artist] = 0.0
        if neighbours < len(alike):
            alike[np.argpartition(-alike, neighbours)[neighbours:]] = 0.0
        yield np.asarray(rows @ alike)


def tuned(
    split: Holdout, variants: Mapping[str, Callable[[Holdout], Iterable[Floats]]], seed: int = 0
) -> str:
    """Return which variant is best on pairs held out from what may be known: lift at 5 %.

    Artists asked about there are at most `VALIDATED`, drawn at random.
    """
    part = holdout(split.known, seed=seed)
    if not len(part.artists):
        return next(iter(variants))
    few = min(VALIDATED, len(part.artists))
    asked = np.sort(np.random.default_rng(seed).choice(part.artists, few, replace=False))
    part = Holdout(part.known, part.held, asked)
    lifts = {name: lift(part, scores(part)).value for name, scores in variants.items()}
    return max(lifts, key=lambda name: lifts[name])


def by_cohort(points: Floats | csr_matrix, cohorts: Ints, split: Holdout) -> Iterator[Floats]:
    """Score listeners by how near their cohort's centre is to the centre of the artist's known listeners.

    Parameters
    ----------
    points
        Shape (n, d), unit rows in the space in which the cohorts were found.
    cohorts
        Shape (n,), cohort numbers from 0.
    """
    n = len(cohorts)
    members = csr_matrix((np.ones(n), (cohorts, np.arange(n))))
    centers = unit(_dense(members @ points) / np.maximum(np.asarray(members.sum(axis=1)), 1.0))
    known = split.by_artist[0]
    for artist in split.artists:
        fans = known.indices[known.indptr[artist] : known.indptr[artist + 1]]
        yield (centers @ unit(np.asarray(points[fans].mean(axis=0)).ravel()))[cohorts]


def k_means(points: Floats, n_cohorts: int, seed: int = 0) -> Ints:
    """Return the cohorts of points (n, d) by batch k-means: the best of three k-means++ starts."""
    kmeans = KMeans(n_cohorts, seed=seed)
    kmeans.start(points)
    return kmeans.predict_many(points)


def random_projection(rows: csr_matrix, n_dims: int = 64, seed: int = 0) -> Floats:
    """Return unit rows projected at random, shape (n, d), at unit length.

    References
    ----------
    [^1]: Achlioptas, D., 2003. Database-friendly random projections. JCSS.
    """
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(rows.shape[1], n_dims))
    return unit(rows @ signs)


def river_k_means(
    points: Floats, n_cohorts: int, seed: int = 0, watch: Callable[[int], object] = lambda done: None
) -> Ints:
    """Return the cohorts of points (n, d) by River's own KMeans, fed once, one by one, as from a stream."""
    kmeans: Any = cluster.KMeans(n_clusters=n_cohorts, halflife=0.05, sigma=0.1, seed=seed)
    cohorts = np.zeros(len(points), dtype=np.int64)
    for learning in (True, False):
        for row, point in enumerate(points.tolist()):
            x = dict(enumerate(point))
            if learning:
                kmeans.learn_one(x)
            else:
                cohorts[row] = kmeans.predict_one(x)
            watch(row)
    return cohorts


def _dense(rows: Floats | csr_matrix) -> Floats:
    return np.asarray(rows.toarray() if isinstance(rows, csr_matrix) else rows)
