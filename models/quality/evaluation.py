"""How well audiences find the listeners: lift, precision, recall and AUC on pairs that were held out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_matrix, csr_matrix

__all__ = [
    "GAIN_AT",
    "Estimate",
    "Holdout",
    "Lift",
    "Quality",
    "Reach",
    "askable",
    "holdout",
    "lift",
    "lift_by_group",
    "measure",
    "resampled",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

DRAWS = 1000  # of the bootstrap
GAIN_AT = tuple(round(x, 4) for x in np.concatenate([np.arange(1, 20) / 200, np.arange(2, 21) / 20]).tolist())


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

    @cached_property
    def by_artist(self) -> tuple[csc_matrix, csc_matrix]:
        """`known` and `held`, quick to read by column."""
        return csc_matrix(self.known), csc_matrix(self.held)


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


@dataclass(frozen=True)
class Estimate:
    """A figure with a 95 % interval by bootstrap over artists (percentiles)."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Floats) -> Estimate:
        """Return the estimate of a figure, shape (1 + draws,): of the sample, then of each resample."""
        low, high = np.quantile(values[1:], (0.025, 0.975))
        return cls(float(values[0]), float(low), float(high))


@dataclass(frozen=True)
class Reach:
    """What audiences of one size are worth, over all artists together.

    Attributes
    ----------
    share
        Of the listeners who do not play the artist already, how many are told.
    lift
        Share of pairs found / share of listeners told: 1 is random.
    precision
        Share of those told who are to be found: what a click-through rate would be at best.
    recall
        Share of those to be found who are told.
    """

    share: float
    lift: Estimate
    precision: Estimate
    recall: Estimate


@dataclass(frozen=True, eq=False)
class Quality:
    """How well some scores find the listeners.

    Attributes
    ----------
    reach
        For each size of audience.
    auc
        How often one who is to be found scores above one who is not.
    gain
        Recall at shares `GAIN_AT` of listeners told.
    sought
        Shape (artists,): pairs to be found, artist by artist.
    found
        Shape (artists, sizes): how many of them are found, by expectation.
    """

    reach: tuple[Reach, ...]
    auc: Estimate
    gain: Floats
    sought: Floats
    found: Floats

    @property
    def pairs(self) -> int:
        """Pairs to be found, over all artists."""
        return int(self.sought.sum())

    @property
    def lift_by_artist(self) -> Floats:
        """The lift of each artist's audiences, shape (artists, sizes)."""
        shares = np.array([reach.share for reach in self.reach])
        lifts: Floats = self.found / np.maximum(self.sought, 1.0)[:, None] / shares
        return lifts


def askable(known: csr_matrix, held: csr_matrix, least: int = 5) -> Ints:
    """Return the columns that have at least `least` listeners on either side.

    Examples
    --------
    >>> askable(csr_matrix(np.ones((6, 2))), csr_matrix([[1.0, 0.0]] * 6))
    array([0])
    """
    enough = [np.bincount(part.indices, minlength=part.shape[1]) >= least for part in (known, held)]
    return np.flatnonzero(enough[0] & enough[1])


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
    return Holdout(parts[0], parts[1], askable(parts[0], parts[1], least))


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
    quality = measure(split, scores, (share,), seed)
    found = quality.reach[0].lift
    return Lift(found.value, found.low, found.high, quality.pairs)


