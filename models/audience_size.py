"""How many listeners to notify of a release: as long as one more is expected to gain more than it costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["SizeCurve", "Worth", "size_curve"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Worth:
    """What a notification gains and costs, in any one unit.

    Parameters
    ----------
    click
        Value of a click.
    ignored
        Cost of a notification that is not clicked.
    opt_out
        Cost of a listener who opts out.
    """

    click: float
    ignored: float
    opt_out: float

    def least_ctr(self, opt_out_rate: float = 0.0) -> float:
        """Return the predicted click-through rate from which on a notification gains: (c + o q) / (v + c).

        Examples
        --------
        >>> round(Worth(click=1.0, ignored=0.02, opt_out=20.0).least_ctr(0.001), 4)
        0.0392
        """
        return (self.ignored + self.opt_out * opt_out_rate) / (self.click + self.ignored)

    def gain(self, ctr: npt.ArrayLike, opt_out_rate: npt.ArrayLike = 0.0) -> Floats:
        """Return the expected gain of notifying listeners: v p - c (1 - p) - o q.

        Parameters
        ----------
        ctr
            Predicted click-through rates p, shape (n,).
        opt_out_rate
            Predicted share q who opt out because of the notification; one number or shape (n,).

        Examples
        --------
        >>> Worth(click=1.0, ignored=0.1, opt_out=10.0).gain([0.5, 0.2], 0.001).round(3).tolist()
        [0.44, 0.11]
        """
        p, q = np.asarray(ctr, dtype=np.float64), np.asarray(opt_out_rate, dtype=np.float64)
        gain: Floats = self.click * p - self.ignored * (1.0 - p) - self.opt_out * q
        return gain


@dataclass(frozen=True, eq=False)
class SizeCurve:
    """What audiences of several sizes are expected to bring.

    Attributes
    ----------
    sizes
        Shape (m,), rising.
    clicks, ctr, gain
        Shape (m,): expected clicks of that many best listeners, clicks over size, and their gain.
    """

    sizes: Ints
    clicks: Floats
    ctr: Floats
    gain: Floats


def size_curve(ctr: Floats, worth: Worth, opt_out_rate: npt.ArrayLike = 0.0, points: int = 20) -> SizeCurve:
    """Return expected clicks, click-through rate and gain by size of the audience.

    Parameters
    ----------
    ctr
        Predicted click-through rates, shape (n,), falling.
    points
        Sizes at most, from 1 to n, by equal factors.

    Examples
    --------
    >>> curve = size_curve(np.array([0.4, 0.2, 0.1, 0.1]), Worth(1.0, 0.0, 0.0), points=3)
    >>> curve.sizes.tolist(), curve.clicks.round(2).tolist(), curve.ctr.round(2).tolist()
    ([1, 2, 4], [0.4, 0.6, 0.8], [0.4, 0.3, 0.2])
    """
    if not len(ctr):
        none = np.zeros(0)
        return SizeCurve(np.zeros(0, dtype=np.int64), none, none, none)
    sizes = np.unique(np.geomspace(1, len(ctr), points).round().astype(np.int64))
    clicks = np.cumsum(ctr, dtype=np.float64)[sizes - 1]
    gain = np.cumsum(worth.gain(ctr, opt_out_rate))[sizes - 1]
    return SizeCurve(sizes, clicks, clicks / sizes, gain)
