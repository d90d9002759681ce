"""Which listeners a release may go to, by their traits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.traits.lifecycle import STAGES

__all__ = ["HOLDS", "NUMBERS", "SEGMENT", "STAGE", "Condition", "Where", "bounds_of"]

STAGE = "stage"
SEGMENT = "segment:"
"""What the names of traits begin with that say how likely a listener belongs to a segment."""
NUMBERS: Mapping[str, tuple[float, float]] = {
    "zero_week": (0.0, 1.0),
    "expected_week": (0.0, math.inf),
    "churn": (0.0, 1.0),
}
"""Traits that are numbers -> the least and the greatest that they can be; segments are besides these."""
HOLDS = -1


def bounds_of(trait: str) -> tuple[float, float] | None:
    """Return the least and the greatest value of a trait that is a number; None of any other name.

    Examples
    --------
    >>> bounds_of("segment:rap"), bounds_of("expected_week"), bounds_of("stage"), bounds_of("segment:")
    ((0.0, 1.0), (0.0, inf), None, None)
    """
    if trait.startswith(SEGMENT) and trait != SEGMENT:
        return 0.0, 1.0
    return NUMBERS.get(trait)


@dataclass(frozen=True)
class Condition:
    """What a trait must be: one of some stages, or a number within bounds.

    Attributes
    ----------
    trait
        Its name.
    stages
        Those that are allowed, of the trait "stage".
    least, most
        Bounds that are allowed themselves.
    above, below
        Bounds that are not.
    """

    trait: str
    stages: tuple[str, ...] = ()
    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    def holds(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Say for whom it holds, shape (n,): of numbers, NaN for who has no such trait, or of stages, ""."""
        if self.trait == STAGE:
            return np.isin(values, np.array(self.stages, dtype=str))
        holds: npt.NDArray[np.bool_] = (
            (values >= self.least) & (values <= self.most) & (values > self.above) & (values < self.below)
        )
        return holds

    @property
    def possible(self) -> bool:
        """Whether any value meets it."""
        if self.trait == STAGE:
            return bool(set(self.stages) & set(STAGES))
        low, high = max(self.least, self.above), min(self.most, self.below)
        return low < high or (low == high and low > self.above and high < self.below)


@dataclass(frozen=True)
class Where:
    """Conditions on traits, all of which a listener meets whom a release may go to.

    Examples
    --------
    >>> where = Where((Condition("stage", ("fading",)), Condition("churn", above=0.7)))
    >>> columns = {"stage": np.array(["fading", "new", "fading"]), "churn": np.array([0.9, 0.9, np.nan])}
    >>> where.failing(columns).tolist()
    [-1, 0, 1]
    """

    conditions: tuple[Condition, ...]

    def __bool__(self) -> bool:
        """Say whether there is any condition."""
        return bool(self.conditions)

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits that it asks after, in its order."""
        return tuple(condition.trait for condition in self.conditions)

    def failing(self, columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.int64]:
        """Return the place of the first condition that each listener does not meet, or `HOLDS`, shape (n,).

        Parameters
        ----------
        columns
            Trait -> the value of each listener, shape (n,); who has none is out.
        """
        holds = [condition.holds(columns[condition.trait]) for condition in self.conditions]
        places = list(range(len(holds)))
        return np.asarray(np.select([~each for each in holds], places, HOLDS), dtype=np.int64)
