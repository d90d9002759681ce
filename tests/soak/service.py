"""Kafka, Redis and all of Refrain's processes, each of which can be killed and comes back."""

from __future__ import annotations

import random
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import psutil

from stream.broker import Child, servers
from stream.settings import Settings
from stream.wire.topics import create_topics
from tests.consumers.own_redis import OwnRedis
from tests.refrain_command import Refrain
from tests.soak.proxy import Network

__all__ = ["PROCESSES", "Service"]

PROCESSES = {"ingest": 2, "work": 2, "train": 1, "traits": 1}
CUT, SLOWED, DELAY = 5.0, 10.0, 0.02  # seconds; a piece of bytes
MB = 1e6


class Service:
    """All of it in a folder, for the time of the ``with`` block.

    Attributes
    ----------
    direct
        Settings by which tests reach Redis, without the network that can be cut.
    running
        Processes, by kind.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._random = random.Random(seed)  # noqa: S311 - whom to kill, not a secret
        self._stack = ExitStack()
        self._kafka = ExitStack()
        self._redis = OwnRedis(folder / "redis", appendfsync="everysec")
        self.running: dict[str, list[Child]] = {kind: [] for kind in PROCESSES}
        self.largest: dict[str, float] = {}

    def __enter__(self) -> Service:
        self._redis.start()
        self._stack.callback(self._redis.kill)
        self._network = self._stack.enter_context(Network(self._redis.url))
        self._home = Settings(
            data=self._folder / "kafka", broker="java", redis=self._redis.url, connect_timeout=300
        )
        self._stack.callback(self._stop_kafka)
        self.direct = self._settings(self.start_kafka(), self._redis.url)
        create_topics(self.direct)
        ours = self.direct.model_copy(update={"redis": self._network.url})
        (self._folder / "logs").mkdir()
        self._refrain = self._stack.enter_context(Refrain(ours, self._folder / "logs"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _settings(self, kafka: str, redis: str) -> Settings:
        return Settings(
            kafka=kafka,
            redis=redis,
            connect_timeout=300,
            first_model_listeners=1000,
            cohorts=8,
            dims=16,
            publish_every=20.0,
            told_a_day=0,
            told_a_week=0,
            told_artist_hours=0.0,
        )

    def start_kafka(self) -> str:
        """Start the broker on what it has on its disk, and wait until it answers; return its address."""
        self._kafka = ExitStack()
        running = self._kafka.enter_context(servers(self._home))
        (self._kafka_child,) = running.children
        return running.kafka

    def _stop_kafka(self) -> None:
        self._kafka.close()  # the last that was started

    def start(self) -> None:
        """Start every process that does not run."""
        for kind, number in PROCESSES.items():
            children = self.running[kind]
            children[:] = [child for child in children if child.alive]
            while len(children) < number:
                children.append(self._refrain.start(kind))

    def stop(self, *kinds: str) -> list[int]:
        """Ask processes of some kinds, or all, to end; return what each ends with."""
        ended = []
        for kind in kinds or PROCESSES:
            ended += [child.stop() for child in self.running[kind]]
            self.running[kind].clear()
        return ended

    def dead(self) -> list[str]:
        """Processes that have ended by themselves, with their last words."""
        return [
            f"{child.name}: {child.last_words()}"
            for children in self.running.values()
            for child in children
            if not child.alive
        ]

    def kill(self, kind: str) -> None:
        """Kill a process of a kind, drawn by chance, and start another."""
        children = self.running[kind]
        children.pop(self._random.randrange(len(children))).kill()
        self.start()

    def kill_all(self) -> None:
        """Kill every process, as a power cut would."""
        for children in self.running.values():
            for child in children:
                child.kill()
            children.clear()

    def start_redis(self) -> None:
        """Start Redis on what it has on its disk, and wait until it answers."""
        self._redis.start()

    def kill_servers(self) -> None:
        """Kill Redis and the broker."""
        self._redis.kill()
        self._kafka_child.kill()
        self._kafka.close()

    def restart_redis(self) -> None:
        """Kill Redis and start it on what it has on its disk."""
        self._redis.kill()
        self.start_redis()

    def restart_kafka(self) -> None:
        """Kill the broker and start it on what it has on its disk."""
        self._kafka_child.kill()
        self._kafka.close()
        self.start_kafka()

    def cut(self) -> None:
        """Cut the network to Redis for some seconds."""
        self._network.cut(CUT)

    def slow(self) -> None:
        """Slow the network to Redis for some seconds."""
        self._network.slow(DELAY, SLOWED)

    def measure(self) -> None:
        """Note the memory of each process, in MB."""
        for kind, children in self.running.items():
            for child in children:
                try:
                    size = psutil.Process(child.pid).memory_info().rss / MB
                except psutil.NoSuchProcess:
                    continue
                self.largest[kind] = max(self.largest.get(kind, 0.0), size)
