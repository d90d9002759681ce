"""Since when the endpoint of `refrain deliver` does not take a post, whichever process posts it."""

from __future__ import annotations

from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["Undelivered"]

SPARE_SECONDS = 3600  # beyond the time for which a post is repeated: whoever takes over then still knows


class Undelivered:
    """The store of that: an entry a post, by what it begins with (`Post.begins`).

    Parameters
    ----------
    seconds
        For how long a post is repeated; it is kept an hour longer.
    """

    def __init__(self, redis: AnyRedis, seconds: float) -> None:
        self._redis = redis
        self._milliseconds = round(1000 * (seconds + SPARE_SECONDS))

    async def since(self, begins: str, now: float) -> float:
        """Return since when a post is not taken; `now`, which is kept then, where that was not known.

        In Unix seconds.
        """
        key = keys.undelivered(begins)
        await self._redis.set(key, now, px=self._milliseconds, nx=True)
        found = await self._redis.get(key)
        return now if found is None else float(found)

    async def forget(self, begins: str) -> None:
        """Forget a post: it was taken, or is a dead letter."""
        await self._redis.delete(keys.undelivered(begins))
