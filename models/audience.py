"""Who should hear of a release: where it points, which cohorts it suits, which of their members most."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.directions import activity
from models.model import Model
from models.play_rate import times_likelier
from models.taste import unit

__all__ = [
    "Target",
    "aim",
    "best_rows",
    "choose_cohorts",
    "mean_score",
    "play_rates",
    "rank_cohorts",
    "relative_by_cohort",
    "score",
    "score_members",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Real = TypeVar("Real", bound=np.floating[Any])

LEAST_SCORE = 0.02  # of the best cohort's mean score: no cohort is at 0, where one is above it

# Fitted to artists of whom the model knows 0 to 20 listeners, on HetRec Last.fm and on made-up worlds whose
# genres are right, partly wrong and mostly wrong (docs/decisions/0010): half or twice as much changes little.
ALIKE = 22.0  # listeners of its own that an artist's being like others is worth at most
COMMON = 5.0  # power of the share of genres in common
STAND_FOR_GENRES = 1000  # artists at most: a release is answered at once, and the others add next to nothing
BESIDE = 1000  # neighbours at most, likewise
LEAST_SHARE = 0.05  # what would have less of a say has none

READ_PER_PLACE = 5  # listeners
ALWAYS_READ = 20_000  # listeners

SAMPLED = 1000  # of the best, to guess where they end:
SAFELY = 1.15  # so many times as many are taken, five standard errors more than are wanted
ROW_BITS = 32  # of a number of a listener among all in memory
FEW_OF = 4  # times: where the best are no smaller a part of all, a sample spares nothing


@dataclass(frozen=True, eq=False)
class Target:
    """A release as the model sees it.

    Attributes
    ----------
    vector
        Shape (d,), where its listeners should be; unit length, zeros where nothing is known.
    relied_on
        Which of "artists", "featuring", "similar_to", "label" and "genres", the weightiest first, with
        commas; "nothing".
    artists
        The ids it relied on, but for those who stand for genres.
    weights
        How much it relied on each of `artists`; they add up to 1 less what it relied on genres. All alike
        where not given.
    beside
        Rows of artists who are neighbours of those it relied on (`Model.neighbours`).
    adds
        What playing each of `beside` adds to a listener's score.
    """

    vector: Floats
    relied_on: str
    artists: tuple[str, ...]
    weights: tuple[float, ...] = ()
    beside: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64), repr=False)
    adds: Floats = field(default_factory=lambda: np.zeros(0), repr=False)


def aim(
    model: Model,
    artists: Sequence[str],
    *,
    featuring: Sequence[str] = (),
    similar_to: Sequence[str] = (),
    label: Sequence[str] = (),
    genres: Sequence[str] = (),
    by_genre: Mapping[str, Collection[str]] | None = None,
) -> Target:
    """Say where a release's listeners are: by its artists, and by whom they are like as far as few know them.

    Each source is the mean of some artists' directions, and weighs as many listeners as it is worth. The
    release's own artists weigh the listeners they have in the sample. m others weigh ALIKE |v|^2 m / (m + 1),
    v the mean of their unit vectors: the less they agree, the shorter it is, and the less they say. For
    genres stands who has most of them in common with the release, the rarer ones above all.

    Parameters
    ----------
    artists, featuring, similar_to
        Artist ids.
    label
        Artists of the same label.
    genres
        Of the release.
    by_genre
        Genre -> the artists who have songs of it.

    Examples
    --------
    >>> from models.model import Model
    >>> from scipy.sparse import csr_matrix
    >>> model = Model(
    ...     version=1, created_at=0.0, clicks=9, listeners=3, artists=("ana", "bo"),
    ...     vectors=np.eye(2, dtype="f4"), spread=np.eye(2) / 2, counts=np.array([2.0, 1.0]), n_rows=3.0,
    ...     centers=np.eye(2), cohort_ids=("c1", "c2"), next_cohort=3, sizes=np.array([2, 1]),
    ...     holders=csr_matrix(np.diag([2.0, 1.0])), labels=("Ana", "Bo"), born=np.zeros(2),
    ... )
    >>> aim(model, ["new"], similar_to=["bo"])
    Target(vector=array([0., 1.]), relied_on='similar_to', artists=('bo',), weights=(1.0,))
    >>> aim(model, ["ana"], similar_to=["bo"]).relied_on
    'similar_to, artists'
    """
    own = model.known(artists)
    others = {
        "featuring": model.known(featuring),
        "similar_to": model.known(similar_to),
        "label": model.known([artist for artist in label if artist not in artists]),
    }
    found = [_Source("artists", own, model.trust(own), float(model.heard_by(own).sum()))]
    found += [_alike(model, name, rows, model.trust(rows)) for name, rows in others.items()]
    found.append(_of_genres(model, genres, by_genre or {}, own))
    whole = sum(source.worth for source in found)
    used = [source for source in found if source.worth > LEAST_SHARE * whole]
    if not used:
        return Target(np.zeros(model.n_dims), "nothing", ())
    used.sort(key=lambda source: -source.worth)
    whole = sum(source.worth for source in used)
    weights: dict[str, float] = {}
    for source in used:
        for row in source.rows if source.name != "genres" else ():
            share = source.worth / whole / len(source.rows)
            weights[model.artists[row]] = weights.get(model.artists[row], 0.0) + share
    vector = sum(source.worth * unit(_mean(model, source.rows, source.weights)) for source in used)
    beside, adds = _neighbours(model, used, whole)
    return Target(
        unit(vector),
        ", ".join(source.name for source in used),
        tuple(weights),
        tuple(weights.values()),
        beside,
        adds,
    )


@dataclass(frozen=True, eq=False)
class _Source:
    """Some artists, how much each counts, and how many listeners all are worth."""

    name: str
    rows: Ints
    weights: Floats
    worth: float


def _mean(model: Model, rows: Ints, weights: Floats) -> Floats:
    mean: Floats = weights @ model.towards(rows) / max(float(weights.sum()), 1e-300)
    return mean


def _neighbours(model: Model, sources: Sequence[_Source], whole: float) -> tuple[Ints, Floats]:
    """Return the neighbours of some artists, and what each adds on average over these artists."""
    rows = np.concatenate([source.rows for source in sources])
    shares = [source.worth / whole * source.weights / source.weights.sum() for source in sources]
    added = (csr_matrix(np.concatenate(shares)) @ model.neighbours[rows]).tocsr()
    most = best_rows(added.data, BESIDE)
    return added.indices[most].astype(np.int64), added.data[most].astype(np.float64)


def _alike(model: Model, name: str, rows: Ints, weights: Floats) -> _Source:
    if not len(rows):
        return _Source(name, rows, weights, 0.0)
    weights = weights / weights.max()  # the square of a weight that has faded for long would be 0
    number = weights.sum() ** 2 / (weights**2).sum()  # as many artists of equal weight would count the same
    agreement = float((_mean(model, rows, weights) ** 2).sum())
    return _Source(name, rows, weights, ALIKE * agreement * float(number / (number + 1)))


def _of_genres(
    model: Model, genres: Sequence[str], by_genre: Mapping[str, Collection[str]], but: Ints
) -> _Source:
    common = np.zeros(len(model.artists))
    for genre in dict.fromkeys(genres):
        rows = model.known(list(by_genre.get(genre, ())))
        if len(rows):
            common[rows] += np.log(1 + len(model.artists) / len(rows))
    common[but] = 0.0
    rows = np.flatnonzero(common)
    weights = (common[rows] / common.max(initial=1e-300)) ** COMMON * np.sqrt(model.counts[rows])
    most = np.argsort(-weights, kind="stable")[:STAND_FOR_GENRES]
    rows, weights = rows[most], weights[most]
    return _alike(model, "genres", rows, weights)


def rank_cohorts(model: Model, target: Target) -> Floats:
    """Return each cohort's play rate, shape (k,), 0 to 1: the predicted share of members who play the artist.

    It ranks cohorts, and is no click-through rate: of those who would play, a notification brings a part.
    The share of all listeners who play the artists relied on, times how much likelier members are to take an
    artist up than others, by `relative_by_cohort`.
    """
    relative = relative_by_cohort(model, target)
    if not relative.any():
        return relative
    rates = _rate(model, target) * times_likelier(model.play_rate[1], relative)
    predicted: Floats = np.where(relative > 0, np.minimum(rates, 1.0), 0.0)
    return predicted


def play_rates(model: Model, target: Target, scores: npt.NDArray[np.floating]) -> Floats:
    """Return the play rates of listeners, 0 to 1: how likely each is to play the artist, as far as predicted.

    The share of all listeners who play the artists relied on, times how much likelier a listener of such a
    score is to take an artist up than others, as those were who discovered artists lately.

    Parameters
    ----------
    scores
        Shape (n,), `score_members`.
    """
    mean = mean_score(model, target)
    relative = scores.astype(np.float64) / mean if mean > 0 else np.ones(len(scores))
    predicted: Floats = np.minimum(_rate(model, target) * times_likelier(model.play_rate[0], relative), 1.0)
    return predicted


def relative_by_cohort(model: Model, target: Target) -> Floats:
    """Return the mean score of each cohort's members over that of all listeners, shape (k,).

    A score is linear in tastes and in who plays what, so means have the mean score.
    """
    sizes = model.sizes.astype(np.float64)
    if not target.vector.any():
        return np.zeros(len(sizes))
    scores = model.means @ target.vector + model.add_neighbours(target.beside, target.adds)[0]
    scores = np.maximum(scores, LEAST_SCORE * scores.max(initial=0.0))
    mean = float(scores @ sizes) / max(float(sizes.sum()), 1.0)
    relative: Floats = scores / mean if mean > 0 else np.zeros(len(sizes))
    return relative


def _rate(model: Model, target: Target) -> float:
    """Return the share of listeners who play the artists relied on; for what is unheard, the usual share."""
    share = dict(zip(target.artists, target.weights, strict=True)) if target.weights else {}
    rows = model.known(target.artists)
    weights = np.array([share.get(model.artists[row], 1 / len(rows)) for row in rows])
    played = float(model.heard_by(rows) @ weights) / max(float(model.sizes.sum()), 1.0)
    return played + (1.0 - float(weights.sum())) * model.usual_share or model.usual_share


def choose_cohorts(
    play_rate: Floats,
    sizes: npt.NDArray[np.number],
    unread: npt.NDArray[np.number],
    places: int,
    min_play_rate: float = 0.0,
) -> Ints:
    """Return the cohorts whose members are scored one by one, best first: all whose tastes are at hand.

    Of the others the best, as many as can be read while a release waits: up to `READ_PER_PLACE` listeners for
    each who is told, and `ALWAYS_READ` in any case.

    Parameters
    ----------
    play_rate
        Shape (k,), predicted shares of members who play the artist (`rank_cohorts`).
    sizes
        Shape (k,), members now.
    unread
        Shape (k,), members whose tastes are not at hand.
    places
        Listeners told at most.
    min_play_rate
        Cohorts below are left out, as are those at 0 and those without members.

    Examples
    --------
    >>> rates, sizes = np.array([0.1, 0.4, 0.2]), np.array([15_000, 15_000, 15_000])
    >>> choose_cohorts(rates, sizes, unread=np.array([0, 15_000, 15_000]), places=500)
    array([1, 0])
    """
    order = np.argsort(-play_rate, kind="stable")
    order = order[(play_rate[order] >= min_play_rate) & (play_rate[order] > 0) & (sizes[order] > 0)]
    reading = np.cumsum(unread[order])
    fits = (unread[order] == 0) | (reading <= max(READ_PER_PLACE * places, ALWAYS_READ))
    fits[:1] = True  # the best is always taken
    chosen: Ints = order[fits]
    return chosen


def score_members(
    model: Model,
    tastes: npt.NDArray[Real],
    strengths: npt.NDArray[Real],
    target: Target,
    added: npt.NDArray[np.floating] | float = 0.0,
) -> npt.NDArray[Real]:
    """Score listeners for a release: how close their taste is, times how active they are, and neighbours.

    The cosine of taste and release times `models.directions.activity`, plus what the neighbours of the
    release's artists add that they play (`models.neighbours.add_up`).

    Parameters
    ----------
    tastes
        Shape (n, d), tastes of unit length (`unit`).
    strengths
        Shape (n,), log2 of the lengths of the raw tastes (`models.taste.log_length`).
    added
        Shape (n,), what neighbours add.

    Returns
    -------
    Shape (n,), in the precision of the tastes.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> tastes, strengths = np.array([[0.0, 1.0], [1.0, 0.0], [0.6, 0.8]]), np.array([5.0, 3.0, 5.0])
    >>> release = Target(np.array([1.0, 0.0]), "artists", ("ana",))
    >>> score_members(SimpleNamespace(strength=3.0, activity=0.5), tastes, strengths, release)
    array([0. , 1. , 1.2])
    """
    return score(model, tastes @ target.vector.astype(tastes.dtype), strengths, added)


def score(
    model: Model,
    closeness: npt.NDArray[Real],
    strengths: npt.NDArray[Real],
    added: npt.NDArray[np.floating] | float,
) -> npt.NDArray[Real]:
    """Score listeners whose closeness, the cosine of taste and release, is known; see `score_members`."""
    by_taste = closeness * activity(strengths, model.strength, model.activity)
    scores: npt.NDArray[Real] = (by_taste + added).astype(closeness.dtype)
    return scores


def mean_score(model: Model, target: Target) -> float:
    """Return the mean of the scores of all listeners in the sample."""
    sizes = model.sizes.astype(np.float64)
    by_taste = float(model.means @ target.vector @ sizes) / max(float(sizes.sum()), 1.0)
    return by_taste + model.add_neighbours(target.beside, target.adds)[1]


def best_rows(scores: npt.NDArray[np.floating], number: int) -> Ints:
    """Return the rows of the `number` highest scores, or of all where there are fewer; best first.

    Only these are sorted. Of equal scores the earlier row comes first, within those returned.

    Examples
    --------
    >>> best_rows(np.array([0.1, 0.5, 0.4, 0.5]), 3)
    array([1, 3, 2])
    """
    if number >= len(scores):
        return _falling(scores)
    rows = _contenders(scores, number)
    if number < len(rows):
        some = scores[rows]
        rows = np.sort(rows[np.argpartition(-some, number - 1)[:number]]) if number > 0 else rows[:0]
    best: Ints = rows[_falling(scores[rows])]
    return best


def _falling(scores: npt.NDArray[np.floating]) -> Ints:
    """Return the rows of scores, the highest first; of equal ones the earlier row first.

    What `np.argsort(-scores, kind="stable")` returns where none is NaN, three times as fast where few are
    equal.
    """
    rows: Ints = np.argsort(scores)[::-1]
    ranked = scores[rows]
    as_before = np.concatenate([[False], ranked[1:] == ranked[:-1]])
    del ranked  # as large as all else here
    if as_before.any():
        equal = as_before | np.append(as_before[1:], False)
        order = np.cumsum(~as_before[equal])  # which of the scores that are there several times, then the row
        order <<= ROW_BITS
        order |= rows[equal]
        order.sort()
        order &= (1 << ROW_BITS) - 1
        rows[equal] = order
    return rows


def _contenders(scores: npt.NDArray[np.floating], number: int) -> Ints:
    """Return rows, rising, that the `number` best are among: those above a score that a sample suggests."""
    step = number // SAMPLED
    if step > 1 and len(scores) > FEW_OF * number:
        sample = -scores[::step]
        at = int(SAFELY * number / step)
        rows = np.flatnonzero(scores >= -np.partition(sample, at)[at])
        if len(rows) >= number:
            return rows
    return np.arange(len(scores))
