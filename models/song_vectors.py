"""Song vectors: a regression of who plays a song on tastes, and what artists say beyond tastes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models import directions
from models.heaviest import blocks, keep_heaviest

__all__ = ["FANS", "artists_beside", "rarity", "song_vectors", "to_audience"]

Floats = npt.NDArray[np.float64]

PENALTY = 0.5  # of the mean eigenvalue
LEAST_PENALTY = 10.0  # listeners: with hardly more of them than dimensions, a regression learns chance
FANS = 3.0  # listeners at which a song's own count as much as its artists'
NUMBER = 256  # songs kept for an artist
SHARE = 0.3  # of what artists say by themselves: they repeat each other
PRIOR = 5.0  # listeners that an artist must have for its say to count half
POPULARITY = 0.07  # power of a song's listeners that its score is divided by
LEAST = 3.0  # listeners from which on that counts
PAIRS = 20_000_000  # pairs of artist and song of one listener that are counted: some seconds
AT_ONCE = 200_000  # of them


def song_vectors(played: csr_matrix, tastes: Floats, held: csr_matrix, made_by: csr_matrix) -> Floats:
    """Return w, one for each song, so that ``tastes @ w`` says how likely listeners are to play it.

    Ridge regression in the space of tastes, which is that of artist vectors: w = m (T'T + p I)^-1 c, p
    `PENALTY` times the mean eigenvalue of T'T and at least `LEAST_PENALTY`, c the mean taste of the song's m
    listeners. What EASE does in the space of songs, with as many numbers as dimensions. Of a song of few
    listeners n the mean taste is shrunk to that of its artists' listeners, c = (n c_song + FANS c_artists) /
    (n + FANS), and m = n + FANS / (n + FANS): one whom nobody has played yet is as likely as one that one
    listener plays.

    Parameters
    ----------
    played
        Shape (n, S), 1 where a listener plays a song.
    tastes
        Shape (n, d), unit tastes times `models.directions.activity`.
    held
        Shape (n, A), 1 where a listener plays an artist.
    made_by
        Shape (S, A), 1 where an artist made a song; nothing for artists who are not known.

    Returns
    -------
    Shape (S, d).

    References
    ----------
    [^1]: Steck, H., 2019. Embarrassingly shallow autoencoders for sparse data. WWW.

    Examples
    --------
    Nobody has played the third song, which the second artist made: it points where the second song does.

    >>> played = csr_matrix([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]] * 50)
    >>> held, made_by = csr_matrix(np.eye(2)[[0, 1] * 50]), csr_matrix(np.eye(2)[[0, 1, 1]])
    >>> song_vectors(played, np.eye(2)[[0, 1] * 50], held, made_by).round(2)
    array([[0.67, 0.  ],
           [0.  , 0.67],
           [0.  , 0.01]])
    """
    spread = tastes.T @ tastes
    spread[np.diag_indices_from(spread)] += _penalty(spread)
    own = np.asarray(played.T @ tastes)
    number = np.bincount(played.indices, minlength=played.shape[1]).astype(np.float64)[:, None]
    fans = np.bincount(held.indices, minlength=held.shape[1]).astype(np.float64)
    heard = made_by.multiply(fans > 0).tocsr()
    makers = np.asarray(heard.sum(axis=1), dtype=np.float64).reshape(-1, 1)
    theirs = np.asarray(heard @ (np.asarray(held.T @ tastes) / np.maximum(fans, 1.0)[:, None]))
    theirs /= np.maximum(makers, 1.0)
    mean = (own + FANS * theirs) / (number + np.where(makers > 0, FANS, 0.0) + (number + makers == 0))
    likely = number + np.where(makers > 0, FANS / (number + FANS), 0.0)
    found: Floats = likely * np.linalg.solve(spread, mean.T).T
    return found


def to_audience(tastes: Floats) -> Floats:
    """Return what turns a song's vector to where its listeners are, shape (d, d).

    Ranking songs for a listener wants a smaller penalty than ranking listeners for an artist
    (`models.directions.directions`); w of the one follows from w of the other by a matrix.

    Parameters
    ----------
    tastes
        As for `song_vectors`.
    """
    spread = tastes.T @ tastes
    mean = max(float(np.trace(spread)) / len(spread), 1e-12)
    ours, theirs = (
        spread + penalty * np.eye(len(spread)) for penalty in (_penalty(spread), directions.PENALTY * mean)
    )
    turn: Floats = np.asarray(np.linalg.solve(theirs, ours), dtype=np.float64)
    return turn


def _penalty(spread: Floats) -> float:
    return max(PENALTY * float(np.trace(spread)) / len(spread), LEAST_PENALTY)


def rarity(listeners: npt.NDArray[np.integer]) -> Floats:
    """Return what scores of songs are multiplied by, so that what everybody plays counts a little less.

    max(n, `LEAST`)^-`POPULARITY` for n listeners of each song, shape (S,).

    Examples
    --------
    >>> rarity(np.array([0, 3, 100])).round(2)
    array([0.93, 0.93, 0.72])
    """
    found: Floats = np.maximum(listeners, LEAST) ** -POPULARITY
    return found


def artists_beside(played: csr_matrix, tastes: Floats, held: csr_matrix, vectors: Floats) -> csr_matrix:
    """Return what playing an artist adds to how likely a listener is to play a song.

    Some 64 dimensions cannot tell 200,000 songs apart. N[a, s] = SHARE (c_as - e_as) / (f_a + PRIOR), where
    positive: c_as of the artist's f_a listeners play the song, e_as would by their tastes. As in
    `models.neighbours`, which ranks listeners for an artist; in a listener's ranking of songs pairs that are
    no more than chance explains cost less than they give, so that none is left out for doubt. Of each artist
    the `NUMBER` songs that it says most of are kept.

    Parameters
    ----------
    played, tastes, held
        As for `song_vectors`.
    vectors
        Shape (S, d), `song_vectors`.

    Returns
    -------
    Shape (A, S), single precision.

    References
    ----------
    [^1]: Koren, Y., 2008. Factorization meets the neighborhood: a multifaceted collaborative filtering
          model. KDD.

    Examples
    --------
    Tastes say nothing here; who plays the first artist plays the first song.

    >>> played, held = csr_matrix([[1.0], [0.0]] * 50), csr_matrix([[1.0, 0.0], [0.0, 1.0]] * 50)
    >>> artists_beside(played, np.ones((100, 1)), held, np.array([[0.5]])).toarray().round(2)
    array([[0.14],
           [0.  ]], dtype=float32)
    """
    pairs = float(np.diff(held.indptr).astype(np.float64) @ np.diff(played.indptr))
    step = int(np.ceil(pairs / PAIRS))
    if step > 1:  # leave out listeners evenly
        played, tastes, held = played[::step], tastes[::step], held[::step]
    shape = (held.shape[1], played.shape[1])
    fans = np.bincount(held.indices, minlength=held.shape[1]).astype(np.float64)
    by_artist = held.T.tocsr().astype(np.float32)
    sums = np.asarray(by_artist @ tastes, dtype=np.float32)
    towards = vectors.astype(np.float32)
    kept: list[csr_matrix] = []
    for block in blocks(by_artist @ np.diff(played.indptr).astype(np.float64), AT_ONCE):
        together = (by_artist[block] @ played.astype(np.float32)).tocsr()
        of = np.repeat(np.arange(block.start, block.stop), np.diff(together.indptr))
        explained = np.maximum(np.einsum("ij,ij->i", sums[of], towards[together.indices]), 0.0)
        together.data = np.maximum(together.data - explained, 0.0) * (SHARE / (fans[of] + PRIOR))
        kept.append(keep_heaviest(together, NUMBER))
    if not kept:
        return csr_matrix(shape, dtype=np.float32)
    ends = np.cumsum(np.concatenate([np.diff(part.indptr) for part in kept]))
    data = np.concatenate([part.data for part in kept]).astype(np.float32)
    return csr_matrix((data, np.concatenate([part.indices for part in kept]), [0, *ends]), shape=shape)
