"""The Redis of a soak and what goes wrong with it: one behind a network, or a cluster."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import redis

from tests.consumers.own_redis import OwnRedis
from tests.redis_cluster import PRIMARIES, RedisCluster, cluster_client
from tests.soak.proxy import Network

__all__ = ["ClusterStore", "OneRedis", "Store"]

CUT, SLOWED, DELAY = 5.0, 10.0, 0.02  # seconds; a piece of bytes
SLOTS = 200  # that move at a time


class Store(Protocol):
    """A Redis for the time of the ``with`` block.

    Attributes
    ----------
    url
        By which tests reach it.
    url_of_processes
        By which processes do.
    settings
        That processes need with it.
    """

    url: str
    url_of_processes: str
    settings: Mapping[str, Any]

    def __enter__(self) -> Store: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def faults(self) -> dict[str, Callable[[], object]]:
        """What may go wrong with it, by name."""

    def client(self) -> Any:
        """A client for the tests."""

    @property
    def primaries(self) -> Sequence[str]:
        """The URLs of those that take writes."""


class OneRedis:
    """One Redis behind a network that can be cut and slowed.

    Attributes
    ----------
    folder
        Where it keeps what it has.
    """

    settings: Mapping[str, Any] = {}

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._redis = OwnRedis(folder, appendfsync="everysec", auto_aof_rewrite_percentage="50")
        self._stack = ExitStack()
        self.url = self._redis.url

    def __enter__(self) -> OneRedis:
        self.start()
        self._stack.callback(self.kill)
        self._network = self._stack.enter_context(Network(self.url))
        self.url_of_processes = self._network.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start it on what it has on its disk, and wait until it answers."""
        self._redis.start()

    def kill(self) -> None:
        """End it at once."""
        self._redis.kill()

    def restart(self) -> None:
        """Kill it and start it on what it has on its disk."""
        self.kill()
        self.start()

    def faults(self) -> dict[str, Callable[[], object]]:
        """What may go wrong with it, by name."""
        return {
            "Redis killed": self.restart,
            "network cut": lambda: self._network.cut(CUT),
            "network slow": lambda: self._network.slow(DELAY, SLOWED),
        }

    def client(self) -> redis.Redis:
        """A client for the tests."""
        return redis.Redis.from_url(self.url)

    @property
    def primaries(self) -> Sequence[str]:
        return [self.url]


class ClusterStore:
    """A Redis Cluster of three primaries, each with a replica that is waited for."""

    settings: Mapping[str, Any] = {"redis_replicas": 1}

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)  # noqa: S311 - who dies, not a secret

    def __enter__(self) -> ClusterStore:
        self._cluster = RedisCluster(self._folder, replicated=True)
        self.url = self.url_of_processes = self._cluster.url
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cluster.__exit__(kind, error, trace)

    def faults(self) -> dict[str, Callable[[], object]]:
        """What may go wrong with it, by name."""
        return {
            "failover": lambda: self._cluster.fail_over(self._random.randrange(PRIMARIES)),
            "slots moved": lambda: self._cluster.move_slots(*self._random.sample(range(PRIMARIES), 2), SLOTS),
        }

    def client(self) -> AbstractContextManager[redis.RedisCluster]:
        """A client for the tests."""
        return cluster_client(self.url)

    @property
    def primaries(self) -> Sequence[str]:
        return self._cluster.primaries
