"""A Redis Cluster on this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import redis
from redis.crc import key_slot

from stream.broker import Child
from stream.broker.ports import LOCALHOST, free_port
from stream.broker.ready import wait_for_redis
from stream.broker.redis import find_redis
from tests.waiting import wait_for

__all__ = ["RedisCluster", "cluster_client"]

SLOTS = 16_384
PRIMARIES = 3


@contextmanager
def cluster_client(url: str) -> Iterator[redis.RedisCluster]:
    """Connect to a cluster, and close all connections after the block.

    redis-py's own `close` leaves those in the pools of nodes open, for the garbage collector to find in
    whichever test it runs.
    """
    pools: list[redis.ConnectionPool] = []

    class Pool(redis.ConnectionPool):  # type: ignore[misc]
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)
            pools.append(self)  # also of a node that leaves the cluster

    with redis.RedisCluster.from_url(url, connection_pool_class=Pool) as client:
        try:
            yield client
        finally:
            for pool in pools:
                pool.disconnect()


class RedisCluster:
    """Three primaries that share the slots: a command that crosses slots fails as it would in earnest.

    Parameters
    ----------
    replicated
        Whether each has a replica, which takes its place within seconds.
    """

    def __init__(self, folder: Path, *, replicated: bool = False) -> None:
        server = find_redis()
        assert server is not None, "no redis-server: sudo apt-get install -y redis-server"
        self._server, self._folder = server, folder
        self._timeout = "1000" if replicated else "5000"
        self._ports: list[int] = []
        self._children: list[Child] = []
        for _ in range(2 * PRIMARIES if replicated else PRIMARIES):
            self._add()
        try:
            for port in self._ports:
                wait_for_redis(f"redis://{LOCALHOST}:{port}/0", timeout=30)
            self.url = f"redis://{LOCALHOST}:{self._ports[0]}/0"
            self._share_the_slots()
        except BaseException:
            self._end()
            raise

    def _add(self) -> None:
        number = len(self._ports)
        (self._folder / str(number)).mkdir(parents=True)
        # The nodes' own conversation is on the port 10,000 above.
        port = free_port()
        while port in self._ports or free_port(port + 10_000) != port + 10_000:
            port = free_port()
        self._ports.append(port)
        self._children.append(self._child(number))

    def _child(self, number: int) -> Child:
        command = [self._server, "--port", str(self._ports[number]), "--bind", LOCALHOST]
        command += ["--cluster-enabled", "yes", "--cluster-node-timeout", self._timeout]
        command += ["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]
        home = self._folder / str(number)
        return Child(f"Redis {number}", command, cwd=home, log=home / "output.log")

    def flush(self) -> None:
        """Empty all nodes."""
        for node in self._nodes():
            with node:
                node.flushall()

    def join(self) -> None:
        """Let one more primary join, which has no slots yet."""
        self._add()
        wait_for_redis(f"redis://{LOCALHOST}:{self._ports[-1]}/0", timeout=30)
        with redis.Redis(host=LOCALHOST, port=self._ports[-1]) as node:
            node.execute_command("CLUSTER SET-CONFIG-EPOCH", len(self._ports))
            node.execute_command("CLUSTER MEET", LOCALHOST, self._ports[0])
        wait_for(lambda: all(map(self._agrees, self._nodes())), "the nodes to find the new one")

    def kill(self, primary: int) -> None:
        """Let a primary die, and its replica take its place."""
        self._children[primary].kill()
        wait_for(lambda: self._is_primary(self._ports[primary + PRIMARIES]), "the replica to be promoted")

    def start(self, number: int) -> None:
        """Let a node that died live again, as a replica of the one that took its place."""
        self._children[number] = self._child(number)

    def fail_over(self, shard: int) -> None:
        """Let the primary of a shard die and its replica take its place; then it comes back as a replica."""
        dying, heir = shard, shard + PRIMARIES
        if not self._is_primary(self._ports[dying]):
            dying, heir = heir, dying
        self._children[dying].kill()
        wait_for(lambda: self._is_primary(self._ports[heir]), "the replica to be promoted")
        self.start(dying)
        with redis.Redis(host=LOCALHOST, port=self._ports[dying]) as node:
            wait_for_redis(f"redis://{LOCALHOST}:{self._ports[dying]}/0", timeout=30)
            wait_for(lambda: _follows(node), "the replica to have all")

    def move_slots(self, giver: int, taker: int, number: int) -> None:
        """Let the primary of one shard give the first of its slots to that of another, key by key."""
        with self._primary_of(giver) as giving, self._primary_of(taker) as taking:
            for slot in _slots_of(giving)[:number]:
                with self._moving(slot, giving, taking):
                    pass

    @contextmanager
    def moving(self, key: str, *, to_the_last: bool = False) -> Iterator[Callable[..., None]]:
        """Let the slot of a key be on its way to another primary; all of it is there after the block.

        Parameters
        ----------
        to_the_last
            To the one that has joined last.

        Yields
        ------
        Moves the keys that it is given; at first none has moved.
        """
        slot = key_slot(key.encode())
        shard = next(n for n in range(PRIMARIES) if slot in self._slots(n))
        with (
            self._primary_of(shard) as giving,
            redis.Redis(host=LOCALHOST, port=self._ports[-1])
            if to_the_last
            else self._primary_of((shard + 1) % PRIMARIES) as taking,
            self._moving(slot, giving, taking) as move,
        ):
            yield move

    @contextmanager
    def _moving(self, slot: int, giving: redis.Redis, taking: redis.Redis) -> Iterator[Callable[..., None]]:
        from_id, to_id = (node.execute_command("CLUSTER MYID") for node in (giving, taking))
        port = taking.get_connection_kwargs()["port"]

        def move(*names: str | bytes) -> None:
            giving.execute_command("MIGRATE", LOCALHOST, port, "", 0, 5000, "KEYS", *names)

        taking.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", from_id)
        giving.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", to_id)
        try:
            yield move
        finally:
            while names := giving.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
                move(*names)
            # The new owner first: else the slot has none for a moment.
            for node in (taking, giving, *(redis.Redis.from_url(url) for url in self.primaries)):
                node.execute_command("CLUSTER SETSLOT", slot, "NODE", to_id)
                node.close()

    def _slots(self, shard: int) -> list[int]:
        with self._primary_of(shard) as node:
            return _slots_of(node)

    def _primary_of(self, shard: int) -> redis.Redis:
        ports = self._ports[shard::PRIMARIES]
        return redis.Redis(host=LOCALHOST, port=next(port for port in ports if self._is_primary(port)))

    @property
    def primaries(self) -> list[str]:
        """The URLs of those that are primaries now."""
        living = [port for port, child in zip(self._ports, self._children, strict=True) if child.alive]
        return [f"redis://{LOCALHOST}:{port}/0" for port in living if self._is_primary(port)]

    @staticmethod
    def _is_primary(port: int) -> bool:
        with redis.Redis(host=LOCALHOST, port=port) as node:
            return bool(node.role()[0] == b"master")

    def _nodes(self) -> list[redis.Redis]:
        return [redis.Redis(host=LOCALHOST, port=port) for port in self._ports]

    def _share_the_slots(self) -> None:
        nodes = self._nodes()
        for number, node in enumerate(nodes):
            with node:
                if number < PRIMARIES:
                    own = range(number * SLOTS // PRIMARIES, (number + 1) * SLOTS // PRIMARIES)
                    node.execute_command("CLUSTER ADDSLOTS", *own)
                node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                if number:
                    node.execute_command("CLUSTER MEET", LOCALHOST, self._ports[0])
        wait_for(lambda: all(self._agrees(node) for node in nodes), "the nodes to find each other")
        self._replicate(nodes[:PRIMARIES], nodes[PRIMARIES:])

    @staticmethod
    def _replicate(primaries: Sequence[redis.Redis], replicas: Sequence[redis.Redis]) -> None:
        for primary, replica in zip(primaries, replicas, strict=False):
            with primary, replica:
                replica.execute_command("CLUSTER REPLICATE", primary.execute_command("CLUSTER MYID"))
        wait_for(lambda: all(map(_follows, replicas)), "the replicas to have all")

    def _agrees(self, node: redis.Redis) -> bool:
        with node:
            answer = node.execute_command("CLUSTER INFO")
        known = answer["cluster_known_nodes"] == str(len(self._ports))
        return bool(answer["cluster_state"] == "ok" and known)

    def __enter__(self) -> RedisCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for child in self._children:
            child.kill()


def _slots_of(primary: redis.Redis) -> list[int]:
    nodes = primary.execute_command("CLUSTER NODES").values()
    (ranges,) = (node["slots"] for node in nodes if "myself" in node["flags"])
    bounds = [(int(each[0]), int(each[-1])) for each in ranges]
    return [slot for first, last in bounds for slot in range(first, last + 1)]


def _follows(replica: redis.Redis) -> bool:
    with replica:
        return bool(replica.info("replication").get("master_link_status") == "up")
