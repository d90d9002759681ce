"""What is known and what is asked: a log's plays, split in time or at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from consumers.evaluate.click_log import ClickLog
from models.quality.evaluation import Holdout, askable, holdout
from stream.errors import BadFile

__all__ = ["LEAST", "Split", "hold_out"]

Ints = npt.NDArray[np.int64]

LEAST = 5
"""Held-out listeners, and known ones, that an artist needs to be asked about."""


@dataclass(frozen=True, eq=False)
class Split:
    """What is asked.

    Attributes
    ----------
    holdout
        Shape (n, A): n listeners of whom something is known, A artists of the log.
    listeners
        Shape (n,), their numbers in the log.
    until
        The moment (Unix seconds) from which on nothing is known; None: pairs are held out at random.
    hidden
        Those pairs, sorted: number of the listener in the log x A + artist.
    askable
        Artists about which there is enough to ask; `holdout` asks about some of them.
    """

    holdout: Holdout
    listeners: Ints
    until: float | None
    hidden: Ints
    askable: int


def hold_out(log: ClickLog, until: float | None, *, share: float, most: int, seed: int) -> Split:
    """Split what was played.

    Parameters
    ----------
    log
        Arranged.
    until
        Split in time, here (Unix seconds); None: at random.
    share
        Of the pairs that are held out, where at random.
    most
        Artists asked about, at most; of more, some are drawn.

    Raises
    ------
    BadFile
        Where there is no artist to ask about.
    """
    hidden = np.zeros(0, dtype=np.int64)
    if until is None:
        drawn = holdout(log.plays(), share, LEAST, seed)
        known, held = drawn.known, drawn.held
        pairs = held.tocoo()
        hidden = np.sort(pairs.row.astype(np.int64) * held.shape[1] + pairs.col)
    else:
        known, held = log.plays(until=until), log.plays(since=until)
        held = csr_matrix(held - held.multiply(known > 0))
        held.eliminate_zeros()
    # Nobody can be told of a release of whom nothing is known yet.
    listeners = np.flatnonzero(np.diff(known.indptr) > 0)
    known, held = known[listeners], held[listeners]
    artists = askable(known, held, LEAST)
    if not len(artists):
        raise BadFile(_too_few(known, held, in_time=until is not None))
    chosen = np.random.default_rng(seed).choice(artists, min(most, len(artists)), replace=False)
    return Split(Holdout(known, held, np.sort(chosen)), listeners, until, hidden, len(artists))


def _too_few(known: csr_matrix, held: csr_matrix, *, in_time: bool) -> str:
    sides = [np.bincount(part.indices, minlength=part.shape[1]) for part in (known, held)]
    best = int(np.minimum(*sides).max(initial=0))
    others = (
        "new listeners after the split, and as many before it"
        if in_time
        else "held-out listeners, and as many known"
    )
    way = (
        "An earlier --until or --split random leaves more to ask about; or"
        if in_time
        else "A larger --share, or"
    )
    return (
        f"too few clicks: no artist has {LEAST} {others}; the best has {best}. The clicks are of "
        f"{known.shape[0]:,} listeners and {int((sides[0] > 0).sum()):,} artists. {way} give more clicks."
    )
