"""A process that is a copy of a Python which has imported all it needs, and never outlives us."""

from __future__ import annotations

import atexit
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext
from pathlib import Path

from stream.broker.child import GRACE, last_lines
from stream.errors import CannotStart

__all__ = ["Forked", "import_ahead", "signals_held"]

# On macOS the system's libraries do not survive a fork: there each process starts on its own, and imports.
LINUX = sys.platform == "linux"
CONTEXT: ForkServerContext | SpawnContext = (
    multiprocessing.get_context("forkserver") if LINUX else multiprocessing.get_context("spawn")
)

ORIGINAL = "consumers.runtime.original"
SAFE_PATH = "PYTHONSAFEPATH"
OURS = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}  # what asks us to end asks nobody else: we do that
UNKNOWN = 255  # the exit code where what it was copied from is gone


def import_ahead(modules: Sequence[str]) -> None:
    """Let a Python begin to import what all processes need: each is a copy of it, ready at once.

    Returns at once; a process that is started before it is done waits. A module that is not there is left
    out. Elsewhere than on Linux it does nothing.

    Raises
    ------
    CannotStart
        Where that Python cannot be started.
    """
    if LINUX:
        CONTEXT.set_forkserver_preload([ORIGINAL, *modules])
        with _said_why():
            _start_original()


def _start_original() -> None:
    """Start the Python that is copied, where it does not run."""
    resource_tracker.ensure_running()  # before signals are held: it lets them through again when it starts
    safe = os.environ.get(SAFE_PATH)
    # A folder named "models" or "stream" where somebody happens to stand is not ours.
    os.environ[SAFE_PATH] = "1"
    try:
        with signals_held():  # for it, too: it inherits that
            forkserver.ensure_running()
    finally:
        del os.environ[SAFE_PATH]
        if safe is not None:
            os.environ[SAFE_PATH] = safe


@contextmanager
def signals_held() -> Iterator[None]:
    """Let signals that ask us to end wait for the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, OURS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _said_why() -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise CannotStart(
            "the Python that imports for all processes has ended: it was killed, or a package is broken",
            hint="Start `refrain ingest` alone: it says which package.",
        ) from error
    except OSError as error:
        short = "Name a folder for temporary files with a shorter path in TMPDIR."
        hint = short if "AF_UNIX" in str(error) else ""
        raise CannotStart(f"no process can be started: {error}", hint=hint) from error


class Forked:
    """A process started now that calls a function; it ends with :meth:`stop`, or with us, however that is.

    It is in a session of its own, so Ctrl-C in a terminal reaches only us. Start it with signals held
    (`signals_held`): an interrupt in the middle would leave a process that nobody knows.

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
        Where no process can be started.
    """

    def __init__(self, name: str, target: Callable[[], object], *, log: Path, env: Mapping[str, str]) -> None:
        self.log = log
        log.touch()
        self._process = CONTEXT.Process(
            target=_run, name=name, args=(name, target, log, dict(env)), daemon=True
        )
        with _said_why():
            if LINUX:
                _start_original()
            self._process.start()
        assert self._process.pid is not None  # noqa: S101 - for mypy: it has started
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def stop(self) -> int:
        """Ask it to end with SIGTERM, with SIGKILL `GRACE` seconds after, and return its exit code.

        Minus the signal's number where a signal ended it; `UNKNOWN` where nobody can say.
        """
        self._process.terminate()
        self._process.join(GRACE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        assert self._process.exitcode is not None  # noqa: S101 - for mypy: it has ended
        if self._process.exitcode == UNKNOWN:
            with suppress(ProcessLookupError):  # it may still run
                os.kill(self.pid, signal.SIGKILL)
        return self._process.exitcode

    def last_words(self, lines: int = 5) -> str:
        """The last lines of its log."""
        return last_lines(self.log, lines)


@atexit.register
def _end_all() -> None:
    """End who is left where a `stop` was interrupted: multiprocessing would wait for them for ever."""
    left = multiprocessing.active_children()
    for process in left:
        process.terminate()
    until = time.monotonic() + GRACE
    for process in left:
        process.join(max(until - time.monotonic(), 0.0))
        process.kill()


def _run(name: str, target: Callable[[], object], log: Path, env: Mapping[str, str]) -> None:
    """Be a process of its own, then do what there is to do."""
    os.setsid()
    with log.open("ab") as output:
        os.dup2(output.fileno(), 1)
        os.dup2(output.fileno(), 2)
    os.environ.clear()
    os.environ.update(env)
    gc.freeze()
    gc.enable()
    for number in OURS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, OURS)
    with suppress(OSError):  # no Linux, or no /proc: then it is called "python"
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
