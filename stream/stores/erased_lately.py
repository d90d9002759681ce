"""Listeners who have just been erased, followed in memory: nobody is told whom memory alone still holds."""

from __future__ import annotations

import time
from collections.abc import Sequence

from stream.retry import Clock
from stream.stores.erased import Erased, erased_hash

__all__ = ["ErasedLately"]

KEPT_SECONDS = 3600.0
"""Longer than any list of members in memory is behind."""

APART = 60.0  # seconds by which clocks may differ, and from the time of an erasure until it is noted


class ErasedLately:
    """Who was erased within the last hour, as of the last `refresh`.

    Who clicks again within that hour is a new listener, and is told once it is over: by their id alone
    memory cannot tell them from whom it still holds.
    """

    def __init__(self, erased: Erased, clock: Clock = time.time) -> None:
        self._erased = erased
        self._clock = clock
        self._read_at = 0.0
        self._times: dict[str, float] = {}

    async def refresh(self) -> None:
        """Read, in one round trip, who was erased since the last time."""
        now = self._clock()
        oldest = now - KEPT_SECONDS
        self._times |= await self._erased.since(max(oldest, self._read_at - APART))
        self._read_at = now
        for name in [name for name, at in self._times.items() if at < oldest]:
            del self._times[name]

    def among(self, user_ids: Sequence[str]) -> list[bool]:
        """Say of each listener whether they were; no hash is made while nobody was."""
        if not self._times:
            return [False] * len(user_ids)
        return [erased_hash(user) in self._times for user in user_ids]
