"""How well probabilities of something predicted whether it happened."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

__all__ = [
    "BINS",
    "Confusion",
    "accuracy",
    "auc",
    "best_threshold",
    "brier",
    "calibration_error",
    "confusion",
    "log_losses",
    "roc",
]

Floats = npt.NDArray[np.float64]

BINS = 10  # of the calibration error, with as many examples each


class Confusion(NamedTuple):
    """How many were said to do it who did, who did not, and the same of those said not to."""

    hits: int
    false_alarms: int
    missed: int
    rightly_not: int


def auc(p: Floats, y: Floats, w: Floats | None = None) -> float:
    """Return how often one who did it is above one who did not, of all such pairs; ties count half.

    0.5 where all did, or none.

    Examples
    --------
    >>> auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    0.875
    """
    weights = np.ones(len(p)) if w is None else w
    values, at = np.unique(p, return_inverse=True)
    yes = np.bincount(at, weights * y, len(values))
    no = np.bincount(at, weights * (1.0 - y), len(values))
    pairs = yes.sum() * no.sum()
    return float(yes @ (np.cumsum(no) - no / 2) / pairs) if pairs > 0 else 0.5


def brier(p: Floats, y: Floats) -> float:
    """Return the mean squared difference of probability and outcome (Brier, 1950): lower is better.

    Examples
    --------
    >>> brier(np.array([0.5, 1.0]), np.array([1.0, 1.0]))
    0.125
    """
    return float(np.mean((p - y) ** 2))


def calibration_error(p: Floats, y: Floats, w: Floats | None = None) -> float:
    """Return the mean difference of predicted and found rate over tenths of the examples by prediction.

    Examples
    --------
    >>> happened = np.arange(100) % 10 < np.repeat([1, 5], 50)
    >>> round(calibration_error(np.repeat([0.1, 0.6], 50), happened), 2)
    0.05
    """
    weights = np.ones(len(p)) if w is None else w
    tenths = np.array_split(np.argsort(p, kind="stable"), BINS)
    off = sum(abs(weights[tenth] @ (y[tenth] - p[tenth])) for tenth in tenths)
    return float(off / weights.sum())


def log_losses(p: Floats, y: Floats) -> Floats:
    """Return the log loss of each prediction, in nats."""
    losses: Floats = -(scipy.special.xlogy(y, p) + scipy.special.xlog1py(1.0 - y, -p))
    return losses


def accuracy(p: Floats, y: Floats, threshold: float = 0.5) -> float:
    """Return the share of examples on the right side of a threshold; on it is above it."""
    return float(np.mean((p >= threshold) == (y > 0)))


def best_threshold(p: Floats, y: Floats) -> float:
    """Return the threshold with the highest accuracy on these very examples.

    Examples
    --------
    >>> best_threshold(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 0, 1, 1]))
    0.3
    """
    values, at = np.unique(p, return_inverse=True)
    yes, number = np.bincount(at, y, len(values)), np.bincount(at, minlength=len(values))
    missed = np.cumsum(yes) - yes
    false_alarms = np.cumsum((number - yes)[::-1])[::-1]
    return float(values[int((missed + false_alarms).argmin())])


def confusion(p: Floats, y: Floats, threshold: float = 0.5) -> Confusion:
    """Return the confusion matrix at a threshold; on it is above it.

    Examples
    --------
    >>> confusion(np.array([0.1, 0.2, 0.6, 0.9]), np.array([0, 1, 0, 1]))
    Confusion(hits=1, false_alarms=1, missed=1, rightly_not=1)
    """
    said, did = p >= threshold, y > 0
    return Confusion(*(int(np.sum(part)) for part in (said & did, said & ~did, ~said & did, ~said & ~did)))


def roc(p: Floats, y: Floats, points: int = 100) -> tuple[Floats, Floats]:
    """Return the ROC curve: share of those who did not who are said to, and of those who did.

    Returns
    -------
    Shapes (k,) each, k at most `points` + 1, from (0, 0) to (1, 1).

    Examples
    --------
    >>> [part.tolist() for part in roc(np.array([0.1, 0.4, 0.8]), np.array([0, 1, 1]))]
    [[0.0, 0.0, 0.0, 1.0], [0.0, 0.5, 1.0, 1.0]]
    """
    values, at = np.unique(-p, return_inverse=True)
    yes, number = np.bincount(at, y, len(values)), np.bincount(at, minlength=len(values))
    hits, alarms = np.cumsum(yes) / max(yes.sum(), 1), np.cumsum(number - yes) / max((number - yes).sum(), 1)
    kept = np.unique(np.linspace(0, len(values) - 1, min(points, len(values))).astype(np.int64))
    return np.concatenate([[0.0], alarms[kept]]), np.concatenate([[0.0], hits[kept]])
