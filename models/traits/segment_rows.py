"""What a segment is predicted from: listeners as sparse rows, in groups of columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack

from models.model import Model
from models.taste import idf, log_length, root, unit, unit_rows

__all__ = ["HASHED", "Known", "artist_column", "groups", "segment_rows"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HASHED = 1 << 15
"""Columns of artists. Some share one; the sign, hashed as well, makes what they share cancel on average."""

ACTIVITY = 0.2
COHORT = 0.3
DISTANCES = 1.0
SHARES = 0.5
"""Lengths of groups of columns beside those of artists and taste, which have length 1: how much each may say
before there are labels that bear it out."""

CENTRED = 1.0  # about the distance of a unit taste from a centre


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of n listeners.

    Attributes
    ----------
    affinities
        For each their artists and stored weights, the strongest first.
    tastes
        Shape (n, d), raw; zeros for who has none.
    cohorts
        Shape (n,), rows of the model; -1 for none.
    shares
        Name of a distribution ("hour", "weekday", "city", "genre") -> shape (n, s): how much of what each did
        falls where; rows add up to 1, or to 0 where nothing is known.
    """

    affinities: Sequence[tuple[Sequence[str], Sequence[float]]]
    tastes: Floats
    cohorts: Ints
    shares: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.affinities)

    def some(self, rows: Ints) -> Known:
        """Return what is known of some of them."""
        affinities = [self.affinities[row] for row in rows.tolist()]
        shares = {name: each[rows] for name, each in self.shares.items()}
        return Known(affinities, self.tastes[rows], self.cohorts[rows], shares)


@lru_cache(maxsize=1 << 17)
def artist_column(artist: str) -> tuple[int, float]:
    """Return the column of an artist, and the sign it has there.

    References
    ----------
    [^1]: Weinberger, K. et al., 2009. Feature hashing for large scale multitask learning. ICML.

    Examples
    --------
    >>> artist_column("ana") == artist_column("ana"), 0 <= artist_column("bo")[0] < HASHED
    (True, True)
    """
    number = int.from_bytes(blake2b(artist.encode(), digest_size=8).digest())
    return (number >> 1) % HASHED, 1.0 if number & 1 else -1.0


def groups(
    n_dims: int, n_cohorts: int, shares: Mapping[str, int], *, clusters: bool = True
) -> dict[str, slice]:
    """Return which columns of `segment_rows` say what.

    Parameters
    ----------
    shares
        Name of a distribution -> its columns.
    clusters
        Whether the cohort and the distances to all centres are among them.

    Examples
    --------
    >>> groups(64, 48, {"hour": 24})["hour"].stop - HASHED
    185
    """
    k = n_cohorts if clusters else 0
    widths = {"artists": HASHED, "taste": n_dims, "activity": 1, "cohort": k, "distances": k, **shares}
    ends = np.cumsum(list(widths.values())).tolist()
    return {
        name: slice(end - width, end)
        for (name, width), end in zip(widths.items(), ends, strict=True)
        if width
    }


def segment_rows(known: Known, model: Model, *, clusters: bool = True) -> csr_matrix:
    """Return listeners as rows, shape (n, D), in the columns of `groups`.

    Artists: the root of each affinity times the root of the artist's idf, hashed, at unit length. Taste: the
    unit taste. Activity: how much more active than the usual listener, in doublings, at most 4. Cohort: one
    of k; distances: of the unit taste to all k centres. Distributions: roots of shares, whose inner product
    is the Bhattacharyya coefficient. A listener of whom nothing is known is a row of zeros.

    Examples
    --------
    >>> from models.model import Model
    >>> model = Model(
    ...     version=1, created_at=0.0, clicks=9, listeners=3, artists=("ana", "bo"),
    ...     vectors=np.eye(2, dtype="f4"), spread=np.eye(2) / 2, counts=np.array([2.0, 1.0]), n_rows=3.0,
    ...     centers=np.eye(2), cohort_ids=("c1", "c2"), next_cohort=3, sizes=np.array([2, 1]),
    ...     holders=csr_matrix(np.diag([2.0, 1.0])), labels=("Ana", "Bo"), born=np.zeros(2), strength=1.0,
    ... )
    >>> known = Known([(["ana"], [4.0]), ([], [])], np.array([[2.0, 0.0], [0.0, 0.0]]), np.array([0, -1]))
    >>> rows = segment_rows(known, model)
    >>> rows[:, groups(2, 2, {})["cohort"]].toarray()
    array([[0.3, 0. ],
           [0. , 0. ]])
    >>> rows[1].nnz
    0
    """
    there = np.linalg.norm(known.tastes, axis=1) > 0
    parts = [_artists(known, model), csr_matrix(unit(known.tastes)), csr_matrix(_activity(known, model))]
    if clusters:
        parts += [_cohorts(known, len(model.cohort_ids)), csr_matrix(_distances(known, model, there))]
    parts += [csr_matrix(SHARES * np.sqrt(np.maximum(each, 0.0))) for each in known.shares.values()]
    rows: csr_matrix = hstack(parts, format="csr")
    return rows


def _artists(known: Known, model: Model) -> csr_matrix:
    ends = np.cumsum([0, *(len(artists) for artists, _ in known.affinities)])
    names = [artist for artists, _ in known.affinities for artist in artists]
    weights = np.array([weight for _, own in known.affinities for weight in own], dtype=np.float64)
    places = np.array([artist_column(name) for name in names]).reshape(-1, 2)
    found = np.array([model.index.get(name, -1) for name in names], dtype=np.int64)
    # One that the model has not heard of yet is as rare as can be.
    counts = np.where(found >= 0, model.counts[found] if len(model.counts) else 0.0, 1.0)
    values = root(weights) * np.sqrt(idf(counts, model.n_rows))
    shape = (len(known), HASHED)
    plain = unit_rows(csr_matrix((values, places[:, 0].astype(np.int64), ends), shape=shape))
    signed = csr_matrix((plain.data * places[:, 1], plain.indices, plain.indptr), shape=shape)
    signed.sum_duplicates()
    return signed


def _activity(known: Known, model: Model) -> Floats:
    doublings = np.nan_to_num(log_length(known.tastes) - model.strength, nan=0.0, neginf=0.0)
    found: Floats = ACTIVITY * np.clip(doublings, -4.0, 4.0)[:, None]
    return found


def _cohorts(known: Known, k: int) -> csr_matrix:
    placed = np.flatnonzero(known.cohorts >= 0)
    ones = np.full(len(placed), COHORT)
    return csr_matrix((ones, (placed, known.cohorts[placed])), shape=(len(known), k))


def _distances(known: Known, model: Model, there: npt.NDArray[np.bool_]) -> Floats:
    near = model.similarity(known.tastes)  # x.c - |c|^2/2
    distances = np.sqrt(np.maximum(1.0 - 2.0 * near, 0.0))
    found: Floats = np.where(there[:, None], DISTANCES * (distances - CENTRED), 0.0)
    return found
