"""A Redis of the test's own, to be killed and started again."""

from __future__ import annotations

import signal
from pathlib import Path

import redis

from stream.broker import Child
from stream.broker.ports import LOCALHOST, free_port
from stream.broker.ready import wait_for_redis
from stream.broker.redis import find_redis

__all__ = ["OwnRedis"]


class OwnRedis:
    """Keeps its data: every write is on the disk before it is answered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir()
        self._port = free_port()
        self._child: Child | None = None
        self.url = f"redis://{LOCALHOST}:{self._port}/0"

    def start(self) -> None:
        server = find_redis()
        assert server is not None
        options = {"port": str(self._port), "bind": LOCALHOST, "save": "", "appendonly": "yes"}
        options |= {"appendfsync": "always"}
        command = [server, *(part for name, value in options.items() for part in (f"--{name}", value))]
        self._child = Child("Redis", command, cwd=self._folder, log=self._folder / "output.log")
        wait_for_redis(self.url, timeout=60)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def pause(self) -> None:
        """It takes connections, and answers nothing."""
        assert self._child is not None
        self._child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._child is not None
        self._child.signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, decode_responses=True)
