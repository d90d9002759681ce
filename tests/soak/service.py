"""Kafka, Redis and all of Refrain's processes, each of which can be killed and comes back."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from stream.broker import Child, servers
from stream.settings import Settings
from stream.stores import keys
from stream.wire.topics import create_topics
from tests.refrain_command import Refrain
from tests.soak.memory import Memory
from tests.soak.stores import Store
from tests.waiting import wait_for

__all__ = ["PROCESSES", "SETTINGS", "Service"]

PROCESSES = {"ingest": 2, "work": 2, "train": 1, "traits": 1}
PATIENCE = 300.0  # seconds
# Less than half of 100,000 listeners take: an ingester is full within a minute, and stays so when its
# neighbour is killed and it gets all of them.
RESIDENT_MB = 30.0
SETTINGS: dict[str, Any] = {
    "connect_timeout": 300,
    "first_model_listeners": 1000,
    "cohorts": 8,
    "dims": 16,
    "publish_every": 20.0,
    "resident_mb": RESIDENT_MB,
}
"""What processes run with, whoever starts them."""
OF_OLD = "import sys; sys.path.insert(0, {!r}); from consumers.cli import main; main()"


class Service:
    """All of it in a folder, for the time of the ``with`` block.

    Parameters
    ----------
    old
        The code of an older version, which all processes begin with; None: they begin with this one.

    Attributes
    ----------
    data
        Where Kafka keeps what it has.
    direct
        Settings by which tests reach Redis, without the network that can be cut.
    running
        Processes, by kind.
    ended
        Name and exit code of processes that were asked to end.
    """

    def __init__(self, folder: Path, seed: int, store: Store, old: Path | None = None) -> None:
        self._folder = folder
        self.data = folder / "kafka"
        self._random = random.Random(seed)  # noqa: S311 - whom to kill, not a secret
        self._stack = ExitStack()
        self._kafka = ExitStack()
        self._old = old
        self._of_old: set[int] = set()
        self.store = store
        self.running: dict[str, list[Child]] = {kind: [] for kind in PROCESSES}
        self.ended: list[tuple[str, int]] = []
        self.memory = Memory()

    def __enter__(self) -> Service:
        self._stack.enter_context(self.store)
        self._home = Settings(data=self.data, broker="java", redis=self.store.url, connect_timeout=300)
        self._stack.callback(self._stop_kafka)
        self.direct = self._settings(self.start_kafka(), self.store.url)
        create_topics(self.direct)
        ours = self._settings(self.direct.kafka, self.store.url_of_processes)
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
            told_a_day=0,
            told_a_week=0,
            told_artist_hours=0.0,
            **SETTINGS,
            **self.store.settings,
        )

    def start_kafka(self) -> str:
        """Start the broker on what it has on its disk, and wait until it answers; return its address."""
        self._kafka = ExitStack()
        running = self._kafka.enter_context(servers(self._home))
        (self._kafka_child,) = running.children
        return running.kafka

    def kill_kafka(self) -> None:
        """End the broker at once."""
        self._kafka_child.kill()
        self._kafka.close()

    def _stop_kafka(self) -> None:
        self._kafka.close()  # the last that was started

    def start(self) -> None:
        """Start every process that does not run."""
        for kind, number in PROCESSES.items():
            children = self.running[kind]
            children[:] = [child for child in children if child.alive]
            while len(children) < number:
                self._start(kind, old=self._old is not None)

    def _start(self, kind: str, *, old: bool) -> None:
        if old:
            child = self._refrain.start_python(OF_OLD.format(str(self._old)), kind)
            self._of_old.add(child.pid)
        else:
            child = self._refrain.start(kind)
        self.running[kind].append(child)

    def stop(self, *kinds: str) -> None:
        """Ask processes of some kinds, or all, to end; note what each ends with."""
        for kind in kinds or PROCESSES:
            for child in self.running[kind]:
                self._stop(child)
            self.running[kind].clear()

    def kill_everything(self) -> None:
        """End all processes and the broker at once."""
        for children in self.running.values():
            for child in children:
                child.kill()
            children.clear()
        self.kill_kafka()

    def _stop(self, child: Child) -> None:
        """Ask a process to end that has begun: before that, nothing tells it how."""
        with self.store.client() as db:
            wait_for(lambda: not child.alive or _beats(db, child.pid), f"{child.name} to begin", PATIENCE)
        self.ended.append((child.name, child.stop()))

    def upgrade_one(self) -> str:
        """Replace a process of the older version by one of this; return its kind, "" where none is left."""
        for kind, children in self.running.items():
            for child in children:
                if child.pid in self._of_old:
                    self._stop(child)
                    children.remove(child)
                    self._start(kind, old=False)
                    return kind
        self._old = None
        return ""

    def dead(self) -> list[str]:
        """Processes that have ended by themselves, with their last words."""
        return [
            f"{child.name}: {child.last_words()}"
            for children in self.running.values()
            for child in children
            if not child.alive
        ]

    def faults(self) -> dict[str, Callable[[], object]]:
        """What may go wrong, by name."""
        killed = {
            f"{kind} killed": lambda kind=kind: self.kill(kind)  # type: ignore[misc]
            for kind in PROCESSES
        }
        return {**killed, "Kafka killed": self.restart_kafka, **self.store.faults()}

    def kill(self, kind: str) -> None:
        """Kill a process of a kind, drawn by chance, and start another of the same version.

        The first of several lives on: its memory is seen from the beginning to the end.
        """
        children = self.running[kind]
        killed = children.pop(self._random.randrange(len(children) > 1, len(children)))
        killed.kill()
        self._start(kind, old=killed.pid in self._of_old)

    def restart_kafka(self) -> None:
        """Kill the broker and start it on what it has on its disk."""
        self.kill_kafka()
        self.start_kafka()

    def measure(self) -> None:
        """Note the memory of each process."""
        for kind, children in self.running.items():
            for child in children:
                self.memory.look(kind, child.pid)


def _beats(db: Any, pid: int) -> bool:
    return any(name.endswith(b"-%d" % pid) for name in db.zrange(keys.PROCESSES, 0, -1))
