"""How well audiences find the listeners: lift on pairs that were held out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix, csr_matrix

__all__ = ["Holdout", "Lift", "holdout", "lift"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Holdout:
    """What may be known, what is asked, and about which artists.

    Attributes
    ----------
    known, held
        Shape (n, A): who plays what, as far as may be known; the other pairs.
    artists
        Columns about which there is enough to ask.
    """

    known: csr_matrix
    held: csr_matrix
    artists: Ints


@dataclass(frozen=True)
class Lift:
    """How many times more often than at random an audience holds a listener to be found.

    Attributes
    ----------
    value
        Over all artists together: share of pairs found / share of listeners told.
    low, high
        A 95 % interval by bootstrap over artists.
    pairs
        Pairs to be found.
    """

    value: float
    low: float
    high: float
    pairs: int


def holdout(plays: csr_matrix, share: float = 0.2, least: int = 5, seed: int = 0) -> Holdout:
    """Hold out a share of (listener, artist) pairs at random.

    Parameters
    ----------
    plays
        Shape (n, A), any positive weights.
    share
        Of pairs that are held out.
    least
        An artist is asked about when it has at least this many held-out and this many known listeners.

    Examples
    --------
    >>> split = holdout(csr_matrix(np.ones((50, 4))), seed=1)
    >>> split.known.nnz + split.held.nnz, len(split.artists)
    (200, 4)
    """
    pairs = plays.tocoo()
    hidden = np.random.default_rng(seed).random(pairs.nnz) < share
    parts = [
        csr_matrix((pairs.data[part], (pairs.row[part], pairs.col[part])), shape=plays.shape)
        for part in (~hidden, hidden)
    ]
    enough = [np.bincount(part.indices, minlength=plays.shape[1]) >= least for part in parts]
    return Holdout(parts[0], parts[1], np.flatnonzero(enough[0] & enough[1]))


def lift(split: Holdout, scores: Iterable[Floats], share: float = 0.05, seed: int = 0) -> Lift:
    """Measure audiences of a share of all listeners who do not play the artist already.

    Parameters
    ----------
    scores
        For each of ``split.artists``, shape (n,), what each listener scores. Ties (a whole cohort has one
        score) are broken at random, by expectation. A listener at -inf is never in the audience.
    share
        Of listeners who are told.

    Examples
    --------
    A listener plays all of five artists or none: those known to play the others are the ones to tell.

    >>> fans = np.arange(200) < 40
    >>> split = holdout(csr_matrix(np.outer(fans, np.ones(5))), seed=1)
    >>> others = np.asarray(split.known.sum(axis=1)).ravel()
    >>> lift(split, [others] * len(split.artists)).value > 8
    True
    """
    known, held = csc_matrix(split.known), csc_matrix(split.held)
    if not len(split.artists):
        raise ValueError("no artist has enough held-out and known listeners; give more plays")
    found, asked = np.zeros(len(split.artists)), np.zeros(len(split.artists))
    for row, (artist, score) in enumerate(zip(split.artists, scores, strict=True)):
        free = np.ones(known.shape[0], dtype=bool)
        free[known.indices[known.indptr[artist] : known.indptr[artist + 1]]] = False
        sought = np.zeros(known.shape[0], dtype=bool)
        sought[held.indices[held.indptr[artist] : held.indptr[artist + 1]]] = True
        sought &= free
        found[row] = _found(score[free], sought[free], share * free.sum())
        asked[row] = sought.sum()
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(found), size=(1000, len(found)))
    values = found[draws].sum(axis=1) / np.maximum(asked[draws].sum(axis=1), 1) / share
    low, high = np.quantile(values, (0.025, 0.975))
    value = found.sum() / max(asked.sum(), 1.0) / share
    return Lift(float(value), float(low), float(high), int(asked.sum()))


def _found(scores: Floats, sought: npt.NDArray[np.bool_], size: float) -> float:
    possible = np.isfinite(scores)
    levels, where = np.unique(-scores[possible], return_inverse=True)
    members = np.bincount(where, minlength=len(levels))
    hits = np.bincount(where, weights=sought[possible], minlength=len(levels))
    room = np.clip(size - (np.cumsum(members) - members), 0, members)
    return float((hits * room / np.maximum(members, 1)).sum())
