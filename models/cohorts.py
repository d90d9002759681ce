"""Cohorts: who moves when, what sets a cohort apart, and what it is called."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

__all__ = ["genres", "heirs", "labels", "named_after", "settle", "standing_out"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STEADY = 1.25
LEAST_GENRE = 0.2
NAMES = 3  # artists that a cohort is named after


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


def named_after(
    tops: Sequence[Mapping[str, float]],
    cohort_ids: Sequence[str],
    before: Mapping[str, Sequence[str]] | None = None,
) -> tuple[tuple[str, ...], ...]:
    """Choose the artists that cohorts are named after.

    An artist names the one cohort that it sets apart most. One that names a cohort already goes on doing so,
    in its place, until another sets the cohort apart `STEADY` times as much.

    Parameters
    ----------
    tops
        For each cohort, artists and how much each sets it apart.
    cohort_ids
        The cohorts' ids.
    before
        Cohort id -> the artists that it was named after last.

    Examples
    --------
    >>> tops = [{"raftaar": 9.0, "badshah": 8.0}, {"badshah": 3.0, "slayer": 2.0}, {}]
    >>> named_after(tops, ["c1", "c2", "c5"])
    (('raftaar', 'badshah'), ('slayer',), ())
    """
    before = before or {}
    places = [{artist: place for place, artist in enumerate(before.get(cohort, ()))} for cohort in cohort_ids]
    order = sorted(
        ((-score * (STEADY if artist in places[row] else 1.0), artist, cohort_ids[row], row)
         for row, top in enumerate(tops) for artist, score in top.items()),
    )  # fmt: skip
    found: list[list[str]] = [[] for _ in tops]
    taken: set[str] = set()
    for _, artist, _, row in order:
        if artist not in taken and len(found[row]) < NAMES:
            found[row].append(artist)
            taken.add(artist)
    return tuple(
        tuple(sorted(artists, key=lambda artist: place.get(artist, NAMES)))
        for artists, place in zip(found, places, strict=True)
    )


def genres(
    tops: Sequence[Mapping[str, float]],
    genres_of: Mapping[str, Collection[str]],
    cohort_ids: Sequence[str],
    before: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Return the genre that sets each cohort apart most; "" where none does.

    A genre has the share of a cohort that its artists have in the logarithms of `tops`. The one whose share p
    has most p log(p / q) is chosen, q the mean share over cohorts: often there, and less often elsewhere.
    Below `LEAST_GENRE` it says too little.

    Parameters
    ----------
    tops
        For each cohort, artists and how many times more it plays them than everyone does.
    genres_of
        Artist -> genres, as far as they are known.
    cohort_ids
        The cohorts' ids.
    before
        Cohort id -> the genre it had last; it stays until another has `STEADY` times as much.

    Examples
    --------
    >>> tops = [{"ana": 4.0, "bo": 3.0}, {"cy": 5.0, "dee": 2.0}]
    >>> genres_of = {"ana": ["folk", "live"], "bo": ["folk"], "cy": ["metal"], "dee": ["metal", "live"]}
    >>> genres(tops, genres_of, ["c1", "c2"])
    ('folk', 'metal')
    """
    before = before or {}
    shares: list[dict[str, float]] = []
    everywhere: dict[str, float] = defaultdict(float)
    for top in tops:
        share: dict[str, float] = defaultdict(float)
        whole = sum(math.log(max(ratio, 1.0)) for ratio in top.values())
        for artist, ratio in top.items():
            for genre in set(genres_of.get(artist, ())):
                share[genre] += math.log(max(ratio, 1.0)) / max(whole, 1e-9)
        for genre, part in share.items():
            everywhere[genre] += part / len(tops)
        shares.append(share)
    found = []
    for cohort, share in zip(cohort_ids, shares, strict=True):
        said = {
            genre: part
            * math.log(part / everywhere[genre])
            * (STEADY if before.get(cohort) == genre else 1.0)
            for genre, part in share.items()
            if part >= LEAST_GENRE
        }
        best = min(said, key=lambda genre: (-said[genre], genre), default="")
        found.append(best if best and said[best] > 0 else "")
    return tuple(found)


def labels(
    artists: Sequence[Sequence[str]],
    cohort_ids: Sequence[str],
    name: Callable[[str], str] = str,
    genres: Sequence[str] = (),
) -> tuple[str, ...]:
    """Name cohorts, no two alike: "folk · Ana, Bo, Cy".

    Parameters
    ----------
    artists
        For each cohort, the artists that it is named after (`named_after`).
    cohort_ids
        What a cohort without artists is called by, and what sets two apart whose artists have the same names.
    name
        Artist -> the name people know it by.
    genres
        For each cohort its genre, "" for none (`genres`).

    Examples
    --------
    >>> labels([["ana", "bo"], ["cy"], []], ["c1", "c2", "c5"], str.title, ["folk", "", "pop"])
    ('folk · Ana, Bo', 'Cy', 'pop · c5')
    """
    said = []
    for row, cohort in enumerate(cohort_ids):
        who = ", ".join(name(artist) for artist in artists[row])
        genre = genres[row] if genres else ""
        said.append(f"{genre} · {who or cohort}" if genre else who or f"Cohort {cohort}")
    often = Counter(said)
    return tuple(
        label if often[label] == 1 else f"{label} ({cohort})"
        for label, cohort in zip(said, cohort_ids, strict=True)
    )


def heirs(before: Ints, after: Ints, before_ids: Sequence[str], after_ids: Sequence[str]) -> dict[str, str]:
    """Say where most members of cohorts that are gone have gone to.

    Parameters
    ----------
    before, after
        Shape (n,), the rows of `before_ids` and of `after_ids` that the same listeners are in.

    Returns
    -------
    Cohort that is gone -> cohort that most of its members are in now; "" where it had none.

    Examples
    --------
    >>> heirs(np.array([0, 1, 1]), np.array([0, 0, 0]), ["c1", "c2"], ["c1"])
    {'c2': 'c1'}
    """
    found = {}
    for row, cohort in enumerate(before_ids):
        if cohort not in after_ids:
            went = np.bincount(after[before == row], minlength=len(after_ids))
            found[cohort] = after_ids[int(went.argmax())] if went.any() else ""
    return found
