"""How much memory Redis uses, what listeners take of it, and how that was on earlier days."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from redis.asyncio.cluster import RedisCluster

from models.affinity import DAY
from models.traits.lifecycle import STAGES
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.told import SHARDS

__all__ = ["Measured", "Memory", "Server"]

DAYS = 30
"""For how long measurements are kept."""

OWN = (
    *(keys.user, keys.user_artists, keys.user_taste, keys.user_activity, keys.user_heard),
    *(keys.user_traits, keys.user_waiting, keys.user_redriven),
)


class Server(NamedTuple):
    """The memory of one server, in bytes.

    Attributes
    ----------
    used
        What its data take.
    limit
        What there is: `maxmemory`, or the machine's where that is not set; 0 where neither is known.
    """

    used: int
    limit: int


class Measured(NamedTuple):
    """How much was used at a time (Unix seconds) by all servers, in bytes."""

    at: float
    used: int


class Memory:
    """Asks for memory: of a Redis, or of all primaries of a cluster."""

    def __init__(self, redis: AnyRedis, cohorts: Cohorts) -> None:
        self._redis = redis
        self._cohorts = cohorts

    async def servers(self) -> list[Server]:
        """Return the memory of each server.

        Raises
        ------
        NoPermissionError
            Where Redis's user may not ask INFO.
        """
        if isinstance(self._redis, RedisCluster):
            answers = (await self._redis.info("memory", target_nodes=RedisCluster.PRIMARIES)).values()
        else:
            answers = [await self._redis.info("memory")]
        return [
            Server(
                int(each["used_memory"]),
                int(each.get("maxmemory", 0)) or int(each.get("total_system_memory", 0)),
            )
            for each in answers
        ]

    async def of_listener(self, sample: Sequence[str], listeners: int) -> float:
        """Return how many bytes a listener takes on average: keys of their own, and their share of others.

        Parameters
        ----------
        sample
            Some of them, drawn at random.
        listeners
            How many there are.

        Raises
        ------
        NoPermissionError
            Where Redis's user may not ask MEMORY USAGE.
        """
        own = await self._of(key(user) for user in sample for key in OWN)
        shared = [keys.cohort_users(cohort) for cohort in await self._cohorts.all()]
        shared += [keys.stage_users(stage) for stage in STAGES]
        shared += [keys.told(f"{shard:02}") for shard in range(SHARDS)]
        return own / len(sample) + await self._of(shared) / listeners

    async def _of(self, names: Iterable[str]) -> int:
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            pipeline.memory_usage(name)
        return sum(number or 0 for number in await pipeline.execute())

    async def remember(self, now: float) -> None:
        """Remember how much is used now (Unix seconds), the last time of each day.

        Raises
        ------
        NoPermissionError
            Where Redis's user may not ask INFO.
        """
        used, today = sum(each.used for each in await self.servers()), int(now // DAY)
        await self._redis.hset(keys.MEMORY_DAYS, str(today), f"{now!r} {used}")
        kept = await self._redis.hkeys(keys.MEMORY_DAYS)
        if old := [day for day in kept if int(day) <= today - DAYS]:
            await self._redis.hdel(keys.MEMORY_DAYS, *old)

    async def measured(self) -> list[Measured]:
        """Return what is remembered, the earliest first."""
        parts = [value.split() for value in await self._redis.hvals(keys.MEMORY_DAYS)]
        return sorted(Measured(float(at), int(used)) for at, used in parts)
