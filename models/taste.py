"""A listener's taste: the sum of what their artists are like, each by the root of its affinity."""

from __future__ import annotations

import math
from typing import overload

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

__all__ = ["grown", "idf", "log_length", "root", "root_rows", "taste", "taste_sums", "unit", "unit_rows"]

Floats = npt.NDArray[np.float64]

LEAST_RARITY = 0.1


@overload
def root(stored: float) -> float: ...
@overload
def root(stored: Floats) -> Floats: ...
def root(stored: Floats | float) -> Floats | float:
    """Return sqrt(max(0, stored)).

    The square root commutes with forward decay, so tastes fade with their affinities and a click changes
    a taste by ``(root(new) - root(old)) * factors[artist]``, exactly. What skips have pushed below zero
    counts as nothing.

    Examples
    --------
    >>> root(np.array([4.0, -1.0, 0.0]))
    array([2., 0., 0.])
    """
    roots: Floats = np.sqrt(np.maximum(stored, 0.0))
    return roots if isinstance(stored, np.ndarray) else float(roots)


def idf(counts: Floats, n_rows: float) -> Floats:
    """Return how much an artist says about who plays it: log((1 + n) / (1 + listeners of the artist))^1.5.

    The power sets off what everyone plays a little more than the usual 1 does; it was measured.

    Parameters
    ----------
    counts
        Shape (A,), the number of listeners who play each artist.
    n_rows
        The number of listeners counted.

    Examples
    --------
    >>> idf(np.array([1.0, 50.0, 100.0]), n_rows=100).round(2)
    array([7.77, 0.56, 0.03])
    """
    rarity = np.log((1 + n_rows) / (1 + np.maximum(counts, 1.0)))
    # Not quite nothing: the first listeners of all may have every artist in common.
    weights: Floats = np.maximum(rarity, LEAST_RARITY) ** 1.5
    return weights


def unit(x: npt.ArrayLike) -> Floats:
    """Scale rows to unit length; zero rows stay zero. Rows of any size that a double holds are safe.

    Examples
    --------
    >>> unit([[3.0, 4.0], [0.0, 0.0], [3e200, 4e200]])
    array([[0.6, 0.8],
           [0. , 0. ],
           [0.6, 0.8]])
    """
    rows = np.asarray(x, dtype=np.float64)
    largest = np.abs(rows).max(axis=-1, keepdims=True, initial=0.0)
    rows = rows / np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: Floats = rows / np.where(length > 0, length, 1.0)
    return scaled


def log_length(x: npt.ArrayLike) -> Floats:
    """Return log2 of the length of each row, -inf for a row of zeros. Rows that a double holds are safe.

    Of a raw taste it says how active the listener is: it grows with the artists they play and with how often
    and how lately they play them.

    Examples
    --------
    >>> log_length([[0.0, 4.0], [3e200, 4e200], [0.0, 0.0]]).round(2)
    array([  2.  , 666.71,   -inf])
    """
    rows = np.asarray(x, dtype=np.float64)
    largest = np.abs(rows).max(axis=-1, initial=0.0)
    length = np.linalg.norm(rows / np.where(largest > 0, largest, 1.0)[..., None], axis=-1)
    with np.errstate(divide="ignore"):
        found: Floats = np.log2(largest) + np.log2(length)
    return found


def grown(since: float, now: float) -> float:
    """Return by how much `log_length` of a taste grows while its listener goes on as before.

    Stored affinities of such a listener double with every half-life, as one play's does; tastes are sums of
    their roots.

    Parameters
    ----------
    since, now
        The stored weight of one play at both times; 0 where one of these is not known.

    Examples
    --------
    >>> grown(2.0**70, 2.0**78), grown(0.0, 2.0**78)
    (4.0, 0.0)
    """
    return (math.log2(now) - math.log2(since)) / 2 if since > 0 and now > 0 else 0.0


def unit_rows(rows: csr_matrix) -> csr_matrix:
    """Scale the rows of a sparse matrix to unit length, as `unit` does."""
    data = np.asarray(rows.data, dtype=np.float64)
    per_row = np.diff(rows.indptr)
    starts = rows.indptr[:-1][per_row > 0]
    per_row = per_row[per_row > 0]
    if len(starts):
        largest = np.maximum.reduceat(np.abs(data), starts)
        data = data / np.repeat(np.where(largest > 0, largest, 1.0), per_row)
        length = np.sqrt(np.add.reduceat(data**2, starts))
        data = data / np.repeat(np.where(length > 0, length, 1.0), per_row)
    return csr_matrix((data, rows.indices, rows.indptr), shape=rows.shape)


def root_rows(rows: csr_matrix) -> csr_matrix:
    """Return the roots of stored affinities (n, A), at unit length: the same at all times."""
    return unit_rows(_roots(rows))


def taste(rows: csr_matrix, factors: npt.NDArray[np.floating]) -> Floats:
    """Sum up tastes, in the stored scale.

    Parameters
    ----------
    rows
        Shape (n, A), stored affinities of n listeners.
    factors
        Shape (A, d), an artist's vector times the root of its idf.

    Returns
    -------
    Raw sums, shape (n, d), in double precision: the stored scale doubles with every half-life.

    Examples
    --------
    >>> taste(csr_matrix([[4.0, 9.0]]), np.eye(2))
    array([[2., 3.]])
    """
    return taste_sums(rows.indices, _roots(rows).data, rows.indptr, factors)


def taste_sums(
    artists: npt.ArrayLike, roots: npt.ArrayLike, ends: npt.ArrayLike, factors: npt.NDArray[np.floating]
) -> Floats:
    """Sum factors over columns: row i is the sum of roots x factors over entries ends[i] to ends[i + 1].

    Parameters
    ----------
    artists
        Shape (m,), rows of `factors`.
    roots
        Shape (m,), by what each is multiplied: the root of an affinity, or the difference of two.
    ends
        Shape (n + 1,), 0 first and m last.
    factors
        Shape (A, d), an artist's vector times the root of its idf.

    Returns
    -------
    Shape (n, d), in double precision.

    Examples
    --------
    >>> taste_sums([0, 1, 1], [2.0, 3.0, 5.0], [0, 2, 2, 3], np.eye(2))
    array([[2., 3.],
           [0., 0.],
           [0., 5.]])
    """
    # Of a million artists' factors only those that are played are taken to double precision.
    used, local = np.unique(np.asarray(artists, dtype=np.int64), return_inverse=True)
    ends = np.asarray(ends)
    rows = csr_matrix((np.asarray(roots, dtype=np.float64), local, ends), shape=(len(ends) - 1, len(used)))
    return np.asarray(rows @ np.asarray(factors[used], dtype=np.float64))


def _roots(rows: csr_matrix) -> csr_matrix:
    data = root(np.asarray(rows.data, dtype=np.float64))
    return csr_matrix((data, rows.indices, rows.indptr), shape=rows.shape)
