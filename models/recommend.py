"""Songs for a listener, the likeliest first, and which of their artists say so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.audience import best_rows
from models.explain import taste_parts
from models.model import Model
from models.songs import SongModel

__all__ = ["Suggestion", "suggest"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SOME = 50  # songs that are sorted at once: who asks for ten needs no order of all


@dataclass(frozen=True)
class Suggestion:
    """A song for a listener.

    Attributes
    ----------
    row
        Of the song, in the song model.
    score
        How likely the listener is to play it, up to a factor that is the listener's own.
    pulls
        Which of their artists add to the score, and how much of it each, the most first.
    """

    row: int
    score: float
    pulls: Mapping[str, float]


def suggest(
    affinities: Mapping[str, float], model: Model, songs: SongModel, left_out: Ints
) -> Iterator[Suggestion]:
    """Yield songs for a listener, the likeliest first; none that their taste speaks against.

    Parameters
    ----------
    affinities
        Artist -> stored weight.
    left_out
        Rows of songs that are not suggested: those heard lately.
    """
    known, parts, strength = taste_parts(affinities, model)
    parts = parts * songs.active(strength)
    still = [affinities[artist] > model.faded for artist in known]
    played = [artist for artist, plays in zip(known, still, strict=True) if plays]
    scores = songs.scores(parts.sum(axis=0), played)
    scores[left_out] = -np.inf
    for _ in range(0, len(scores), SOME):
        best = best_rows(scores, SOME)
        for row in best.tolist():
            if scores[row] <= 0:
                return
            yield Suggestion(row, float(scores[row]), _pulls(songs, row, known, parts, still))
        scores[best] = -np.inf


def _pulls(
    songs: SongModel, row: int, known: list[str], parts: Floats, still: list[bool]
) -> dict[str, float]:
    """Return what artists add to a song's score, the most first, without those that add nothing."""
    found = songs.pulls(row, parts, known, still)
    order = [at for at in np.argsort(-found, kind="stable").tolist() if found[at] > 0]
    return {known[at]: float(found[at]) for at in order}
