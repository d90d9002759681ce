"""A Redis Cluster of three nodes on this machine."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import redis

from stream.broker import Child
from stream.broker.ports import LOCALHOST, free_port
from stream.broker.ready import wait_for_redis
from stream.broker.redis import find_redis

__all__ = ["RedisCluster"]

SLOTS = 16_384
NODES = 3


class RedisCluster:
    """Three masters that share the slots: a command that crosses slots fails as it would in earnest."""

    def __init__(self, folder: Path) -> None:
        server = find_redis()
        assert server is not None, "no redis-server: sudo apt-get install -y redis-server"
        self._stack = ExitStack()
        self._ports = []
        for number in range(NODES):
            home = folder / str(number)
            home.mkdir()
            # The nodes' own conversation is on the port 10,000 above.
            port = free_port()
            while free_port(port + 10_000) != port + 10_000:
                port = free_port()
            command = [server, "--port", str(port), "--bind", LOCALHOST, "--cluster-enabled", "yes"]
            command += ["--cluster-node-timeout", "5000", "--save", "", "--appendonly", "no"]
            self._stack.enter_context(Child(f"Redis {number}", command, cwd=home, log=home / "output.log"))
            wait_for_redis(f"redis://{LOCALHOST}:{port}/0", timeout=30)
            self._ports.append(port)
        self.url = f"redis://{LOCALHOST}:{self._ports[0]}/0"
        self._share_the_slots()

    def flush(self) -> None:
        """Empty all nodes."""
        for node in self._nodes():
            with node:
                node.flushall()

    def _nodes(self) -> list[redis.Redis]:
        return [redis.Redis(host=LOCALHOST, port=port) for port in self._ports]

    def _share_the_slots(self) -> None:
        for number, node in enumerate(self._nodes()):
            with node:
                own = range(number * SLOTS // NODES, (number + 1) * SLOTS // NODES)
                node.execute_command("CLUSTER ADDSLOTS", *own)
                node.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                if number:
                    node.execute_command("CLUSTER MEET", LOCALHOST, self._ports[0])
        give_up = time.monotonic() + 60
        while not all(self._agrees(node) for node in self._nodes()):
            assert time.monotonic() < give_up, "the nodes of the Redis Cluster do not find each other"
            time.sleep(0.1)

    @staticmethod
    def _agrees(node: redis.Redis) -> bool:
        with node:
            answer = node.execute_command("CLUSTER INFO")
        return bool(answer["cluster_state"] == "ok" and answer["cluster_known_nodes"] == str(NODES))

    def __enter__(self) -> RedisCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
