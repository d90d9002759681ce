"""A Kafka, a Redis and the Refrain processes for one benchmark, gone with it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from stream import broker
from stream.broker import Child
from stream.settings import Settings
from stream.stores import keys
from stream.wire.topics import create_topics
from tests.everybody import EVERYBODY

__all__ = ["House", "house"]


class House:
    """Servers that run, and the processes started beside them."""

    def __init__(self, settings: Settings, folder: Path, children: ExitStack) -> None:
        self.settings = settings
        self.folder = folder
        self.redis = _client(settings.redis)
        self._children = children

    @property
    def environment(self) -> dict[str, str]:
        """The environment that a `refrain` command runs in."""
        chosen = self.settings.model_dump(include=self.settings.model_fields_set)
        return {**os.environ, **{f"REFRAIN_{name.upper()}": str(value) for name, value in chosen.items()}}

    def start(self, *arguments: str) -> Child:
        """Start a `refrain` command."""
        child = Child(
            f"refrain {' '.join(arguments)}",
            [sys.executable, "-m", "consumers.cli", *arguments],
            cwd=Path(__file__).parents[1],
            log=self.folder / f"{arguments[0]}.log",
            env=self.environment,
        )
        return self._children.enter_context(child)

    def heartbeat(self, child: Child) -> dict[str, str]:
        """Return the process's last sign of life."""
        for name in self.redis.zrange(keys.PROCESSES, 0, -1):
            if name.endswith(f"-{child.pid}"):
                return self.redis.hgetall(keys.process(name))
        return {}

    def count(self, child: Child, counter: str = "clicks") -> int:
        """Return how much a process has counted since it started."""
        return int(self.heartbeat(child).get(counter, 0))

    def wait(self, condition: Callable[[], bool], what: str, patience: float = 600.0) -> None:
        """Wait for a condition."""
        deadline = time.monotonic() + patience
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not come within {patience:.0f} s")
            time.sleep(0.1)


def _client(url: str) -> redis.Redis:
    """Return a client of a Redis, or of the cluster that it is a node of, which takes the same commands."""
    client = redis.Redis.from_url(url, decode_responses=True)
    if not client.info("cluster")["cluster_enabled"]:
        return client
    client.close()
    return redis.RedisCluster.from_url(url, decode_responses=True)


@contextmanager
def house(**settings: object) -> Iterator[House]:
    """Start a Kafka and a Redis with the settings given, empty, with all topics.

    Everybody is told, where the settings do not say otherwise: the same listeners hear of more releases here
    than any should.
    """
    folder = Path(tempfile.mkdtemp(prefix="refrain-bench-"))
    try:
        wanted = Settings(data=folder / "data", connect_timeout=60, **(EVERYBODY | settings))  # type: ignore[arg-type]
        with broker.servers(wanted, say=print) as running, ExitStack() as children:
            full = wanted.model_copy(update={"kafka": running.kafka, "redis": running.redis})
            create_topics(full)
            yield House(full, folder, children)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
