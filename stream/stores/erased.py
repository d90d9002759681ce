"""Which listeners were erased, and when: so that exports and dead letters follow."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

import msgpack
from redis.asyncio.cluster import RedisCluster

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scripts import Script

__all__ = ["Erased", "erased_hash"]

KEPT_SECONDS = 400 * 86_400.0
"""For so long it is remembered: a copy that is renewed once a year has it."""


def erased_hash(user_id: str) -> str:
    """Return what stands for an id once its listener is erased: half of its SHA-256.

    Examples
    --------
    >>> erased_hash("u1")
    'bb82030dbc2bcaba32a90bf2e207a84a'
    """
    return hashlib.sha256(user_id.encode()).hexdigest()[:32]


class Erased:
    """The store of listeners who were erased. It holds no ids, only what can be compared with them."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._write = Script("write_scores")

    async def now(self) -> float:
        """Return Redis's time in Unix seconds: who erases and who exports may be on two machines."""
        node = {}
        if isinstance(self._redis, RedisCluster):
            node = {"target_nodes": self._redis.get_node_from_key(keys.ERASED)}
        seconds, micros = await self._redis.time(**node)
        return float(seconds + micros / 1e6)

    async def add(self, user_ids: Sequence[str], now: float) -> None:
        """Note that listeners are erased (`now` as it returns it), also where Redis is full."""
        await self._redis.zremrangebyscore(keys.ERASED, "-inf", now - KEPT_SECONDS)
        noted = [part for user in user_ids for part in (erased_hash(user), now)]
        await self._write(self._redis, [keys.ERASED], msgpack.packb(noted, use_bin_type=False))

    async def times(self, user_ids: Collection[str]) -> dict[str, float]:
        """Return of those of some listeners who were erased when that was, in Unix seconds."""
        if not user_ids:
            return {}
        found = await self._redis.zmscore(keys.ERASED, list(map(erased_hash, user_ids)))
        return {user: at for user, at in zip(user_ids, found, strict=True) if at is not None}

    async def since(self, when: float) -> dict[str, float]:
        """Return who was erased since a time: `erased_hash` -> when, Unix seconds by Redis's clock."""
        found = await self._redis.zrangebyscore(keys.ERASED, when, "+inf", withscores=True)
        return {name.decode(): at for name, at in found}
