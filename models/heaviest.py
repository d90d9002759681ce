"""The heaviest entries of sparse rows, and rows cut into blocks of as much work each."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

__all__ = ["blocks", "keep_heaviest"]


def blocks(work: npt.NDArray[np.float64], at_once: int) -> list[slice]:
    """Cut rows into stretches of about `at_once` pairs each, given how many each row, shape (n,), takes.

    Examples
    --------
    >>> blocks(np.array([1.0, 1.0, 3.0, 1.0]), at_once=3)
    [slice(0, 2, None), slice(2, 3, None), slice(3, 4, None)]
    """
    number = np.floor(np.cumsum(work) / at_once).astype(np.int64)
    edges = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(number)]
    return [slice(first, last) for first, last in itertools.pairwise(edges) if first < last]


def keep_heaviest(rows: csr_matrix, number: int) -> csr_matrix:
    """Keep the `number` largest entries of each row, and none at 0; changes `rows`, and returns it.

    Examples
    --------
    >>> keep_heaviest(csr_matrix([[3.0, 1.0, 2.0]]), 2).toarray().tolist()
    [[3.0, 0.0, 2.0]]
    """
    for row in np.flatnonzero(np.diff(rows.indptr) > number).tolist():
        part = rows.data[rows.indptr[row] : rows.indptr[row + 1]]
        part[np.argpartition(-part, number)[number:]] = 0.0
    rows.eliminate_zeros()
    return rows
