"""Songs for a listener, the likeliest first, and which of their artists say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from models.audience import best_rows
from models.explain import taste_parts
from models.model import Model
from models.songs import SongModel

__all__ = ["Suggestions"]

Ints = npt.NDArray[np.int64]

SOME = 50  # songs that are sorted at once: who asks for ten needs no order of all


class Suggestions:
    """Which songs a listener would play.

    Parameters
    ----------
    affinities
        Artist -> stored weight.
    model, songs
        Of the same dimensions.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> model = Model(
    ...     version=1, created_at=0.0, clicks=9, listeners=3, artists=("ana", "bo"),
    ...     vectors=np.eye(2, dtype="f4"), spread=np.eye(2) / 2, counts=np.ones(2), n_rows=3.0,
    ...     centers=np.eye(2), cohort_ids=("c1", "c2"), next_cohort=3, sizes=np.array([2, 1]),
    ...     holders=csr_matrix(np.diag([2.0, 1.0])), labels=("Ana", "Bo"), born=np.zeros(2),
    ... )
    >>> songs = SongModel(
    ...     version=1, created_at=0.0, n_listeners=3, plays=3, songs=("s1", "s2", "s3"),
    ...     directions=np.array([[1, 0], [0, 1], [-1, 0]], dtype="f2"), levels=np.ones(3, dtype="f4"),
    ...     listeners=np.array([2, 1, 1]), artists=("ana", "bo"), made_by=csr_matrix((3, 2)),
    ...     beside=csr_matrix([[0.0, 0.5, 0.0], [0.0, 0.0, 0.0]]), to_audience=np.eye(2),
    ...     strength=float("nan"), activity=0.5,
    ... )
    >>> found = Suggestions({"ana": 4.0}, model, songs)
    >>> list(found.ranked(left_out=np.zeros(0, dtype=int)))
    [(0, 1.0), (1, 0.5)]
    >>> found.pulls(1)
    {'ana': 0.5}
    """

    def __init__(self, affinities: Mapping[str, float], model: Model, songs: SongModel) -> None:
        self._songs = songs
        self._artists, parts, strength = taste_parts(affinities, model)
        self._parts = parts * songs.active(strength, model.play_now)
        still = np.array([affinities[artist] > model.faded for artist in self._artists], dtype=bool)
        self._rows = np.where(still, songs.rows_of(self._artists), -1)
        self._scores = songs.scores(self._parts.sum(axis=0), self._rows[self._rows >= 0])

    def ranked(self, left_out: Ints) -> Iterator[tuple[int, float]]:
        """Yield songs and their scores, the likeliest first; none that the listener's taste speaks against.

        Parameters
        ----------
        left_out
            Rows of songs that are not suggested: those heard lately.
        """
        scores = self._scores.copy()
        scores[left_out] = -np.inf
        for _ in range(0, len(scores), SOME):
            best = best_rows(scores, SOME)
            for row, score in zip(best.tolist(), scores[best].tolist(), strict=True):
                if score <= 0:
                    return
                yield row, score
            scores[best] = -np.inf

    def pulls(self, song: int) -> dict[str, float]:
        """Return which of the listener's artists add to a song's score, and how much; the most first."""
        found = self._parts @ self._songs.vectors[song] + self._songs.added(song, self._rows)
        order = [at for at in np.argsort(-found, kind="stable").tolist() if found[at] > 0]
        return {self._artists[at]: float(found[at]) for at in order}
