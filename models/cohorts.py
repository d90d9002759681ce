"""Cohorts: who moves when, what sets a cohort apart, and what it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

__all__ = ["labels", "settle", "standing_out"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def settle(similarity: Floats, current: Ints, margin: float) -> Ints:
    """Assign listeners to cohorts; a member moves only when another cohort is nearer by a margin.

    Parameters
    ----------
    similarity
        Shape (n, k), larger is nearer (`Model.similarity`).
    current
        Shape (n,), the cohort each listener is in, -1 for none.
    margin
        By how much another cohort must be nearer, in the unit of `similarity`.

    Examples
    --------
    >>> near = np.array([[0.50, 0.51], [0.50, 0.60], [0.50, 0.51]])
    >>> settle(near, current=np.array([0, 0, -1]), margin=0.05)
    array([0, 1, 1])
    """
    best = similarity.argmax(axis=1)
    rows = np.arange(len(similarity))
    gain = similarity[rows, best] - similarity[rows, current]
    settled: Ints = np.where((current < 0) | (gain > margin), best, current)
    return settled


def standing_out(
    holders: csr_matrix, sizes: Floats, counts: Floats, n_rows: float, prior: float = 5.0
) -> csr_matrix:
    """Return how many times more often than everyone a cohort's members play an artist.

    The ratio of listeners found to listeners expected is shrunk to 1 by `prior` listeners on either side,
    so that one member's oddity, expected nowhere, does not stand above what half of the cohort has in common.

    Parameters
    ----------
    holders
        Shape (k, A), how many members of each cohort play each artist.
    sizes
        Shape (k,), members.
    counts
        Shape (A,), how many of all `n_rows` listeners play each artist.

    Returns
    -------
    Shape (k, A), as sparse as `holders`.

    References
    ----------
    [^1]: DuMouchel, W., 1999. Bayesian data mining in large frequency tables. The American Statistician.

    Examples
    --------
    >>> holders = csr_matrix([[8.0, 1.0], [2.0, 0.0]])
    >>> standing_out(holders, np.array([10.0, 40.0]), np.array([10.0, 1.0]), 50.0).toarray().round(2)
    array([[1.86, 1.15],
           [0.54, 0.  ]])
    """
    owner = np.repeat(np.arange(holders.shape[0]), np.diff(holders.indptr))
    expected = sizes[owner] * counts[holders.indices] / max(n_rows, 1.0)
    ratio = (holders.data + prior) / (expected + prior)
    return csr_matrix((ratio, holders.indices, holders.indptr), shape=holders.shape)


def labels(
    tops: Sequence[Mapping[str, float]], cohort_ids: Sequence[str], n_names: int = 3
) -> tuple[str, ...]:
    """Name cohorts by the artists that set them apart, no two alike.

    An artist stands in the name of the one cohort that it sets apart most.

    Parameters
    ----------
    tops
        For each cohort, the names of artists and how much each sets it apart.
    cohort_ids
        What a cohort without artists is called by.
    n_names
        How many artists make a name.

    Examples
    --------
    >>> labels([{"Raftaar": 9.0, "Badshah": 8.0}, {"Badshah": 3.0, "Slayer": 2.0}, {}], ["c1", "c2", "c5"])
    ('Raftaar, Badshah', 'Slayer', 'Cohort c5')
    """
    names: list[list[str]] = [[] for _ in tops]
    taken: set[str] = set()
    order = sorted(
        ((score, name, cohort) for cohort, top in enumerate(tops) for name, score in top.items()),
        key=lambda entry: (-entry[0], entry[1], entry[2]),
    )
    for _, name, cohort in order:
        if name not in taken and len(names[cohort]) < n_names:
            names[cohort].append(name)
            taken.add(name)
    return tuple(
        ", ".join(found) or f"Cohort {cohort}" for found, cohort in zip(names, cohort_ids, strict=True)
    )
