from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from multiprocessing import forkserver
from pathlib import Path

import pytest

from consumers.local.up import IMPORTED, IMPORTED_BY_ALL
from consumers.runtime import forked
from consumers.runtime.forked import Forked, import_ahead
from consumers.runtime.supervisor import KINDS
from stream.errors import CannotStart
from tests.broker.processes import is_running
from tests.up import targets
from tests.waiting import wait_for

copied = pytest.mark.skipif(not forked.LINUX, reason="processes are copied on Linux alone")


@pytest.fixture(autouse=True, scope="module")
def _imported_once() -> None:
    import_ahead(["tests.up.targets"])


def _started(target: Callable[[], None], folder: Path) -> Forked:
    return Forked("refrain one", target, log=folder / "one.log", env=os.environ)


def _program(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run Python code in which `one(target)` starts a process, to its end; modules may be in the folder."""
    begin = f"""
import os, subprocess, time
from functools import partial
from pathlib import Path
from consumers.runtime import forked
from consumers.runtime.forked import Forked, import_ahead, signals_held
from tests.up import targets
def one(target):
    return Forked("refrain one", target, log=Path({str(folder)!r}) / "one.log", env=os.environ)
"""
    return subprocess.run(
        [sys.executable, "-c", begin + code],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@copied
def test_it_is_in_a_session_of_its_own_under_its_own_name(tmp_path: Path) -> None:
    one = _started(targets.shows_itself, tmp_path)
    wait_for(lambda: "error" in one.log.read_text(), "its words")
    assert one.stop() == -signal.SIGTERM
    assert one.last_words() == "refrain one, alone\nand this is an error"


def test_it_has_the_environment_that_it_is_given_and_nothing_of_ours(tmp_path: Path) -> None:
    one = Forked(
        "refrain one", targets.shows_environment, log=tmp_path / "one.log", env={"REFRAIN_DIMS": "7"}
    )
    wait_for(lambda: not one.alive, "its end")
    assert one.last_words() == "['REFRAIN_DIMS']"


def test_one_that_does_not_end_when_it_is_asked_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forked, "GRACE", 0.1)
    one = _started(targets.hears_nothing, tmp_path)
    wait_for(lambda: "ready" in one.log.read_text(), "its start")
    assert one.stop() == -signal.SIGKILL
    assert not is_running(one.pid)


def test_it_says_how_it_ended(tmp_path: Path) -> None:
    one = _started(targets.fails, tmp_path)
    wait_for(lambda: not one.alive, "its end")
    assert (one.stop(), one.last_words()) == (3, "the reason why")


@copied
def test_a_process_begins_with_all_that_was_to_be_imported_ahead(tmp_path: Path) -> None:
    assert set(KINDS) <= IMPORTED.keys()
    modules = [*IMPORTED_BY_ALL, *IMPORTED.values()]
    done = _program(
        f"""
import_ahead({modules!r})
it = one(partial(targets.shows_what_was_not_imported, {[forked.ORIGINAL, *modules]!r}))
while it.alive:
    time.sleep(0.01)
print(it.last_words())
""",
        tmp_path,
    )
    assert done.stdout == "not imported: []\n", done.stderr


@copied
def test_an_interrupt_while_it_starts_comes_when_somebody_knows_it(tmp_path: Path) -> None:
    (tmp_path / "slow_import.py").write_text("import time\ntime.sleep(1.0)\n")
    done = _program(
        """
import_ahead(["slow_import", "tests.up.targets"])
subprocess.Popen(["sh", "-c", f"sleep 0.2; kill -INT {os.getpid()}"])
it = None
try:
    with signals_held():
        it = one(targets.sleeps)
    time.sleep(60)
except KeyboardInterrupt:
    print("interrupted;", "known" if it else "unknown;", it.stop())
""",
        tmp_path,
    )
    assert done.stdout == f"interrupted; known {-signal.SIGTERM}\n", done.stderr


def test_where_its_end_is_not_waited_for_it_is_killed_in_time(tmp_path: Path) -> None:
    done = _program(
        """
forked.GRACE = 0.5
it = one(targets.hears_nothing)
while "ready" not in it.last_words():
    time.sleep(0.01)
print(it.pid, flush=True)
raise KeyboardInterrupt
""",
        tmp_path,
    )
    assert not is_running(int(done.stdout))


@copied
def test_a_package_that_cannot_be_imported_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "broken_import.py").write_text("raise ValueError('numpy.dtype size changed')\n")
    done = _program(
        """
from stream.errors import CannotStart
import_ahead(["broken_import"])
try:
    one(targets.sleeps)
except CannotStart as error:
    print(error)
""",
        tmp_path,
    )
    assert "a package is broken" in done.stdout, done.stderr


@copied
def test_a_path_for_temporary_files_that_is_too_long_is_said_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails() -> None:
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(forkserver, "ensure_running", fails)
    with pytest.raises(CannotStart, match="AF_UNIX path too long") as raised:
        import_ahead([])
    assert "TMPDIR" in raised.value.hint
