"""Intervals that hold however often one looks: for shares, and for the difference of two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy

__all__ = ["Uplift", "share_between", "uplift"]

PRIOR = 0.5
LEVEL = 0.95
EDGE = 1e-12


def share_between(hits: int, of: int, level: float = LEVEL) -> tuple[float, float]:
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


def uplift(told_played: int, told: int, control_played: int, control: int) -> Uplift:
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
