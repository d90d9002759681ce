"""Predictions judged as their outcomes become known, before these are learned; old ones fade."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy

from models.quality.binary import BINS

__all__ = ["ENOUGH", "Prequential"]

Floats = npt.NDArray[np.float64]

MEMORY = 50_000.0
"""Examples after which one has 1/e of its say."""
ENOUGH = 500  # examples, to give figures
CELLS = 1000
EDGE = 10.0  # log-odds, 1 in 22,000: beyond it predictions are alike
PROBABLE = 1e-6


class Prequential:
    """A histogram of predictions by log-odds, and of what happened: memory does not grow.

    Attributes
    ----------
    cells
        Shape (4, CELLS), by log-odds from -`EDGE` to `EDGE`: how many happened, how many did not, sum of what
        was predicted, sum of squared differences; all fading.

    References
    ----------
    [^1]: Dawid, A. P., 1984. Statistical theory: the prequential approach. JRSS A.
    [^2]: Gama, J., Sebastião, R. and Rodrigues, P. P., 2013. On evaluating stream learning algorithms.
          Machine Learning. (Fading factors.)

    Examples
    --------
    >>> judged, p = Prequential(), np.repeat([0.1, 0.4], 500)
    >>> judged.add(p, np.arange(1000) % 10 < 10 * p)
    >>> [f"{name} {value:.3f}" for name, value in judged.figures().items()][1:5]
    ['rate 0.250', 'auc 0.700', 'brier 0.165', 'brier_of_rate 0.188']
    """

    def __init__(self, cells: Floats | None = None) -> None:
        self.cells = np.zeros((4, CELLS)) if cells is None else cells.astype(np.float64)

    def add(self, p: Floats, y: npt.ArrayLike) -> None:
        """Judge predictions, shape (n,), by whether it happened, shape (n,)."""
        happened = np.asarray(y, dtype=np.float64)
        odds = scipy.special.logit(np.clip(p, PROBABLE, 1 - PROBABLE))
        at = np.clip((odds + EDGE) / (2 * EDGE) * CELLS, 0, CELLS - 1).astype(np.int64)
        self.cells *= np.exp(-len(p) / MEMORY)
        added = happened, 1 - happened, p, (p - happened) ** 2
        self.cells += [np.bincount(at, values, CELLS) for values in added]

    def figures(self) -> dict[str, float]:
        """Return how well it was predicted; empty while there are fewer than `ENOUGH` examples.

        Returns
        -------
        "examples", how many count now; "rate", the share that happened; "auc"; "brier", and
        "brier_of_rate", what it would be if all had the one rate; "calibration_error", the mean difference of
        predicted and found rate over tenths of the examples by what was predicted.
        """
        yes, no, predicted, squares = self.cells
        number = yes + no
        total, pairs = float(number.sum()), float(yes.sum() * no.sum())
        if total < ENOUGH * 0.99:  # those that have just been added have begun to fade
            return {}
        rate = float(yes.sum()) / total
        bounds = np.searchsorted(np.cumsum(number), np.arange(1, BINS) / BINS * total)
        tenths = np.add.reduceat(yes - predicted, np.unique([0, *bounds.tolist()]))
        return {
            "examples": total,
            "rate": rate,
            "auc": float(yes @ (np.cumsum(no) - no / 2)) / pairs if pairs else 0.5,
            "brier": float(squares.sum()) / total,
            "brier_of_rate": rate * (1 - rate),
            "calibration_error": float(np.abs(tenths).sum()) / total,
        }
