"""A sample of listeners as they come: those of the lowest hashes."""

from __future__ import annotations

import heapq
from zlib import crc32

import numpy as np
import numpy.typing as npt

__all__ = ["HASHES", "LowestHashes"]

HASHES = 1 << 32


class LowestHashes:
    """Numbers listeners in the order in which they come; where more come than fit, the lowest hashes stay.

    Each listener is in the sample or out of it with all clicks, whatever they are.

    Parameters
    ----------
    most
        Listeners held at most.

    References
    ----------
    [^1]: Bar-Yossef, Z. et al., 2002. Counting distinct elements in a data stream. RANDOM.

    Examples
    --------
    >>> sample = LowestHashes(most=2)
    >>> [sample.number(listener) for listener in ("u1", "u2", "u1", "u5", "u2")]
    [0, 1, 0, 2, None]
    >>> sample.listeners, sample.renumbered().tolist()
    (('u1', 'u5'), [0, -1, 1])
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._below = HASHES
        self._numbers: dict[str, int] = {}
        self._highest: list[tuple[int, str]] = []
        self._met = 0

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def listeners(self) -> tuple[str, ...]:
        """Those in the sample, in the order in which they came."""
        return tuple(self._numbers)

    @property
    def share(self) -> float:
        """Of all listeners, how many are in the sample."""
        return self._below / HASHES

    def number(self, listener: str) -> int | None:
        """Return the number of a listener, which a new one is given; None: not in the sample."""
        number = self._numbers.get(listener)
        if number is not None:
            return number
        hashed = crc32(listener.encode())
        if hashed >= self._below:
            return None
        self._numbers[listener] = self._met
        self._met += 1
        heapq.heappush(self._highest, (-hashed, listener))
        if len(self._numbers) > self._most:
            lowered, out = heapq.heappop(self._highest)
            self._below = -lowered
            del self._numbers[out]
        return self._numbers.get(listener)

    def renumbered(self) -> npt.NDArray[np.int64]:
        """Return, by the numbers that were given, the places in `listeners`; -1 for who is out by now."""
        places = np.full(self._met, -1, dtype=np.int64)
        kept = np.fromiter(self._numbers.values(), dtype=np.int64, count=len(self._numbers))
        places[kept] = np.arange(len(kept))
        return places
