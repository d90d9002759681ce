"""The area under the ROC curve, with an interval that few examples make wide."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.quality.evaluation import Estimate

__all__ = ["auc"]

Floats = npt.NDArray[np.float64]

NORMAL_95 = 1.959964


def auc(scores: npt.ArrayLike, positive: npt.ArrayLike) -> Estimate | None:
    """Return how often a positive scores above a negative, ties half, with DeLong's 95 % interval.

    The interval is made on the scale log(A / (1 - A)), so that it stays within 0 and 1; where all pairs are
    in order, half a pair is taken to be wrong.

    Parameters
    ----------
    scores
        Shape (n,).
    positive
        Shape (n,), truth.

    Returns
    -------
    None with fewer than two of either: nothing can be said of the spread.

    References
    ----------
    [^1]: DeLong, E. R., DeLong, D. M. and Clarke-Pearson, D. L., 1988. Comparing the areas under two or more
          correlated receiver operating characteristic curves: a nonparametric approach. Biometrics 44.

    Examples
    --------
    >>> found = auc([0.1, 0.4, 0.35, 0.8, 0.7, 0.2], [0, 0, 1, 1, 1, 0])
    >>> round(found.value, 3), round(found.low, 2), round(found.high, 2)
    (0.889, 0.26, 0.99)
    >>> auc([0.5, 0.7], [0, 1]) is None
    True
    """
    values = np.asarray(scores, dtype=np.float64)
    is_positive = np.asarray(positive).astype(bool)
    yes, no = np.sort(values[is_positive]), np.sort(values[~is_positive])
    if min(len(yes), len(no)) < 2:  # noqa: PLR2004 - a variance needs two
        return None
    above, below = _share_below(yes, no), 1.0 - _share_below(no, yes)
    area = float(above.mean())
    variance = above.var(ddof=1) / len(yes) + below.var(ddof=1) / len(no)
    half_a_pair = 0.5 / (len(yes) * len(no))
    safe = min(max(area, half_a_pair), 1.0 - half_a_pair)
    slope = 1.0 / (safe * (1.0 - safe))
    # Without a spread (all in order, all alike) that of half a pair is the least there can be.
    error = max(float(np.sqrt(variance)), half_a_pair) * slope
    logit = np.log(safe / (1.0 - safe))
    low, high = 1.0 / (1.0 + np.exp(-(logit + NORMAL_95 * error * np.array([-1.0, 1.0]))))
    return Estimate(area, float(low), float(high))


def _share_below(some: Floats, others: Floats) -> Floats:
    """Return for each of `some` the share of `others`, which are sorted, below it; ties half."""
    lower, upper = (np.searchsorted(others, some, side=side) for side in ("left", "right"))
    share: Floats = (lower + upper) / (2.0 * len(others))
    return share
