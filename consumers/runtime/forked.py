"""A process that is a copy of a Python which has imported all it needs, and never outlives us."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from stream.broker.child import GRACE
from stream.errors import CannotStart

__all__ = ["Forked", "import_ahead"]

# Elsewhere a copy of a process may not use what the system's own libraries have begun: each one imports.
LINUX = sys.platform == "linux"
CONTEXT: ForkServerContext | SpawnContext = (
    multiprocessing.get_context("forkserver") if LINUX else multiprocessing.get_context("spawn")
)

ORIGINAL = "consumers.runtime.original"
SAFE_PATH = "PYTHONSAFEPATH"
OURS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}  # what asks us to end asks nobody else: we do that
PR_SET_PDEATHSIG = 1


def import_ahead(modules: Sequence[str]) -> None:
    """Let a Python begin to import what all processes need: each is a copy of it, ready at once.

    Returns at once; a process that is started before it is done waits. A module that is not there is left
    out. Elsewhere than on Linux it does nothing.

    Raises
    ------
    CannotStart
        As in `Forked`.
    """
    if LINUX:
        CONTEXT.set_forkserver_preload([ORIGINAL, *modules])
        _start_original()


def _start_original() -> None:
    """Start the Python that is copied, where it does not run."""
    resource_tracker.ensure_running()  # it unblocks signals when it starts
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, OURS)
    safe = os.environ.get(SAFE_PATH)
    # A folder named "models" or "stream" where somebody happens to stand is not ours.
    os.environ[SAFE_PATH] = "1"
    try:
        forkserver.ensure_running()  # it inherits both
    except OSError as error:
        raise CannotStart(
            f"no process can be started, as there can be no socket in {tempfile.gettempdir()}: {error}",
            hint="Name another folder for temporary files with TMPDIR; its path may have 70 characters.",
        ) from error
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        del os.environ[SAFE_PATH]
        if safe is not None:
            os.environ[SAFE_PATH] = safe


class Forked:
    """A process started now that calls a function; it ends with :meth:`stop`, or with us, however that is.

    It is in a session of its own, so Ctrl-C in a terminal reaches only us.

    Parameters
    ----------
    name
        What `ps` and `top` call it: 15 characters at most.
    target
        What it calls: a function of a module, or a `functools.partial` of one.
    log
        File that its standard output and standard error are appended to.
    env
        Its environment.

    Raises
    ------
    CannotStart
        Where the folder for temporary files has no room for the socket by which processes are asked for.
    """

    def __init__(self, name: str, target: Callable[[], object], *, log: Path, env: Mapping[str, str]) -> None:
        self.log = log
        log.touch()
        if LINUX:
            _start_original()
        self._process = CONTEXT.Process(
            target=_run, name=name, args=(name, target, log, dict(env)), daemon=True
        )
        self._process.start()
        assert self._process.pid is not None  # noqa: S101 - for mypy: it has started
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def stop(self) -> int:
        """Ask it to end with SIGTERM, with SIGKILL `GRACE` seconds after, and return its exit code.

        Minus the signal's number where a signal ended it.
        """
        self._process.terminate()
        self._process.join(GRACE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        assert self._process.exitcode is not None  # noqa: S101 - for mypy: it has ended
        return self._process.exitcode

    def last_words(self, lines: int = 5) -> str:
        """The last lines of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def _run(name: str, target: Callable[[], object], log: Path, env: Mapping[str, str]) -> None:
    """Be a process of its own, then do what there is to do."""
    os.setsid()
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.clear()
    os.environ.update(env)
    for number in OURS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
    if LINUX:
        # Should what we are a copy of be killed, nobody could say any more how we ended.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        with suppress(OSError):  # no /proc: then it is called "python"
            Path("/proc/self/comm").write_text(name)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    target()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - for mypy: we are a child
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os.kill(os.getpid(), signal.SIGKILL)
