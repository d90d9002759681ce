"""Random features of columns of any scale: with them a linear model learns thresholds and interactions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["UNITS", "RandomFeatures"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

UNITS = 512
INPUTS = 2  # columns of a unit
FARTHEST = 4.0  # standard deviations at which columns are clipped


@dataclass(frozen=True, eq=False)
class RandomFeatures:
    """1; the columns as sign(x) log(1 + |x|), standardised; which are missing; and random units of these:

        h_k = max(0, z_a w_k1 + z_b w_k2 + c_k), less its mean

    of two columns a and b each, drawn once. A linear model of h knows thresholds and interactions of two
    columns, and can be learned in one pass, which trees cannot.

    Attributes
    ----------
    means, scales
        Shape (d,), of the columns after the logarithm; fixed, as a scale that moves would change what is
        learned. A column that had one value in all rows has the scale 1.
    missing
        The columns of which it is told whether they are missing.
    inputs, weights
        Shape (UNITS, 2): a, b, and w.
    offsets, centres
        Shape (UNITS,): c, and the mean of a unit.

    References
    ----------
    [^1]: Rahimi, A. and Recht, B., 2008. Weighted sums of random kitchen sinks. NIPS.

    Examples
    --------
    >>> rows = np.random.default_rng(1).poisson(3.0, (200, 4)).astype(float)
    >>> RandomFeatures.fit(rows).of(rows).shape
    (200, 517)
    """

    means: Floats
    scales: Floats
    missing: Ints
    inputs: Ints
    weights: Floats
    offsets: Floats
    centres: Floats

    @classmethod
    def fit(cls, rows: Floats, seed: int = 0) -> Self:
        """Fix scales and draw units by some rows, shape (n, d), NaN where something is missing."""
        chance = np.random.default_rng(seed)
        logs = _logs(rows)
        spreads = logs.std(axis=0)
        varied = np.flatnonzero(spreads > 0)
        scales = np.where(spreads > 0, spreads, 1.0)
        among = varied if len(varied) >= INPUTS else np.arange(rows.shape[1])
        inputs = np.array([chance.choice(among, INPUTS, replace=len(among) < INPUTS) for _ in range(UNITS)])
        blank = cls(
            means=logs.mean(axis=0),
            scales=scales,
            missing=np.flatnonzero(np.isnan(rows).any(axis=0)),
            inputs=inputs,
            weights=chance.normal(size=(UNITS, INPUTS)) / INPUTS**0.5,
            offsets=chance.normal(size=UNITS),
            centres=np.zeros(UNITS),
        )
        centres = blank.of(rows)[:, -UNITS:].mean(axis=0)
        return cls(**{**vars(blank), "centres": centres})

    @property
    def size(self) -> int:
        """Columns that `of` makes."""
        return 1 + len(self.means) + len(self.missing) + UNITS

    def of(self, rows: Floats) -> Floats:
        """Return the columns, shape (n, size), of rows (n, d)."""
        z = np.clip((_logs(rows) - self.means) / self.scales, -FARTHEST, FARTHEST)
        sums = sum(z[:, self.inputs[:, k]] * self.weights[:, k] for k in range(INPUTS))
        units = np.maximum(sums + self.offsets, 0.0) - self.centres
        ones = np.ones((len(rows), 1))
        return np.hstack([ones, z, np.isnan(rows[:, self.missing]), units])

    def to_arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return all there is to it."""
        return dict(vars(self))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Make it of what `to_arrays` gave."""
        return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})


def _logs(rows: Floats) -> Floats:
    filled = np.nan_to_num(rows)
    logs: Floats = np.sign(filled) * np.log1p(np.abs(filled))
    return logs
