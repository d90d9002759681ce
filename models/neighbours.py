"""An artist's neighbours: whom its listeners play more often than their tastes say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.heaviest import blocks, keep_heaviest

__all__ = ["FADED", "add_up", "neighbours"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer]
Numbers = npt.NDArray[np.int32]

NUMBER = 128  # neighbours of an artist at most
SHARE = 0.3  # of what neighbours say by themselves: they repeat each other
DOUBT = 2.0  # standard errors by which more listeners must play both than tastes explain
PRIOR = 20.0  # listeners that an artist must have for its say to count half
FANS = 3.0  # listeners at which an artist's own neighbours count half
LEAST_MEAN = 0.1  # of the length of the mean taste: no artist's mean score is taken to be lower
FADED = 0.125  # of a play of now: who has less left of an artist has stopped playing it
PAIRS = 20_000_000  # pairs of artists of one listener that are counted: a second or two
AT_ONCE = 100_000  # of them: each takes two vectors


def neighbours(held: csr_matrix, tastes: Floats, directions: Floats) -> csr_matrix:
    """Return what playing one artist adds to a listener's score for another.

    64 dimensions cannot tell apart 50,000 artists. What the score by taste leaves unexplained goes to pairs:
    N[a, b] = SHARE s_a (c_ab - e_ab - DOUBT sqrt(e_ab)) / (c_b + PRIOR), where positive; c_ab listeners play
    both, e_ab would by their tastes: the sum of scores for a over the listeners of b, over s_a. That is the
    mean score for a over the share of listeners who play it, so that scores and counts are in one unit.
    Counts that are as many as chance makes of e_ab say nothing (Poisson: its root is the standard error). Of
    each artist the `NUMBER` strongest are kept. An artist is its own neighbour: who plays it is likelier to
    play it again.

    Parameters
    ----------
    held
        Shape (n, A), 1 where a listener plays an artist.
    tastes
        Shape (n, d), unit tastes times `models.directions.activity`.
    directions
        Shape (A, d), unit length (`models.directions.directions`).

    Returns
    -------
    Shape (A, A), single precision, of numbers that half precision holds.

    References
    ----------
    [^1]: Koren, Y., 2008. Factorization meets the neighborhood: a multifaceted collaborative filtering
          model. KDD.

    Examples
    --------
    Tastes say nothing here; listeners of the first two artists are the same.

    >>> held = csr_matrix([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]] * 50)
    >>> found = neighbours(held, np.ones((100, 1)), np.ones((3, 1))).toarray()
    >>> [[round(float(added), 2) for added in row] for row in found]
    [[0.12, 0.12, 0.0], [0.12, 0.12, 0.0], [0.0, 0.0, 0.12]]
    """
    held, tastes = _thinned(held, tastes)
    n, n_artists = held.shape
    fans = np.bincount(held.indices, minlength=n_artists).astype(np.float32)
    by_artist = held.T.tocsr().astype(np.float32)
    sums = np.asarray(by_artist @ tastes, dtype=np.float32)
    towards = directions.astype(np.float32)
    mean = tastes.mean(axis=0) if n else np.zeros(tastes.shape[1])
    means = np.maximum(directions @ mean, LEAST_MEAN * np.linalg.norm(mean)).astype(np.float32)
    a_listener = np.maximum(means * n / np.maximum(fans, 1.0), 1e-12)  # tastes may all be 0
    kept: list[csr_matrix] = []
    for block in blocks(by_artist @ np.diff(held.indptr).astype(np.float64), AT_ONCE):
        together = (by_artist[block] @ held.astype(np.float32)).tocsr()
        of = np.repeat(np.arange(block.start, block.stop), np.diff(together.indptr))
        beside = together.indices
        explained = np.maximum(np.einsum("ij,ij->i", towards[of], sums[beside]), 0.0) / a_listener[of]
        left = together.data - explained - DOUBT * np.sqrt(explained)
        trust = SHARE * fans[of] / (fans[of] + FANS) / (fans[beside] + PRIOR)
        together.data = np.maximum(left, 0.0) * a_listener[of] * trust
        kept.append(keep_heaviest(together, NUMBER))
    if not kept:
        return csr_matrix((n_artists, n_artists), dtype=np.float32)
    return csr_matrix(
        (
            np.concatenate([part.data for part in kept]).astype(np.float16).astype(np.float32),
            np.concatenate([part.indices for part in kept]),
            np.concatenate([[0], np.cumsum(np.concatenate([np.diff(part.indptr) for part in kept]))]),
        ),
        shape=(n_artists, n_artists),
    )


def add_up(
    rows: Ints, adds: Floats, groups: Iterable[tuple[Numbers, Numbers]], sizes: Sequence[int]
) -> Floats:
    """Return for each listener the sum of what their artists add, one group of listeners after the other.

    Takes as long as there are listeners of these artists, however many there are in all.

    Parameters
    ----------
    rows, adds
        Shape (m,): some artists, each once, and what playing each adds.
    groups
        For each group of listeners who plays what, by artist, rising: the artist, and the listener's place
        within the group.
    sizes
        How many listeners each group has.

    Returns
    -------
    Shape (sum of sizes,).

    Examples
    --------
    >>> one = np.array([3, 5, 5, 9], dtype=np.int32), np.array([0, 0, 2, 1], dtype=np.int32)
    >>> other = np.array([4], dtype=np.int32), np.array([1], dtype=np.int32)
    >>> add_up(np.array([5, 3, 4]), np.array([0.5, 0.25, 1.0]), [one, other], sizes=[3, 2]).tolist()
    [0.75, 0.0, 0.5, 0.0, 1.0]
    """
    edges = np.concatenate([rows, rows + 1]).astype(np.int32)  # as artists are: else all are copied to match
    listeners, counts = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    begin = 0
    for (artists, players), size in zip(groups, sizes, strict=True):
        found = np.searchsorted(artists, edges)
        first, count = found[: len(rows)], found[len(rows) :] - found[: len(rows)]
        shift = first - (count.cumsum() - count)
        listeners.append(players[np.repeat(shift, count) + np.arange(count.sum())] + begin)
        counts.append(count)
        begin += size
    weights = np.repeat(np.tile(adds, len(counts) - 1), np.concatenate(counts))
    return np.bincount(np.concatenate(listeners), weights=weights, minlength=begin).astype(np.float64)


def _thinned(held: csr_matrix, tastes: Floats) -> tuple[csr_matrix, Floats]:
    """Leave out listeners evenly where there are more pairs than may be counted."""
    pairs = float((np.diff(held.indptr).astype(np.float64) ** 2).sum())
    step = int(np.ceil(pairs / PAIRS))
    return (held[::step], tastes[::step]) if step > 1 else (held, tastes)
