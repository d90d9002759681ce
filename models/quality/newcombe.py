"""The difference of two shares, looked at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import scipy

__all__ = ["Effect"]

LEVEL = 0.95


@dataclass(frozen=True)
class Effect:
    """What a treatment does to all together.

    Attributes
    ----------
    treated, control
        Share of each group that has the outcome.
    difference
        The first less the second, in shares (0.01: one point).
    difference_low, difference_high
        Its 95 % interval, for data that are looked at once: of data that are still coming in
        `models.quality.anytime` holds.
    """

    treated: float
    control: float
    difference: float
    difference_low: float
    difference_high: float

    @classmethod
    def of(cls, hits: int, treated: int, control_hits: int, control: int) -> Self:
        """Return it for two groups of at least one each, with Newcombe's interval.

        With p and (l, u) the share and its Wilson interval,

            low = p_1 - p_0 - sqrt((p_1 - l_1)^2 + (u_0 - p_0)^2)
            high = p_1 - p_0 + sqrt((u_1 - p_1)^2 + (p_0 - l_0)^2)

        References
        ----------
        [^1]: Newcombe, R. G., 1998. Interval estimation for the difference between independent proportions.
              Statistics in Medicine (method 10).

        Examples
        --------
        >>> found = Effect.of(56, 70, 48, 80)
        >>> round(found.difference, 3), round(found.difference_low, 4), round(found.difference_high, 4)
        (0.2, 0.0524, 0.3339)
        """
        share, other = hits / treated, control_hits / control
        low, high = _wilson(hits, treated)
        other_low, other_high = _wilson(control_hits, control)
        return cls(
            share,
            other,
            share - other,
            share - other - ((share - low) ** 2 + (other_high - other) ** 2) ** 0.5,
            share - other + ((high - share) ** 2 + (other - other_low) ** 2) ** 0.5,
        )


def _wilson(hits: int, of: int) -> tuple[float, float]:
    found = scipy.stats.binomtest(hits, of).proportion_ci(LEVEL, method="wilson")
    return float(found.low), float(found.high)
