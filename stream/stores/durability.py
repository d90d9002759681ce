"""Whether what was written is durable, so that a Redis that is killed loses nothing that Kafka could replay.

Redis answers a write before its replicas have it, and with ``appendfsync everysec`` also before its own file
has it, where an fsync is under way. A primary that dies takes such writes along; whoever answers afterwards,
a replica or the same server restarted, stands at an earlier moment. So offsets are committed only after
all of it is in the append-only file, and `WAIT` has said that replicas have it, both from the server that was
written to. Each server has an id (``master_replid``), new with each promotion and start. It is new also when
a first replica comes, or an hour after the last has left: something is then written again without need.

A write that is in the file survives the end of Redis. The end of the machine takes along what was not synced
to the disk: one second of writes, unless replicas have them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple, TypeVar

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

from stream.connect import AnyRedis
from stream.errors import NotDurable
from stream.stores import keys
from stream.stores.scripts import Call

__all__ = ["Durability", "Primaries"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
Node = Mapping[str, ClusterNode]
Primaries = frozenset[str]
"""The ids of the primaries: of one, or of all in a cluster."""

WAIT_MS = 1000  # for replicas, at a time; below a client's timeout of 5 s
MARKER_MS = 60_000
APPENDED_SECONDS = 5.0  # for the file, at a time; Redis holds it back for 2 s at most, then waits itself
LOOK_SECONDS = 0.005
LOOK = tuple(Call("INFO", [], [section]) for section in ("replication", "persistence", "server"))


class Durability:
    """Waits until what was written is in Redis's append-only file, if it has one, and on replicas.

    Parameters
    ----------
    replicas
        How many must have it, of each primary; 0: none is waited for.

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
        self._may_ask = True
        self._forgets: list[Callable[[], None]] = []

    def when_lost(self, forget: Callable[[], None]) -> None:
        """Call `forget` where writes may be lost: what memory has from them may be ahead of Redis."""
        self._forgets.append(forget)

    async def begin(self) -> None:
        """See which the primaries are, before the first write."""
        self.primaries = await self._of_each(self._look) or frozenset()

    async def kept(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write until it is durable; what is written must bear being written twice.

        Raises
        ------
        NotDurable
            Where it is not in time.
        """
        while True:
            since = self.primaries
            result = await write()
            if await self.acknowledged(since):
                return result

    def look(self) -> Sequence[Call]:
        """Return commands to be sent with writes, after them: their answers may show that all is durable.

        There are none for a cluster, nor where replicas are waited for.
        """
        return () if self.replicas or not self._may_ask or isinstance(self._redis, RedisCluster) else LOOK

    @staticmethod
    def shown(answers: Sequence[Any], since: Primaries) -> bool:
        """Say whether answers to `look` show that all is durable; if not, `acknowledged` waits until it is.

        Parameters
        ----------
        since
            As in `acknowledged`.
        """
        if not answers:
            return False
        seen = _seen_in(*answers)
        # Redis holds back what it is to append while it syncs. Else it appends that when it has run all that
        # has come, and answers after it; but a thread of Redis 8 and Valkey 8 may answer before.
        return not seen.may_answer_first and since == {seen.id}

    async def acknowledged(self, since: Primaries) -> bool:
        """Wait until all that was written is durable, and say whether it is certain that it is.

        Parameters
        ----------
        since
            The primaries before the first of these writes. Where others answer by now, False is returned:
            what was written to those before may be lost, and is to be written again.

        Raises
        ------
        NotDurable
            Where too few replicas have it in time, or the file has not.
        """
        primaries = await self._of_each(self._wait)
        if primaries is None:
            return True
        if primaries != self.primaries:
            logger.warning(
                "Redis has failed over or was restarted, and may lack what was written last: writing it again"
            )
            await self._reconnect()
            for forget in self._forgets:
                forget()
        self.primaries = primaries
        return primaries == since

    async def _reconnect(self) -> None:
        """Leave the server that was the primary: for a while it may take writes that nobody will have."""
        if not isinstance(self._redis, RedisCluster):
            pool = self._redis.connection_pool
            await pool.update_active_connections_for_reconnect()
            await pool.disconnect(inuse_connections=False)

    async def _of_each(self, ask: Callable[[str, Node], Awaitable[str]]) -> Primaries | None:
        """Ask all primaries at once for their ids; None where the user may not ask.

        Raises
        ------
        ConnectionError
            Of redis-py, where one has answered for another: where a connection to a node of a cluster breaks,
            redis-py asks a node of its own choice.
        """
        if not self._may_ask:
            return None
        asked = list(self._each())
        try:
            ids = frozenset(await asyncio.gather(*(ask(*each) for each in asked)))
        except NoPermissionError:
            if self.replicas:
                raise
            self._may_ask = False
            logger.warning(
                "Redis's user may not ask INFO: what Redis answered last and lost when it was killed is not "
                "written again (docs/redis.md)"
            )
            return None
        if len(ids) < len(asked):
            if isinstance(self._redis, RedisCluster):  # one of those asked may be a primary no more
                await self._redis.nodes_manager.initialize()
            raise RedisConnectionError(f"{len(ids)} of {len(asked)} primaries have answered")
        return ids

    def _each(self) -> Iterator[tuple[str, Node]]:
        """Yield a key of each primary, and how a pipeline is told to go there.

        To be gone through at once: the nodes are those of one moment.
        """
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

    async def _wait(self, key: str, node: Node) -> str:
        """Wait until one primary has made all durable, and return its id."""
        # All on one connection: WAIT is about what was written on its own, and that comes after all else.
        pipeline = self._redis.pipeline(transaction=False)
        if self.replicas:
            pipeline.execute_command("SET", key, "", "PX", MARKER_MS, **node)
            pipeline.execute_command("WAIT", self.replicas, WAIT_MS, **node)
        waited, seen = await _seen(pipeline, node)
        if waited and waited[1] < self.replicas:
            raise NotDurable(
                f"{waited[1]} of {self.replicas} replicas had all of it within {WAIT_MS / 1000:g} s"
            )
        end, until = seen.size + seen.held, time.monotonic() + APPENDED_SECONDS
        while seen.size < end and seen.held:
            if time.monotonic() > until:
                raise NotDurable(
                    f"{end - seen.size:,} bytes were not appended to its file within {APPENDED_SECONDS:g} s"
                )
            await asyncio.sleep(LOOK_SECONDS)
            before = seen
            _, seen = await _seen(self._redis.pipeline(transaction=False), node)
            # It was rewritten, or is another server's.
            if seen.size < before.size or seen.base != before.base:
                end = seen.size + seen.held
        return seen.id

    async def _look(self, _key: str, node: Node) -> str:
        _, seen = await _seen(self._redis.pipeline(transaction=False), node)
        return seen.id


class _Seen(NamedTuple):
    """A primary.

    Attributes
    ----------
    size
        Of its append-only file, in bytes.
    held
        Bytes that it has yet to append to that.
    base
        Of the file when it was last rewritten, in bytes.
    may_answer_first
        Whether it may answer a write before that is in the file.
    """

    id: str
    size: int
    held: int
    base: int = 0
    may_answer_first: bool = False


async def _seen(pipeline: Any, node: Node) -> tuple[list[Any], _Seen]:
    """Return the results of a pipeline, and what is seen of its server after it."""
    for call in LOOK:
        pipeline.execute_command(*call.command, **node)
    answers = await pipeline.execute()
    return answers[: -len(LOOK)], _seen_in(*answers[-len(LOOK) :])


def _seen_in(replication: Mapping[str, Any], file: Mapping[str, Any], server: Mapping[str, Any]) -> _Seen:
    """Return what answers to `LOOK` say."""
    doubts = (
        file.get("aof_pending_bio_fsync", 0),
        server.get("io_threads_active", 0),
        file.get("aof_last_write_status", "ok") != "ok",
    )
    return _Seen(
        replication.get("master_replid", ""),
        file.get("aof_current_size", 0),
        file.get("aof_buffer_length", 0),
        file.get("aof_base_size", 0),
        any(doubts),
    )
