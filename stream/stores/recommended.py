"""The last songs recommended to each listener, kept for a time."""

from __future__ import annotations

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scripts import Script

__all__ = ["Recommended"]


class Recommended:
    """The store of recommendations: one answer a listener, as JSON.

    Parameters
    ----------
    seconds
        For how long an answer is kept; 0: none is.
    """

    def __init__(self, redis: AnyRedis, seconds: float) -> None:
        self._redis = redis
        self._milliseconds = round(1000 * seconds)
        self._keep = Script("keep_recommended")

    async def get(self, user_id: str) -> bytes | None:
        """Return the last answer; None where there is none, or it is too old."""
        if not self._milliseconds:
            return None
        answer: bytes | None = await self._redis.get(keys.recommended(user_id))
        return answer

    async def put(self, user_id: str, answer: bytes) -> None:
        """Keep an answer in place of the last, unless the listener was erased since it was asked for."""
        if self._milliseconds:
            named = [keys.user(user_id), keys.recommended(user_id)]
            await self._keep(self._redis, named, answer, self._milliseconds)

    async def forget(self, user_id: str) -> None:
        """Erase the last answer."""
        await self._redis.delete(keys.recommended(user_id))
