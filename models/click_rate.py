"""The click-through rate of a cohort, a release or a listener: clicked over sent, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from models.affinity import DAY

__all__ = [
    "COHORT_PRIOR",
    "HALF_LIFE",
    "LISTENER_PRIOR",
    "MIN_SENT",
    "ClickRate",
    "click_rate",
    "credible_interval",
    "shrunk_rate",
]

Floats = npt.NDArray[np.float64]

HALF_LIFE = 90 * DAY
"""Seconds in which a count loses half its worth (`models.affinity.ForwardDecay`)."""

MIN_SENT = 20
"""Notifications below which no CTR is shown. At 20, one click more or less moves the rate by 5 percentage
points, which is the CTR that is to be told from none; the 95 % interval of 0 of 20 still reaches 12 %."""

WEAK_PRIOR = 1.0
"""Notifications that the parent's rate counts as in what is shown: an interval that covers at its level must
hardly lean on it (as much as Jeffreys' prior weighs, which is Beta(1/2, 1/2))."""

COHORT_PRIOR = 100.0
"""Notifications that the global rate counts as in a cohort's shrunk rate."""

LISTENER_PRIOR = 10.0
"""Notifications that the global rate counts as in a listener's shrunk rate."""

LEVEL = 0.95


@dataclass(frozen=True)
class ClickRate:
    """A click-through rate as it is shown.

    Attributes
    ----------
    sent, clicked
        Counts, faded, hence fractions.
    rate
        clicked / sent; None below `MIN_SENT`.
    low, high
        The 95 % credible interval.
    """

    sent: float
    clicked: float
    rate: float | None
    low: float
    high: float


def shrunk_rate(
    clicked: npt.ArrayLike, sent: npt.ArrayLike, parent_rate: npt.ArrayLike, strength: float
) -> Floats:
    """Return posterior means of click-through rates, shrunk to the rate of a parent.

    The prior is Beta(s q, s (1 - q)), q the parent's rate and s `strength`; with c of n clicked the posterior
    is Beta(s q + c, s (1 - q) + n - c), and its mean (s q + c) / (s + n).

    Parameters
    ----------
    clicked, sent
        Shape (n,), counts, faded alike. A click implies a notification: where more were clicked than sent, as
        many count as sent as were clicked.
    parent_rate
        0 to 1: of all listeners for a cohort, of a cohort for its listener.
    strength
        Notifications that the parent's rate counts as: `COHORT_PRIOR`, `LISTENER_PRIOR`.

    Examples
    --------
    >>> shrunk_rate([0, 1, 50], [0, 1, 100], parent_rate=0.1, strength=10.0).round(3).tolist()
    [0.1, 0.182, 0.464]
    """
    a, b = _posterior(clicked, sent, parent_rate, strength)
    mean: Floats = a / (a + b)
    return mean


def credible_interval(
    clicked: npt.ArrayLike,
    sent: npt.ArrayLike,
    parent_rate: npt.ArrayLike = 0.5,
    strength: float = WEAK_PRIOR,
    level: float = LEVEL,
) -> tuple[Floats, Floats]:
    """Return the equal-tailed credible intervals of click-through rates: low and high, shape (n,) each.

    The quantiles (1 - level) / 2 and (1 + level) / 2 of the posterior of `shrunk_rate`. With the default
    prior, Beta(1/2, 1/2), they cover at about their level whatever the rate is. Where nothing was clicked the
    interval starts at 0, where everything was it ends at 1.

    References
    ----------
    [^1]: Brown, L. D., Cai, T. T. and DasGupta, A., 2001. Interval estimation for a binomial proportion.
          Statistical Science. (Jeffreys' interval, and its two ends.)

    Examples
    --------
    >>> low, high = credible_interval([0, 5, 50], [20, 100, 1000])
    >>> low.round(3).tolist(), high.round(3).tolist()
    ([0.0, 0.019, 0.038], [0.117, 0.106, 0.065])
    """
    a, b = _posterior(clicked, sent, parent_rate, strength)
    tail = (1.0 - level) / 2
    low = np.where(np.asarray(clicked) <= 0, 0.0, scipy.special.betaincinv(a, b, tail))
    high = np.where(np.asarray(clicked) >= np.asarray(sent), 1.0, scipy.special.betaincinv(a, b, 1.0 - tail))
    return low, high


def click_rate(clicked: float, sent: float) -> ClickRate:
    """Return a click-through rate as it is shown, with its 95 % credible interval.

    Examples
    --------
    >>> click_rate(5, 100)
    ClickRate(sent=100, clicked=5, rate=0.05, low=0.019, high=0.106)
    >>> click_rate(1, 1).rate is None
    True
    """
    sent = max(sent, clicked)
    low, high = credible_interval(clicked, sent)
    rate = clicked / sent if sent >= MIN_SENT else None
    return ClickRate(sent, clicked, rate, round(float(low), 3), round(float(high), 3))


def _posterior(
    clicked: npt.ArrayLike, sent: npt.ArrayLike, parent_rate: npt.ArrayLike, strength: float
) -> tuple[Floats, Floats]:
    yes = np.asarray(clicked, dtype=np.float64)
    no = np.maximum(np.asarray(sent, dtype=np.float64) - yes, 0.0)
    parent = np.asarray(parent_rate, dtype=np.float64)
    return strength * parent + yes, strength * (1.0 - parent) + no
