"""How fast the sweep goes: as fast as it can while nobody clicks, a tenth of the time while clicks come.

While a process starts, clicks may wait that it has yet to see.
"""

from __future__ import annotations

import math

from consumers.runtime.rests import Rests

__all__ = ["Pace"]

SHARE = 0.1  # of an ingester's time
BUSY_SECONDS = 1.0  # since a batch of clicks was applied: more will follow
STARTING_SECONDS = 5.0
LONGEST_REST = 1.0  # seconds: the sweep's lease is to be renewed in time


class Pace:
    """Says how long to rest after a chunk.

    Parameters
    ----------
    began
        When the process did, on the clock of `now`.

    Examples
    --------
    >>> pace = Pace()
    >>> round(pace.rest(took=0.01, clicks=0, now=0.0), 3), round(pace.rest(took=0.01, clicks=500, now=0.1), 3)
    (0.0, 0.09)
    """

    def __init__(self, began: float = -math.inf) -> None:
        self._rests = Rests(SHARE, LONGEST_REST)
        self._clicks: int | None = None
        self._busy_until = began + STARTING_SECONDS

    def rest(self, took: float, clicks: int, now: float, listeners: int = 1) -> float:
        """Return the seconds to rest.

        Parameters
        ----------
        took
            Seconds that the chunk took.
        clicks
            Applied so far by this ingester.
        now
            In seconds, of a clock that only goes forward.
        listeners
            Of the chunk.
        """
        rest = self._rests.after(took, listeners)
        if self._clicks is not None and clicks != self._clicks:
            self._busy_until = max(self._busy_until, now + BUSY_SECONDS)
        self._clicks = clicks
        return 0.0 if now > self._busy_until else rest
