from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stream.broker import Child
from stream.broker import child as child_module
from stream.errors import CannotStart
from tests.broker.processes import is_running
from tests.waiting import wait_for

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(600)
"""


def _child(tmp_path: Path, *command: str) -> Child:
    return Child("it", command, cwd=tmp_path, log=tmp_path / "log")


def _python(tmp_path: Path, code: str) -> Child:
    return _child(tmp_path, sys.executable, "-c", code)


def test_it_is_stopped_with_sigterm(tmp_path: Path) -> None:
    assert _child(tmp_path, "sleep", "600").stop() == -signal.SIGTERM


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_module, "GRACE", 0.2)
    child = _python(tmp_path, STUBBORN)
    wait_for(lambda: "up" in child.last_words(), "its first word")
    assert child.stop() == -signal.SIGKILL


def test_its_exit_code_is_the_programs(tmp_path: Path) -> None:
    assert _python(tmp_path, "raise SystemExit(3)").wait() == 3


def test_what_it_prints_is_in_its_log(tmp_path: Path) -> None:
    child = _python(tmp_path, "import sys; print('out', flush=True); sys.exit('err')")
    child.wait()
    assert child.last_words() == "out\nerr"


def test_a_signal_reaches_the_program_itself(tmp_path: Path) -> None:
    child = _child(tmp_path, "sleep", "600")
    child.signal(signal.SIGUSR1)
    assert child.wait() == -signal.SIGUSR1


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="no-such-program"):
        _child(tmp_path, "no-such-program")


def test_ctrl_c_in_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    with _child(tmp_path, "sleep", "600") as child:
        assert os.getpgid(child.pid) != os.getpgrp()


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from stream.broker import Child
child = Child("it", ["sleep", "600"], cwd=Path({str(tmp_path)!r}), log=Path({str(tmp_path / "log")!r}))
print(child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    wait_for(lambda: not is_running(pid), "its end")


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux's kernel tells a process of its parent's death"
)
def test_it_ends_when_its_watcher_is_killed(tmp_path: Path) -> None:
    child = _child(tmp_path, "sleep", "600")
    watcher = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(watcher, signal.SIGKILL)
    wait_for(lambda: not is_running(child.pid), "its end")
    assert child.wait() == -signal.SIGKILL
