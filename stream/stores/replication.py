"""Whether replicas have what was written, so that a failover of Redis loses nothing that Kafka could replay.

Redis answers a write before its replicas have it. A primary that dies then takes along writes that it had
acknowledged, and the replica that takes its place stands at an earlier moment. So offsets are committed only
after `WAIT` has said that replicas have all of it, from the primary that was written to: a `WAIT` that
reaches another one says nothing of what the first has lost. Each primary has an id of its own
(``master_replid``), new with each promotion and restart.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from itertools import count
from typing import TypeVar

from redis.asyncio.cluster import ClusterNode, RedisCluster

from stream.connect import AnyRedis
from stream.errors import NotReplicated
from stream.stores import keys

__all__ = ["Primaries", "Replication"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
Primaries = frozenset[str]
"""The ids of the primaries: of one, or of all in a cluster."""

WAIT_MS = 1000  # for replicas, at a time; below a client's timeout of 5 s
MARKER_MS = 60_000


class Replication:
    """Waits until replicas have what was written.

    Parameters
    ----------
    replicas
        How many must have it, of each primary; 0: nothing is waited for.

    Attributes
    ----------
    replicas
        How many are waited for.
    primaries
        As they were when it was last waited.
    """

    def __init__(self, redis: AnyRedis, replicas: int) -> None:
        self._redis = redis
        self.replicas = replicas
        self.primaries: Primaries = frozenset()

    async def begin(self) -> None:
        """See which the primaries are, before the first write."""
        if self.replicas:
            self.primaries = frozenset([await self._look(*each) for each in self._each()])

    async def kept(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write until replicas have it; what is written must bear being written twice.

        Raises
        ------
        NotReplicated
            Where too few replicas have it in time.
        """
        while True:
            since = self.primaries
            result = await write()
            if await self.acknowledged(since):
                return result

    async def acknowledged(self, since: Primaries) -> bool:
        """Wait until replicas have all that was written, and say whether it is certain that they have it.

        Parameters
        ----------
        since
            The primaries before the first of these writes. Where others have taken their place, False is
            returned: what was written to those before may be lost, and is to be written again.

        Raises
        ------
        NotReplicated
            Where too few replicas have it in time.
        """
        if not self.replicas:
            return True
        primaries = frozenset([await self._wait(*each) for each in self._each()])
        if primaries != self.primaries:
            logger.warning(
                "Redis has another primary, which may lack what was written last: writing it again"
            )
            await self._reconnect()
        self.primaries = primaries
        return primaries == since

    async def _reconnect(self) -> None:
        """Leave the server that was the primary: for a while it may take writes that nobody will have."""
        if not isinstance(self._redis, RedisCluster):
            pool = self._redis.connection_pool
            await pool.update_active_connections_for_reconnect()
            await pool.disconnect(inuse_connections=False)

    def _each(self) -> Iterator[tuple[str, dict[str, ClusterNode]]]:
        """Yield a key of each primary, and how a pipeline is told to go there."""
        if not isinstance(self._redis, RedisCluster):
            yield keys.replicated(0), {}
            return
        missing = {nodes[0].name for nodes in self._redis.nodes_manager.slots_cache.values()}
        for key in map(keys.replicated, count()):
            if not missing:
                return
            node = self._redis.get_node_from_key(key)
            if node.name in missing:
                missing.remove(node.name)
                yield key, {"target_nodes": node}

    async def _wait(self, key: str, node: dict[str, ClusterNode]) -> str:
        # All on one connection: WAIT is about what was written on its own, and that comes after all else.
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.execute_command("SET", key, "", "PX", MARKER_MS, **node)
        pipeline.execute_command("WAIT", self.replicas, WAIT_MS, **node)
        pipeline.execute_command("INFO", "replication", **node)
        _, acknowledged, info = await pipeline.execute()
        if acknowledged < self.replicas:
            raise NotReplicated(
                f"{acknowledged} of {self.replicas} replicas had all of it within {WAIT_MS / 1000:g} s"
            )
        return _id(info)

    async def _look(self, _key: str, node: dict[str, ClusterNode]) -> str:
        return _id(await self._redis.execute_command("INFO", "replication", **node))


def _id(info: Mapping[str, object]) -> str:
    return str(info["master_replid"])
