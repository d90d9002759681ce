"""When listeners are not to be disturbed: hours of their own clocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

__all__ = ["QuietHours"]

Floats = npt.NDArray[np.float64]

DAY = 24 * 60  # minutes
HOUR = 60


@dataclass(frozen=True)
class QuietHours:
    """A part of each day, by the listener's clock.

    Attributes
    ----------
    begin, end
        Minutes after midnight; it goes over midnight where the end comes first.

    Examples
    --------
    >>> night = QuietHours.parse("22-7:30")
    >>> night
    QuietHours(begin=1320, end=450)

    At half past eleven in the evening UTC, in London, in New York and where it is not known:

    >>> (night.until(84_600.0, np.array([0.0, -300.0, np.nan])) - 84_600.0).tolist()
    [28800.0, -84600.0, -84600.0]
    """

    begin: int
    end: int

    @classmethod
    def parse(cls, written: str) -> Self:
        """Read hours as people write them: `22-7`, `22:30-07:00`.

        Raises
        ------
        ValueError
            Where they are none.
        """
        try:
            begin, end = (_minutes(clock) for clock in written.split("-"))
        except ValueError:
            begin = end = 0
        if begin == end:
            raise ValueError(f"{written!r} is no part of a day; write it like 22-7 or 22:30-7:00")
        return cls(begin, end)

    def until(self, now: float, utc_offset_min: npt.NDArray[np.floating]) -> Floats:
        """Return when listeners may be disturbed again, in Unix seconds; 0 for those who may be now.

        Parameters
        ----------
        now
            Unix seconds.
        utc_offset_min
            Shape (n,), by how many minutes each listener's clock is ahead of UTC; NaN where it is not known:
            they may be disturbed.
        """
        clock = np.asarray(utc_offset_min, dtype=np.float64) + now / 60.0
        gone = (clock - self.begin) % DAY
        left = (self.end - self.begin) % DAY - gone
        quiet: Floats = np.where(left > 0, now + 60.0 * left, 0.0)
        return quiet


def _minutes(clock: str) -> int:
    """Return the minutes after midnight of `22` or `22:30`; a ValueError where it is no time of day."""
    hours, colon, minutes = clock.strip().partition(":")
    hour, minute = int(hours), int(minutes) if colon else 0
    if not (hour >= 0 and 0 <= minute < HOUR and HOUR * hour + minute <= DAY):
        raise ValueError(clock)
    return (HOUR * hour + minute) % DAY
