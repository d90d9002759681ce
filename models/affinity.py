"""How much a listener cares for an artist, kept so that nothing is ever rewritten to fade."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import overload

import numpy as np
import numpy.typing as npt

__all__ = ["ACTION_WEIGHTS", "DAY", "ForwardDecay"]

Floats = npt.NDArray[np.float64]

DAY = 86_400.0

# Signed, so that weights add up in any order: a skip takes back half of a play, whichever came first.
ACTION_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {"play": 1.0, "complete": 1.5, "like": 3.0, "download": 3.0, "search": 0.5, "skip": -0.5}
)


@dataclass(frozen=True)
class ForwardDecay:
    """Exponential decay that never rewrites what it decays.

    A weight w at time t is stored as w 2^((t - L)/h), L the landmark and h the half-life. Stored values
    add up, whatever the order of events; to read them at time T, multiply by 2^(-(T - L)/h). Ranks need
    no reading: every stored value has the same factor ahead of it.

    Parameters
    ----------
    half_life
        Seconds in which a weight loses half its worth.
    landmark
        The fixed moment L, in Unix seconds. Default: 2020-01-01 UTC. Doubles last 1,023 half-lives from it,
        which is 19 years at a half-life of 7 days.

    Raises
    ------
    ValueError
        When `half_life` is not a positive, finite number.

    References
    ----------
    [^1]: Cormode, G., Shkapenyuk, V., Srivastava, D. and Xu, B., 2009. Forward decay: a practical time
    decay model for streaming systems. ICDE.

    Examples
    --------
    >>> decay = ForwardDecay(half_life=7 * DAY, landmark=0.0)
    >>> early, late = decay.stored(1.0, ts=0.0), decay.stored(1.0, ts=7 * DAY)
    >>> early, late
    (1.0, 2.0)
    >>> decay.read(early + late, now=14 * DAY)
    0.75
    """

    half_life: float = 30 * DAY
    landmark: float = 1_577_836_800.0

    def __post_init__(self) -> None:
        if not 0 < self.half_life < float("inf"):
            raise ValueError(f"half_life is {self.half_life} s; give a positive number of seconds")

    @overload
    def stored(self, weight: float, ts: float) -> float: ...
    @overload
    def stored(self, weight: Floats, ts: Floats | float) -> Floats: ...
    @overload
    def stored(self, weight: float, ts: Floats) -> Floats: ...
    def stored(self, weight: Floats | float, ts: Floats | float) -> Floats | float:
        """Return what to add to the store for a weight at time `ts` (Unix seconds)."""
        growth: Floats | float = 2.0 ** ((ts - self.landmark) / self.half_life)
        return weight * growth

    def stored_singly(self, weights: Sequence[float], times: Sequence[float]) -> list[float]:
        """Return `stored` of each weight and time, the same to the last bit wherever in a batch they stand.

        NumPy computes powers some at a time, and may round those at an array's end in another way.
        """
        landmark, half_life = self.landmark, self.half_life
        return [w * 2.0 ** ((ts - landmark) / half_life) for w, ts in zip(weights, times, strict=True)]

    @overload
    def read(self, stored: float, now: float) -> float: ...
    @overload
    def read(self, stored: Floats, now: float) -> Floats: ...
    def read(self, stored: Floats | float, now: float) -> Floats | float:
        """Return what a stored value is worth at time `now` (Unix seconds)."""
        # In two halves: the whole factor leaves the range of doubles before the stored values do.
        half: float = 2.0 ** (-0.5 * (now - self.landmark) / self.half_life)
        return stored * half * half
