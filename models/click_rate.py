"""What share of those who are told click, and how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import beta

__all__ = ["HALF_LIFE", "MIN_SENT", "ClickRate", "click_rate"]

HALF_LIFE = 90 * 86_400.0
"""Seconds in which what a cohort or a listener clicked counts half: habits change slower than tastes."""

MIN_SENT = 20
"""Notifications from which on a rate is shown: below, its interval is wider than most differences between
cohorts (at a true rate of 10 %, 40 points and more)."""

JEFFREYS = 0.5
LEVEL = 0.95


@dataclass(frozen=True)
class ClickRate:
    """A click-through rate.

    Attributes
    ----------
    ctr
        Clicked / sent; None where fewer than `MIN_SENT` were sent.
    ctr_low, ctr_high
        Between these it is with a probability of 95 %, as far as counts tell; None as `ctr`.
    """

    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None


def click_rate(clicked: int, sent: int) -> ClickRate:
    """Return the click-through rate and its 95 % credible interval.

    The interval has equal tails, of the posterior Beta(clicked + 1/2, sent - clicked + 1/2): the prior is
    Jeffreys'. It begins at 0 where nobody clicked, and ends at 1 where all did.

    References
    ----------
    [^1]: Brown, L. D., Cai, T. T. and DasGupta, A., 2001. Interval estimation for a binomial proportion.
          Statistical Science.

    Examples
    --------
    >>> click_rate(clicked=12, sent=100)
    ClickRate(ctr=0.12, ctr_low=0.0673, ctr_high=0.1943)
    >>> click_rate(clicked=1, sent=1).ctr is None
    True
    """
    if sent < MIN_SENT:
        return ClickRate(None, None, None)
    low, high = beta.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], clicked + JEFFREYS, sent - clicked + JEFFREYS)
    return ClickRate(
        clicked / sent,
        0.0 if clicked == 0 else round(float(low), 4),
        1.0 if clicked == sent else round(float(high), 4),
    )
