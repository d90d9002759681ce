"""Intervals that hold however often one looks: for shares, and for the difference of two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy

__all__ = ["Outcomes", "Uplift", "share_between", "uplift", "uplift_within"]

PRIOR = 0.5
LEVEL = 0.95
EDGE = 1e-12

Floats = npt.NDArray[np.float64]


def share_between(hits: float, of: float, level: float = LEVEL) -> tuple[float, float]:
    """Return between what a share is, at all times at once with a probability of `level`.

    A confidence sequence: the shares p for which the likelihood of what was seen, averaged over
    Beta(1/2, 1/2), is less than 1 / (1 - level) times that under p,

        B(hits + 1/2, of - hits + 1/2) / B(1/2, 1/2) < p^hits (1 - p)^(of - hits) / (1 - level).

    The ratio is a martingale under the true p, so that it is ever so large with a probability of at most
    1 - level (Ville's inequality): one may look after every listener and stop when one likes.

    References
    ----------
    [^1]: Robbins, H., 1970. Statistical methods related to the law of the iterated logarithm. Annals of
          Mathematical Statistics.
    [^2]: Howard, S. R., Ramdas, A., McAuliffe, J. and Sekhon, J., 2021. Time-uniform, nonparametric,
          nonasymptotic confidence sequences. Annals of Statistics.

    Examples
    --------
    >>> [round(bound, 3) for bound in share_between(30, 100)]
    [0.166, 0.463]
    >>> share_between(0, 0)
    (0.0, 1.0)
    """
    if not of:
        return 0.0, 1.0
    mixed = scipy.special.betaln(hits + PRIOR, of - hits + PRIOR) - scipy.special.betaln(PRIOR, PRIOR)

    def beyond(p: float) -> float:
        return float(
            mixed - scipy.special.xlogy(hits, p) - scipy.special.xlog1py(of - hits, -p) + np.log(1 - level)
        )

    best = hits / of
    low = scipy.optimize.brentq(beyond, EDGE, best) if hits and beyond(EDGE) > 0 else 0.0
    high = scipy.optimize.brentq(beyond, best, 1 - EDGE) if hits < of and beyond(1 - EDGE) > 0 else 1.0
    return float(low), float(high)


@dataclass(frozen=True)
class Uplift:
    """What being told brings, against a control group.

    Attributes
    ----------
    told, control
        Share of each who played; None where there is nobody.
    uplift
        The difference, in shares (0.01: one point); None where one of them is None.
    uplift_low, uplift_high
        Between these it is, however often one looks, with a probability of 95 %.
    """

    told: float | None
    control: float | None
    uplift: float | None
    uplift_low: float
    uplift_high: float


def uplift(told_played: float, told: float, control_played: float, control: float) -> Uplift:
    """Return what being told brings.

    Each share has a confidence sequence at 97.5 %; that of the difference is from the lower end of one less
    the upper end of the other (union bound).

    Examples
    --------
    >>> found = uplift(told_played=900, told=10_000, control_played=20, control=500)
    >>> round(found.uplift, 3), round(found.uplift_low, 3), round(found.uplift_high, 3)
    (0.05, -0.003, 0.087)
    """
    told_low, told_high = share_between(told_played, told, (1 + LEVEL) / 2)
    control_low, control_high = share_between(control_played, control, (1 + LEVEL) / 2)
    told_share = told_played / told if told else None
    control_share = control_played / control if control else None
    both = told_share is not None and control_share is not None
    return Uplift(
        told_share,
        control_share,
        told_share - control_share if both else None,  # type: ignore[operator]
        told_low - control_high,
        told_high - control_low,
    )


class Outcomes(NamedTuple):
    """How many of two groups were hits; as the arguments of `uplift`."""

    told_played: int
    told: int
    control_played: int
    control: int


def uplift_within(parts: Sequence[Outcomes]) -> Uplift:
    """Return what being told brings, where several parts have other rates, and groups of other proportions.

    Added up, a group would differ that has more of its listeners in the parts of the higher rates (Simpson's
    paradox). So each part weighs w_r = n_r m_r / (n_r + m_r) in both groups, of n_r and m_r listeners: the
    weights of Mantel and Haenszel. A share p = sum w_r p_r / sum w_r has the variance

        sum (w_r^2 p_r (1 - p_r) / n_r) / (sum w_r)^2,

    and the interval is that of as many listeners as would give a share p this variance, but of no more than

        (sum w_r)^2 / sum (w_r^2 / n_r),

    which is right where all parts have one rate: the p_r of few listeners say little. Where the proportion
    is the same in all parts these are all of the listeners, and shares and interval those of the sums. A part
    that one of the groups is not in says nothing. Weights change while listeners come: that the interval
    holds at looks on the way, too, is tested, not proven.

    References
    ----------
    [^1]: Mantel, N. and Haenszel, W., 1959. Statistical aspects of the analysis of data from retrospective
          studies of disease. Journal of the National Cancer Institute.
    [^2]: Kish, L., 1965. Survey sampling. Wiley.

    Examples
    --------
    >>> found = uplift_within([Outcomes(3, 100, 27, 900), Outcomes(45, 500, 45, 500)])
    >>> round(found.told, 3), round(found.control, 3), round(found.uplift, 3)
    (0.074, 0.074, 0.0)
    """
    both = [part for part in parts if part.told and part.control]
    if not both:
        return uplift(0, 0, 0, 0)
    told_played, told, control_played, control = np.array(both, dtype=np.float64).T
    weight = told * control / (told + control)
    told_share, n_told = _share(weight, told_played / told, told)
    control_share, n_control = _share(weight, control_played / control, control)
    return uplift(told_share * n_told, n_told, control_share * n_control, n_control)


def _share(weight: Floats, rates: Floats, of: Floats) -> tuple[float, float]:
    """Return the weighted mean of the rates, and of how many listeners a share is as uncertain."""
    total = float(weight.sum())
    share = min(float(weight @ rates) / total, 1.0)
    scale = weight**2 / of
    listeners = total**2 / float(scale.sum())
    variance = float(scale @ (rates * (1 - rates))) / total**2
    if variance > 0:
        listeners = min(listeners, share * (1 - share) / variance)
    return share, listeners
