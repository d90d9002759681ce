"""The client of a Redis URL: of one server, or of the primary that Sentinels name; it connects when used."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.cluster import ClusterNode, ClusterPipeline, RedisCluster
from redis.asyncio.connection import (
    AbstractConnection,
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import (
    Sentinel,
    SentinelConnectionPool,
    SentinelManagedConnection,
    SentinelManagedSSLConnection,
)
from redis.backoff import NoBackoff
from redis.cluster import PRIMARY
from redis.exceptions import ConnectionError, ResponseError  # noqa: A004 - redis-py's name for it

from stream.metrics import REDIS_SECONDS
from stream.sentinel_url import SENTINEL_SCHEMES, parse_sentinel_url

__all__ = ["client_of", "cluster_of"]

REPLICA = "read only replica"
"""In what a replica says to a write, also to one from within a script."""
UNNAMED = {"driver_info": None}
"""Connections do not tell the name of redis-py (CLIENT SETINFO): a user may not have the right to."""
SENTINEL_SECONDS = 1.0  # for an answer of one Sentinel; then the next is asked
OF_SENTINELS = ("socket_", "ssl")
"""What the names of parameters begin with that hold for connections to the Sentinels as well."""


class _Cancelled(AbstractConnection):  # type: ignore[misc]
    """A command is cancelled with the task that waits for it, at whatever moment.

    redis-py sends within `asyncio.wait_for`, which loses a cancellation before Python 3.12 if that comes just
    when all has been sent: a task that goes round and round would never end.
    """

    async def _send_packed_command(self, command: Any) -> None:
        # A client of a cluster closes all connections where one was lost, also those that tasks are about to
        # send by; redis-py meets that as an AttributeError.
        if self._writer is None:
            raise ConnectionError("another task has closed the connection")
        await super()._send_packed_command(command)

    async def send_packed_command(self, *given: Any, **options: Any) -> None:
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        await super().send_packed_command(*given, **options)
        if task and task.cancelling() > before:
            await self.disconnect(nowait=True)  # nobody reads the answer
            raise asyncio.CancelledError


class _Reconnects(_Cancelled):
    """Is closed once it is given back where its server has become a replica: another may be the primary now.

    Else a name in DNS, or a proxy, that leads to the new primary would be asked only after a restart.
    """

    async def read_response(self, *given: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*given, **options)
        except ResponseError as error:
            if REPLICA in str(error):
                self.mark_for_reconnect()
            raise


class _Connection(_Reconnects, Connection):  # type: ignore[misc]
    pass


class _SSLConnection(_Reconnects, SSLConnection):  # type: ignore[misc]
    pass


class _UnixConnection(_Reconnects, UnixDomainSocketConnection):  # type: ignore[misc]
    pass


class _SentinelConnection(_Reconnects, SentinelManagedConnection):  # type: ignore[misc]
    pass


class _SentinelSSLConnection(_Reconnects, SentinelManagedSSLConnection):  # type: ignore[misc]
    pass


KINDS = {
    Connection: _Connection,
    SSLConnection: _SSLConnection,
    UnixDomainSocketConnection: _UnixConnection,
}
"""redis-py's kind of connection -> ours."""


class _Pipeline(Pipeline):  # type: ignore[misc]
    async def execute(self, raise_on_error: bool = True) -> Any:
        with REDIS_SECONDS.time():
            return await super().execute(raise_on_error)


class _Client(Redis):  # type: ignore[misc]
    """A client whose round trips are timed."""

    async def execute_command(self, *given: Any, **options: Any) -> Any:
        with REDIS_SECONDS.time():
            return await super().execute_command(*given, **options)

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        return _Pipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)


class _ClusterPipeline(ClusterPipeline):  # type: ignore[misc]
    async def execute(self, *given: Any, **options: Any) -> Any:
        with REDIS_SECONDS.time():
            return await super().execute(*given, **options)


class _NodeConnection(_Cancelled, Connection):  # type: ignore[misc]
    pass


class _SSLNodeConnection(_Cancelled, SSLConnection):  # type: ignore[misc]
    pass


OF_NODES = {Connection: _NodeConnection, SSLConnection: _SSLNodeConnection}
"""redis-py's kind of connection -> ours, to a node of a cluster."""


class _Cluster(RedisCluster):  # type: ignore[misc]
    """A cluster's client whose round trips are timed."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        kind = OF_NODES[self.connection_kwargs["connection_class"]]
        self.connection_kwargs["connection_class"] = kind  # of nodes that are found later
        for node in self.nodes_manager.startup_nodes.values():
            node.connection_class = kind

    async def execute_command(self, *given: Any, **options: Any) -> Any:
        with REDIS_SECONDS.time():
            return await super().execute_command(*given, **options)

    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> ClusterNode | None:
        """Return a node, by its name also one without slots: redis-py knows only the others.

        While the first slots of a new node are on their way to it, others name it (ASK).
        """
        node = super().get_node(host, port, node_name)
        if node is None and node_name:
            where, _, number = node_name.rpartition(":")
            node = ClusterNode(where, int(number), PRIMARY, **self.connection_kwargs)
            self.nodes_manager.set_nodes(self.nodes_manager.nodes_cache, {node_name: node})
        return node

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> ClusterPipeline:
        return _ClusterPipeline(self, transaction)


class _SentinelServer(Redis):  # type: ignore[misc]
    """One of the Sentinels; errors show it, and would show its password."""

    def __repr__(self) -> str:
        place = self.connection_pool.connection_kwargs
        return f"{place['host']}:{place['port']}"


class _SentinelPool(SentinelConnectionPool):  # type: ignore[misc]
    async def aclose(self) -> None:
        await super().aclose()
        await self.sentinel_manager.aclose()


def client_of(url: str) -> Redis:
    """Return a client of a ``redis://``, ``rediss://``, ``unix://`` or ``redis+sentinel://`` URL.

    Raises
    ------
    ValueError, TypeError
        Where redis-py does not take its parameters.
    """
    if url.startswith(SENTINEL_SCHEMES):
        return _sentinel_client(url)
    options: dict[str, Any] = {**UNNAMED, **parse_url(url)}
    kind = KINDS[options.pop("connection_class", Connection)]
    return _Client.from_pool(ConnectionPool(connection_class=kind, **options))


def cluster_of(url: str) -> RedisCluster:
    """Return a client of the cluster that a node of it is of; it connects when initialized."""
    return _Cluster.from_url(url, **UNNAMED)


def _sentinel_client(url: str) -> Redis:
    found = parse_sentinel_url(url)
    options: dict[str, Any] = {**UNNAMED, **parse_url(found.primary)}
    options.pop("host")
    tls = options.pop("connection_class", None) is SSLConnection
    of_sentinels: dict[str, Any] = {
        "socket_timeout": SENTINEL_SECONDS,
        "socket_connect_timeout": SENTINEL_SECONDS,
        "retry": Retry(NoBackoff(), 0),
        "ssl": tls,
        **{name: value for name, value in options.items() if name.startswith(OF_SENTINELS)},
        **found.options,
    }
    sentinel = Sentinel([])
    sentinel.sentinels = [
        _SentinelServer(host=host, port=port, **of_sentinels) for host, port in found.sentinels
    ]
    kind = _SentinelSSLConnection if tls else _SentinelConnection
    return _Client.from_pool(_SentinelPool(found.name, sentinel, connection_class=kind, **options))