def measure(
    split: Holdout, scores: Iterable[Floats], shares: Sequence[float] = (0.01, 0.05, 0.1), seed: int = 0
) -> Quality:
    """Measure audiences of several sizes; `scores` are as for `lift`.

    Artists are pooled: every pair counts alike. For the AUC all who are at -inf tie at the bottom.

    Raises
    ------
    ValueError
        Where there is no artist to ask about.

    Examples
    --------
    >>> known = csr_matrix(np.zeros((100, 1)))
    >>> held = csr_matrix(np.arange(100)[:, None] < 5)
    >>> quality = measure(Holdout(known, held, np.array([0])), [-np.arange(100.0)], shares=(0.05, 0.1))
    >>> [(reach.lift.value, reach.precision.value) for reach in quality.reach], quality.auc.value
    ([(20.0, 1.0), (10.0, 0.5)], 1.0)
    """
    at = np.array([*shares, *GAIN_AT])
    found, told, asked, auc = [], [], [], []
    for score, sought in _asked(split, scores):
        members, hits = _levels(score, sought)
        reachable = members[: len(members) - bool(np.isneginf(score).any())]
        room = np.clip(at[:, None] * len(score) - (np.cumsum(reachable) - reachable), 0, reachable)
        found.append(room @ (hits[: len(reachable)] / reachable))
        told.append(at * len(score))
        asked.append(hits.sum())
        misses = members - hits
        below = misses.sum() - np.cumsum(misses) + misses / 2
        auc.append((hits @ below) / max(misses.sum(), 1))
    sums = resampled(np.column_stack([np.array(found), np.array(told), asked, auc]), seed)
    hit, reached = sums[:, : len(at)], sums[:, len(at) : 2 * len(at)]
    pairs = np.maximum(sums[:, -2], 1.0)
    reach = tuple(
        Reach(
            share,
            Estimate.of(hit[:, column] / pairs / share),
            Estimate.of(hit[:, column] / np.maximum(reached[:, column], 1e-12)),
            Estimate.of(hit[:, column] / pairs),
        )
        for column, share in enumerate(shares)
    )
    gain = hit[0, len(shares) :] / pairs[0]
    by_artist = np.array(found)[:, : len(shares)].copy()
    return Quality(reach, Estimate.of(sums[:, -1] / pairs), gain, np.array(asked), by_artist)


def resampled(columns: Floats, seed: int) -> Floats:
    """Sum columns over artists, and over resamples of as many artists, drawn with replacement.

    The resamples are the same for the same seed and number of artists, so what is summed in two calls can be
    compared draw by draw.

    Parameters
    ----------
    columns
        Shape (artists, c).

    Returns
    -------
    Shape (1 + draws, c): of the artists as they are, then of each resample.
    """
    n = len(columns)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS)
    sums: Floats = np.vstack([np.ones(n), drawn]) @ columns
    return sums


def lift_by_group(
    split: Holdout, scores: Iterable[Floats], groups: Ints, n_groups: int, share: float = 0.05
) -> Floats:
    """Return the lift among the members of each group, shape (n_groups,): nan where none is told.

    Of those told who are in the group, the share that is to be found, against the share among all listeners.

    Parameters
    ----------
    groups
        Shape (n,), a group's number, -1 for none.
    """
    told, found = np.zeros(n_groups), np.zeros(n_groups)
    asked = free = 0.0
    for artist, score in zip(split.artists, scores, strict=True):
        open_to, sought = _sides(split, int(artist))
        order = np.flatnonzero(open_to & np.isfinite(score) & (groups >= 0))
        chosen = order[np.argsort(-score[order], kind="stable")[: int(np.ceil(share * open_to.sum()))]]
        told += np.bincount(groups[chosen], minlength=n_groups)
        found += np.bincount(groups[chosen], weights=sought[chosen], minlength=n_groups)
        asked += sought.sum()
        free += open_to.sum()
    base = asked / max(free, 1.0)
    return np.where(told > 0, found / np.maximum(told, 1) / max(base, 1e-12), np.nan)


def _sides(split: Holdout, artist: int) -> tuple[Bools, Bools]:
    """Return who does not play an artist as far as is known, and who of them does."""
    known, held = split.by_artist
    free = np.ones(known.shape[0], dtype=bool)
    free[known.indices[known.indptr[artist] : known.indptr[artist + 1]]] = False
    sought = np.zeros(known.shape[0], dtype=bool)
    sought[held.indices[held.indptr[artist] : held.indptr[artist + 1]]] = True
    return free, sought & free


def _asked(split: Holdout, scores: Iterable[Floats]) -> Iterator[tuple[Floats, Bools]]:
    if not len(split.artists):
        raise ValueError("no artist has enough held-out and known listeners; give more plays")
    for artist, score in zip(split.artists, scores, strict=True):
        free, sought = _sides(split, int(artist))
        yield score[free], sought[free]


def _levels(scores: Floats, sought: Bools) -> tuple[Floats, Floats]:
    """Return how many have each score, the best first, and how many of them are sought."""
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
    members = np.diff(np.append(starts, len(scores))).astype(np.float64)
    return members, np.add.reduceat(sought[order].astype(np.float64), starts)
