"""How often somebody may ask: counted in the memory of each process."""

from __future__ import annotations

import time
from http import HTTPStatus

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.exceptions import HTTPException

__all__ = ["Rates"]

REFUSED_A_MINUTE = 20
"""Requests with a wrong key, or none, that an address may make before it is not listened to."""


class Rates:
    """Counts requests over the last minute.

    Parameters
    ----------
    a_minute
        How many each caller may make.
    """

    def __init__(self, a_minute: int) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._asked = RateLimitItemPerMinute(a_minute, namespace="asked")
        self._refused = RateLimitItemPerMinute(REFUSED_A_MINUTE, namespace="refused")

    async def count(self, caller: str) -> None:
        """Count a request.

        Raises
        ------
        HTTPException
            429, where there were too many.
        """
        await self._count(self._asked, caller, "too many requests with this key")

    async def count_refused(self, address: str) -> None:
        """Count a request that is refused for want of a key.

        Raises
        ------
        HTTPException
            429, where there were too many.
        """
        await self._count(self._refused, address, "too many requests without a key that is known")

    async def _count(self, limit: RateLimitItemPerMinute, who: str, what: str) -> None:
        if await self._limiter.hit(limit, who):
            return
        window = await self._limiter.get_window_stats(limit, who)
        again = max(1, round(window.reset_time - time.time()))
        raise HTTPException(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"{what}: {limit.amount} a minute are answered; ask again in {again} s",
            headers={"Retry-After": str(again)},
        )
