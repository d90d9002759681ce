"""The folder that keeps the servers' data between runs, and the lock on it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO

from stream.errors import CannotStart

__all__ = ["DataFolder", "State", "find_running", "hold"]

_NAME = "up.json"


@dataclass(frozen=True)
class State:
    """What `up.json` says: who holds the folder (or did last), and the addresses of its servers."""

    pid: int
    kafka: str = ""
    redis: str = ""
    broker: str = ""


@dataclass(frozen=True)
class DataFolder:
    """A data folder that is ours as long as the lock is open."""

    path: Path
    lock: int
    """File descriptor of the lock; a server that inherits it holds the folder as long as it lives."""
    last: State | None
    """What the run before this one left."""

    def write(self, state: State) -> None:
        os.ftruncate(self.lock, 0)
        os.pwrite(self.lock, json.dumps(asdict(state)).encode(), 0)

    def subfolder(self, name: str) -> Path:
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path


def _read(file: IO[bytes]) -> State | None:
    try:
        content = json.loads(os.pread(file.fileno(), 65_536, 0))
        return State(**{field.name: content[field.name] for field in fields(State)})
    except (ValueError, KeyError, TypeError):  # empty: just made, or about to be written
        return None


def _try_lock(file: IO[bytes]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def hold(path: Path, *, say: Callable[[str], None], patience: float = 15.0) -> Iterator[DataFolder]:
    """Take the folder, make it where it is missing, and keep it to the end of the block.

    The lock (flock) ends with its last holder: this process and the servers that inherited it. Where the
    holder was killed, its servers are just stopping: they get `patience` seconds to do so.

    Raises
    ------
    CannotStart
        Where somebody else holds it (it says who), or it cannot be written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        file = (path / _NAME).open("a+b")
        os.fchmod(file.fileno(), 0o600)  # the Redis URL in it may hold a password
    except OSError as error:
        raise CannotStart(
            f"the data folder {path} cannot be used: {error.strerror}",
            hint="Name another one with REFRAIN_DATA.",
        ) from error
    with file:
        if not _try_lock(file):
            _wait_for(file, path, say, patience)
        yield DataFolder(path, file.fileno(), _read(file))


def _wait_for(file: IO[bytes], path: Path, say: Callable[[str], None], patience: float) -> None:
    holder = _read(file)
    if holder is not None and not _exists(holder.pid):
        say(f"waiting for the servers of a Refrain that was killed (process {holder.pid}) to stop")
    else:
        patience = 0.2  # find_running may have it for an instant
    give_up = time.monotonic() + patience
    while time.monotonic() < give_up:
        time.sleep(0.05)
        if _try_lock(file):
            return
    who = f"process {holder.pid}" if holder else "another Refrain"
    raise CannotStart(
        f"the data folder {path} is held by {who}",
        hint=f"Stop that one (kill {holder.pid if holder else 'PID'}), or name another folder with "
        "REFRAIN_DATA.",
    )


def find_running(path: Path) -> State | None:
    """The addresses of the servers that hold this data folder now; None where none run.

    Examples
    --------
    >>> find_running(Path("/nowhere")) is None
    True
    """
    try:
        file = (path / _NAME).open("rb")
    except OSError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            state = _read(file)
            return state if state is not None and state.kafka and state.redis else None
        return None
