"""How well a ranking finds those whom a treatment moves: Qini curve and coefficient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

__all__ = ["SplitMean", "over_splits", "qini_coefficient", "qini_curve"]

Floats = npt.NDArray[np.float64]

LEVEL = 0.95


def qini_curve(scores: Floats, treated: Floats, outcomes: Floats) -> tuple[Floats, Floats]:
    """Return how many outcomes more there are with the treatment than without it, among the best k by score.

        Q(k) = outcomes of the treated among k - outcomes of the others among k x treated / others among k

    Rows of the same score come in together.

    Parameters
    ----------
    scores, treated, outcomes
        Shape (n,); the last two 0 or 1.

    Returns
    -------
    k, from 0 to n, and Q(k): one point for each distinct score, after (0, 0).

    References
    ----------
    [^1]: Radcliffe, N. J., 2007. Using control groups to target on predicted lift: building and assessing
          uplift models. Direct Marketing Analytics Journal.

    Examples
    --------
    >>> qini_curve(np.array([4.0, 3, 2, 1]), np.array([1.0, 0, 1, 0]), np.array([1.0, 0, 1, 1]))[1].tolist()
    [0.0, 1.0, 1.0, 2.0, 1.0]
    """
    order = np.argsort(-scores, kind="stable")
    scores, treated, outcomes = scores[order], treated[order], outcomes[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of each distinct score
    n_treated, with_it = np.cumsum(treated)[last], np.cumsum(outcomes * treated)[last]
    n_others, without = last + 1 - n_treated, np.cumsum(outcomes * (1 - treated))[last]
    ratio = np.divide(n_treated, n_others, out=np.zeros_like(n_treated), where=n_others > 0)
    return np.append(0.0, last + 1.0), np.append(0.0, with_it - without * ratio)


def qini_coefficient(scores: Floats, treated: Floats, outcomes: Floats) -> float:
    """Return the area between the Qini curve and that of any order, over the same area of the best order.

    0 is chance, 1 the order of one who knows each outcome: first who was treated and did it, last who did it
    untreated. Nobody comes near 1, as nobody knows what a row would have done in the other group.

    Returns
    -------
    The coefficient; 0 where the best order is no better than any.

    References
    ----------
    [^1]: Devriendt, F., Guns, T. and Verbeke, W., 2020. Learning to rank for uplift modeling. IEEE TKDE.

    Examples
    --------
    >>> treated, outcomes = np.array([1.0, 0, 1, 0]), np.array([1.0, 0, 0, 1])
    >>> qini_coefficient(np.array([4.0, 3, 2, 1]), treated, outcomes)
    1.0
    >>> qini_coefficient(np.zeros(4), treated, outcomes)
    0.0
    """
    best = _above_chance(outcomes * treated - outcomes * (1 - treated), treated, outcomes)
    return _above_chance(scores, treated, outcomes) / best if best else 0.0


def _above_chance(scores: Floats, treated: Floats, outcomes: Floats) -> float:
    k, gained = qini_curve(scores, treated, outcomes)
    area = np.diff(k) @ (gained[1:] + gained[:-1]) / 2
    return float(area - gained[-1] * k[-1] / 2)


@dataclass(frozen=True)
class SplitMean:
    """A figure's mean over random splits of the same rows, with a 95 % interval."""

    value: float
    low: float
    high: float


def over_splits(figures: Floats, held_out: float) -> SplitMean:
    """Return the mean of a figure over splits, and how sure it is.

    Splits share rows, so their figures vary less than those of new rows would: the variance is that of the
    figures x (1 / J + held out / learned from), with Student's t of J - 1 degrees of freedom.

    Parameters
    ----------
    figures
        Shape (J,), one of each split.
    held_out
        Share of rows held out.

    References
    ----------
    [^1]: Nadeau, C. and Bengio, Y., 2003. Inference for the generalization error. Machine Learning.

    Examples
    --------
    >>> found = over_splits(np.array([0.01, 0.02, 0.03]), 0.2)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.02, -0.013, 0.053)
    """
    splits = len(figures)
    mean, half = float(figures.mean()), 0.0
    if splits > 1:
        variance = float(figures.var(ddof=1)) * (1 / splits + held_out / (1 - held_out))
        half = float(scipy.stats.t.ppf((1 + LEVEL) / 2, splits - 1)) * variance**0.5
    return SplitMean(mean, mean - half, mean + half)
