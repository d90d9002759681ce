"""Which dead letters, of events other than clicks, were put back."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["Redriven"]


class Redriven:
    """The store of letters that were put back, each by what identifies it.

    Parameters
    ----------
    keep_seconds
        For how long each is remembered: longer than Kafka keeps the letter.
    """

    def __init__(self, redis: AnyRedis, keep_seconds: float) -> None:
        self._redis = redis
        self._keep = keep_seconds

    async def among(self, names: Sequence[str]) -> set[str]:
        """Return those of some letters that were put back."""
        if not names:
            return set()
        found = await self._redis.zmscore(keys.REDRIVEN, names)
        return {name for name, at in zip(names, found, strict=True) if at is not None}

    async def add(self, names: Collection[str], now: float) -> None:
        """Note that letters were put back."""
        if names:
            await self._redis.zadd(keys.REDRIVEN, dict.fromkeys(names, now))
        await self._redis.zremrangebyscore(keys.REDRIVEN, "-inf", now - self._keep)
