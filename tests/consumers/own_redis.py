"""A Redis of the test's own, to be killed and started again; or several, and a Sentinel that watches them."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import redis

from stream.broker import Child
from stream.broker.ports import LOCALHOST, free_port
from stream.broker.ready import wait_for_redis
from stream.broker.redis import find_redis
from tests.waiting import wait_for

__all__ = ["OwnRedis", "OwnSentinel"]


class OwnRedis:
    """Keeps its data: every write is on the disk before it is answered.

    Parameters
    ----------
    options
        Lines of its configuration beside those, or in place of them; `_` for `-`.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self.folder = folder
        folder.mkdir()
        self.port = free_port()
        self._options = options
        self._child: Child | None = None
        self.url = f"redis://{LOCALHOST}:{self.port}/0"

    def start(self, **more: str) -> None:
        server = find_redis()
        assert server is not None
        options = {"port": str(self.port), "bind": LOCALHOST, "save": "", "appendonly": "yes"}
        options |= {"appendfsync": "always", "repl-diskless-sync-delay": "0"}
        options |= {name.replace("_", "-"): value for name, value in {**self._options, **more}.items()}
        lines = [f"{name} {value or chr(34) * 2}" for name, value in options.items()]
        configuration = self.folder / "redis.conf"
        configuration.write_text("\n".join(lines), encoding="utf-8")
        command = [server, str(configuration)]
        self._child = Child("Redis", command, cwd=self.folder, log=self.folder / "output.log")
        self._wait()

    def _wait(self) -> None:
        try:
            wait_for_redis(self.url, timeout=60, check=self._check)
        except BaseException:
            self.kill()
            raise

    def _check(self) -> None:
        assert self._child is not None
        assert self._child.alive, self._child.last_words()

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None

    def appended(self) -> int:
        """Bytes in the file that every write is appended to."""
        return self._file.stat().st_size

    def lose(self, end: int) -> None:
        """Be killed, lose what was appended behind `end`, and be restarted."""
        self.kill()
        os.truncate(self._file, end)
        self.start()

    @property
    def _file(self) -> Path:
        return max((self.folder / "appendonlydir").glob("*.incr.aof"))

    def pause(self) -> None:
        """It takes connections, and answers nothing."""
        assert self._child is not None
        self._child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._child is not None
        self._child.signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, decode_responses=True)

    def follow(self, other: OwnRedis) -> None:
        """Become a replica of another, and have all that it has."""
        with self.client() as client:
            client.replicaof(LOCALHOST, other.port)
            wait_for(lambda: client.info("replication")["master_link_status"] == "up", "the replica")

    def promote(self) -> None:
        """Become a primary."""
        with self.client() as client:
            client.replicaof("NO", "ONE")


class OwnSentinel(OwnRedis):
    """Watches a primary that it calls `music`; half a second without an answer, and a replica is promoted."""

    def __init__(self, folder: Path, primary: OwnRedis) -> None:
        super().__init__(folder)
        self._primary = primary

    def start(self, **more: str) -> None:
        server = find_redis()
        assert server is not None
        lines = [f"port {self.port}", f"bind {LOCALHOST}"]
        lines += [f"sentinel monitor music {LOCALHOST} {self._primary.port} 1"]
        lines += ["sentinel down-after-milliseconds music 500", "sentinel failover-timeout music 5000"]
        lines += [f"sentinel {name.replace('_', '-')} music {value}" for name, value in more.items()]
        configuration = self.folder / "sentinel.conf"
        configuration.write_text("\n".join(lines), encoding="utf-8")
        command = [server, str(configuration), "--sentinel"]
        self._child = Child("Sentinel", command, cwd=self.folder, log=self.folder / "output.log")
        self._wait()
        with self.client() as client:
            wait_for(lambda: "music" in client.sentinel_masters(), "the Sentinel")

    @property
    def watched(self) -> str:
        """The URL of what it watches."""
        return f"redis+sentinel://{LOCALHOST}:1,{LOCALHOST}:{self.port}/music/0"

    def names(self, server: OwnRedis) -> bool:
        """Whether this is the primary."""
        with self.client() as client:
            return bool(client.sentinel_master("music")["port"] == server.port)

    def knows_replicas(self, number: int) -> bool:
        with self.client() as client:
            return len(client.sentinel_slaves("music")) == number
