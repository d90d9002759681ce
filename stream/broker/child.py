"""A process that runs beside this one and never outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from stream.errors import CannotStart

__all__ = ["GRACE", "Child", "last_lines"]

_WATCHER = Path(__file__).with_name("watcher.py")

GRACE = 10.0  # seconds between SIGTERM and SIGKILL


class Child:
    """A process started now, stopped by :meth:`stop`, by the end of a ``with`` block, or by this one's death.

    It is in a session of its own, so Ctrl-C in a terminal reaches only us, and we stop it when our work is
    done. ``watcher.py`` says how its end is made sure. A copy of this process made by fork alone
    (multiprocessing's "fork") would keep the child alive as long as it lives; programs started with
    subprocess do not.

    Parameters
    ----------
    name
        What people call it: "Kafka".
    command
        The program and its arguments.
    cwd
        The folder it runs in.
    log
        File that its standard output and standard error are appended to.
    env
        Its environment; ours where None.
    keep_open
        File descriptors it inherits, with what they hold (a lock, say).

    Raises
    ------
    CannotStart
        Where the program cannot be run.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with Child("sleeper", ["sleep", "60"], cwd=folder, log=folder / "log") as sleeper:
    ...     sleeper.alive
    True
    >>> sleeper.alive
    False
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path,
        log: Path,
        env: Mapping[str, str] | None = None,
        keep_open: Iterable[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        with log.open("ab") as output:
            self._watcher = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_WATCHER), str(GRACE), *command],
                cwd=cwd,
                env=env,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=output,
                pass_fds=tuple(keep_open),
                start_new_session=True,
            )
        assert self._watcher.stdout is not None  # noqa: S101 - for mypy: it was asked for
        with self._watcher.stdout as stdout:
            pid = stdout.readline()
        if not pid:
            self._watcher.communicate()
            raise CannotStart(f"{name} cannot be run ({command[0]}): {self.last_words()}")
        self.pid = int(pid)
        """The process id of the program itself."""

    @property
    def alive(self) -> bool:
        return self._watcher.poll() is None

    def signal(self, signum: int) -> None:
        """Send a signal to the program, if it still runs."""
        with suppress(ProcessLookupError):
            if self.alive:
                os.kill(self.pid, signum)

    def kill(self) -> int:
        """End it at once with SIGKILL, as a crash would."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end and return its exit code, minus the signal's number where a signal ended it.

        Raises
        ------
        subprocess.TimeoutExpired
            Where it still runs after `timeout` seconds.
        """
        code = self._watcher.wait(timeout)
        self._let_go()
        return code

    def stop(self) -> int:
        """Ask it to end with SIGTERM, with SIGKILL `GRACE` seconds after, and return its exit code."""
        self._let_go()
        return self._watcher.wait()

    def last_words(self, lines: int = 5) -> str:
        """The last lines of its log."""
        return last_lines(self.log, lines)

    def _let_go(self) -> None:
        assert self._watcher.stdin is not None  # noqa: S101 - for mypy: it was asked for
        self._watcher.stdin.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def last_lines(log: Path, lines: int) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
