"""Intervals of weighted means, also where few rows carry most of the weight."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy

__all__ = ["gamma_interval", "normal_interval", "variance_of_mean"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVEL = 0.95


def gamma_interval(
    value: float, variance: float, largest: float, level: float = LEVEL
) -> tuple[float, float]:
    """Return an interval of a mean of weighted 0s and 1s.

    Such a mean is a sum of few jumps of unequal size, and the next jump may be larger than all that were
    seen: the usual interval, value ± 1.96 standard errors, then ends too low (docs/decisions/0019). With Y
    the value and v its variance, Fay and Feuer take

        low = v / (2 Y) chi2_{a/2}(2 Y^2 / v)
        high = v' / (2 Y') chi2_{1 - a/2}(2 Y'^2 / v'),   Y' = Y + m, v' = v + m^2,

    chi2_q(k) the quantile of k degrees of freedom and m the largest jump. It covers at its level or above.
    With equal weights it is the exact interval of a Poisson count. It never ends below the usual interval, as
    it would where a value near 0 is a difference (`models.quality.off_policy.doubly_robust`).

    Parameters
    ----------
    value
        The weighted mean; below 0 it counts as 0.
    variance
        Its variance.
    largest
        By how much the mean grows where the row, or the unit, of the largest weight turns from 0 to 1.

    References
    ----------
    [^1]: Fay, M. P. and Feuer, E. J., 1997. Confidence intervals for directly standardized rates: a method
          based on the gamma distribution. Statistics in Medicine.

    Examples
    --------
    Ten clicks in 1,000 rows of weight 1, and none:

    >>> [round(bound, 4) for bound in gamma_interval(0.010, 0.010 / 1000, 1 / 1000)]
    [0.0048, 0.0184]
    >>> [round(bound, 4) for bound in gamma_interval(0.0, 0.0, 1 / 1000)]
    [0.0, 0.0037]
    """
    value, tail = max(value, 0.0), (1 - level) / 2
    if not value + largest:
        return 0.0, 0.0  # no weight at all
    low = value
    if value and variance:
        low = variance / (2 * value) * float(scipy.stats.chi2.ppf(tail, 2 * value**2 / variance))
    more, spread = value + largest, variance + largest**2
    high = spread / (2 * more) * float(scipy.stats.chi2.ppf(1 - tail, 2 * more**2 / spread))
    return low, max(high, normal_interval(value, variance, level)[1])


def normal_interval(value: float, variance: float, level: float = LEVEL) -> tuple[float, float]:
    """Return value ± so many standard errors, for means of many rows of like size.

    Examples
    --------
    >>> [round(bound, 3) for bound in normal_interval(3.0, 0.01)]
    [2.804, 3.196]
    """
    half = float(scipy.stats.norm.ppf((1 + level) / 2)) * variance**0.5
    return value - half, value + half


def variance_of_mean(deviations: Floats, units: Ints) -> float:
    """Return the variance of a mean whose rows are alike within a unit and independent between units.

        G / (G - 1) sum_g (sum of the deviations of unit g)^2 / n^2

    Parameters
    ----------
    deviations
        Shape (n,), each row's difference from the mean.
    units
        Shape (n,), the number of each row's unit, from 0.

    References
    ----------
    [^1]: Liang, K.-Y. and Zeger, S. L., 1986. Longitudinal data analysis using generalized linear models.
          Biometrika.

    Examples
    --------
    >>> variance_of_mean(np.array([-1.0, 1.0, -1.0, 1.0]), np.arange(4))
    0.3333333333333333
    >>> variance_of_mean(np.array([-1.0, 1.0, -1.0, 1.0]), np.array([0, 1, 0, 1]))
    1.0
    """
    sums = np.bincount(units, deviations)
    groups = np.count_nonzero(np.bincount(units))
    return float(sums @ sums) / len(deviations) ** 2 * float(groups) / max(float(groups) - 1, 1)
