"""Artist vectors for long tails, where the leading directions leave most listeners out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

__all__ = ["factorized", "share_seen"]

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

WEIGHT = 40.0  # of an artist that a listener plays and no other: as many times an artist that they do not
PENALTY = 0.05
STEPS = 3  # of conjugate gradients towards each solution
AT_ONCE = 500_000  # artists of listeners


def share_seen(rows: csr_matrix, vectors: npt.NDArray[np.floating]) -> float:
    """Return how much of a listener's row the vectors' directions hold, squared length, in the median.

    Parameters
    ----------
    rows
        Shape (n, A), of unit length.
    vectors
        Shape (A, d), columns orthonormal.

    Examples
    --------
    >>> round(share_seen(csr_matrix([[0.6, 0.8], [0.8, 0.6], [0.0, 1.0]]), np.array([[1.0], [0.0]])), 2)
    0.36
    """
    along = np.asarray(rows @ vectors)
    return float(np.median(np.einsum("ij,ij->i", along, along)))


def factorized(rows: csr_matrix, start: Singles, passes: int) -> Singles:
    """Return artist vectors that give each listener some place, by weighted least squares in turns.

    Minimises sum_ua c_ua (p_ua - x_u.y_a)^2 + PENALTY (sum_u |x_u|^2 + sum_a |y_a|^2) in turns over
    listeners' x and artists' y, p_ua being 1 where u plays a, else 0, and c_ua = 1 + WEIGHT r_ua. What is not
    played weighs little, so that scenes share directions, and none is left out; the leading directions of
    many scenes of like size are those of some of them.

    Parameters
    ----------
    rows
        Shape (n, A), r, of unit length.
    start
        Shape (A, d), the y to go on from.
    passes
        How often both are solved for.

    Returns
    -------
    Shape (A, d), columns orthonormal: a basis of what y spans, the one nearest to y. Zeros for artists whom
    nobody plays.

    References
    ----------
    [^1]: Hu, Y., Koren, Y. and Volinsky, C., 2008. Collaborative filtering for implicit feedback datasets.
          ICDM.
    [^2]: Takács, G., Pilászy, I. and Tikk, D., 2011. Applications of the conjugate gradient method for
          implicit feedback collaborative filtering. RecSys.

    Examples
    --------
    Three scenes of two artists each, and two directions: each scene has a place.

    >>> rows = csr_matrix(np.kron(np.eye(3), [[0.6, 0.8], [0.8, 0.6]] * 10))
    >>> start = np.random.default_rng(0).normal(size=(6, 2)).astype("f4")
    >>> vectors = factorized(rows, start, passes=20)
    >>> bool(np.linalg.norm(vectors, axis=1).min() > 0.3), (vectors.T @ vectors).round(3).tolist()
    (True, [[1.0, 0.0], [0.0, 1.0]])
    """
    by_listener = rows.astype(np.float32) * np.float32(WEIGHT)
    by_artist = by_listener.T.tocsr()
    artists, listeners = start, np.zeros((rows.shape[0], start.shape[1]), dtype=np.float32)
    for _ in range(passes):
        listeners = _solved(by_listener, artists, listeners)
        artists = _solved(by_artist, listeners, artists)
    artists[np.diff(by_artist.indptr) == 0] = 0.0
    # Symmetric orthonormalisation: of all bases the nearest.
    values, axes = np.linalg.eigh(artists.astype(np.float64).T @ artists.astype(np.float64))
    values = np.maximum(values, max(values[-1], 1e-30) * 1e-12)
    basis: Singles = (artists @ ((axes / np.sqrt(values)) @ axes.T)).astype(np.float32)
    return basis


def _solved(weights: csr_matrix, fixed: Singles, start: Singles) -> Singles:
    """Take steps towards what minimises the sum for each row, shape (n, d), `fixed` being the other side."""
    gram = (fixed.T @ fixed + PENALTY * np.eye(fixed.shape[1])).astype(np.float32)
    wanted = csr_matrix((weights.data + 1, weights.indices, weights.indptr), weights.shape) @ fixed
    found = start.copy()
    left = wanted - found @ gram - _weighted(weights, found, fixed)
    along, size = left.copy(), _squares(left)
    for _ in range(STEPS):
        pushed = along @ gram + _weighted(weights, along, fixed)
        step = size / np.maximum(np.einsum("ij,ij->i", along, pushed), 1e-30)
        found += step[:, None] * along
        left -= step[:, None] * pushed
        before, size = size, _squares(left)
        along = left + (size / np.maximum(before, 1e-30))[:, None] * along
    return found


def _weighted(weights: csr_matrix, some: Singles, fixed: Singles) -> Singles:
    """Return for each row u the sum over a of w_ua (some_u . fixed_a) fixed_a."""
    added = np.empty_like(some)
    for rows in _blocks(weights.indptr):
        part = weights[rows]
        of = np.repeat(np.arange(rows.start, rows.stop), np.diff(part.indptr))
        part.data *= np.einsum("ij,ij->i", some[of], fixed[part.indices])
        added[rows] = part @ fixed
    return added


def _blocks(ends: npt.NDArray[np.integer]) -> Iterator[slice]:
    """Cut rows into blocks of about `AT_ONCE` entries each."""
    number = ends[1:] // AT_ONCE
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(number)]
    return (slice(first, last) for first, last in itertools.pairwise(edges) if first < last)


def _squares(rows: Singles) -> Singles:
    squares: Singles = np.einsum("ij,ij->i", rows, rows)
    return squares
