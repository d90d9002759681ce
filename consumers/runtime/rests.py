"""How long to rest after a piece of work, so that all of it takes a share of a core."""

from __future__ import annotations

from collections import deque

__all__ = ["Rests"]

REMEMBERED = 20  # pieces of work
LONGEST_REST = 10.0  # seconds


class Rests:
    """Says how long to rest.

    What one listener or segment takes is the shortest of the last pieces: the others also waited, for clicks
    that were applied, or for a Redis or Kafka that was away.

    Parameters
    ----------
    share
        Of a core.
    longest
        Seconds that a rest takes at most.
    remembered
        How many pieces are the last ones; 1 where one takes far longer than another by itself.

    Examples
    --------
    >>> rests = Rests(0.1)
    >>> round(rests.after(0.01, 200), 3), round(rests.after(3600.0, 200), 3)
    (0.09, 0.09)
    """

    def __init__(self, share: float, longest: float = LONGEST_REST, remembered: int = REMEMBERED) -> None:
        self._share = share
        self._longest = longest
        self._took: deque[float] = deque(maxlen=remembered)

    def after(self, took: float, number: int) -> float:
        """Return the seconds to rest after so many listeners or segments took so many seconds."""
        if not number:
            return 0.0
        self._took.append(took / number)
        return min(min(self._took) * number * (1 / self._share - 1), self._longest)
