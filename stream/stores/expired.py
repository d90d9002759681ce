"""Listeners who expire: who they are, until nothing of them is left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgpack

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scripts import Script

__all__ = ["Expired"]

AT_ONCE = 200  # listeners


class Expired:
    """The store of listeners who are being erased because they have been dormant for long.

    A listener stands here before their record is erased, and until member sets have followed, so that
    whoever dies in between leaves a note of what is to be done. All of it works on a Redis that is full.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._write = Script("write_scores")

    async def add(self, user_ids: Sequence[str], now: float) -> None:
        """Note that listeners are about to be erased."""
        await self._note(keys.EXPIRED, dict.fromkeys(user_ids, now))

    async def begun(self) -> list[str]:
        """Return some of those of whom something may be left, the longest first; empty where nothing is."""
        return [user.decode() for user in await self._redis.zrange(keys.EXPIRED, 0, AT_ONCE - 1)]

    async def done(self, user_ids: Sequence[str]) -> None:
        """Note that nothing is left of listeners, or that they are back."""
        await self._redis.zrem(keys.EXPIRED, *user_ids)

    async def add_told(self, until: Mapping[str, float]) -> None:
        """Note until when (Unix seconds) what listeners were told still counts for their caps."""
        if until:
            await self._note(keys.EXPIRED_TOLD, until)

    async def told_until(self, now: float) -> list[str]:
        """Return some of those of whom it counts no more."""
        found = await self._redis.zrangebyscore(keys.EXPIRED_TOLD, "-inf", now, start=0, num=AT_ONCE)
        return [user.decode() for user in found]

    async def done_told(self, user_ids: Sequence[str]) -> None:
        """Note that what listeners were told is erased, or that they are back."""
        await self._redis.zrem(keys.EXPIRED_TOLD, *user_ids)

    async def _note(self, key: str, times: Mapping[str, float]) -> None:
        packed = msgpack.packb([part for pair in times.items() for part in pair], use_bin_type=False)
        await self._write(self._redis, [key], packed)
