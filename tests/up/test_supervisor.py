from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil
import pytest

from consumers.runtime import forked
from consumers.runtime.forked import import_ahead
from consumers.runtime.supervisor import PAUSES, QUICK, Supervisor
from stream.errors import CannotStart
from stream.settings import Settings
from tests.broker.processes import is_running
from tests.up import targets
from tests.waiting import wait_for


@pytest.fixture(autouse=True, scope="module")
def _imported_once() -> None:
    import_ahead(["tests.up.targets"])


def _silent(_: str) -> None:
    pass


def _supervisor(
    folder: Path,
    targets: dict[str, Callable[[], None]],
    say: Callable[[str], None] = _silent,
    **settings: object,
) -> Supervisor:
    return Supervisor(Settings.model_validate(settings), folder, say, targets)


def _dies(supervisor: Supervisor, kind: str, now: float) -> None:
    """Kill it, and wait until the supervisor knows; at `now` it is not due yet."""
    supervisor.tend(now)
    assert kind in supervisor.pids
    subprocess.run(["kill", "-9", str(supervisor.pids[kind])], check=True)
    wait_for(lambda: _gone(supervisor, kind, now), f"the death of {kind}")


def _gone(supervisor: Supervisor, kind: str, now: float) -> bool:
    supervisor.tend(now)
    return kind not in supervisor.pids


def test_a_process_that_dies_is_started_again_with_a_word(tmp_path: Path) -> None:
    said: list[str] = []
    with _supervisor(tmp_path, {"one": targets.sleeps}, said.append) as supervisor:
        _dies(supervisor, "one", now=0.0)
        assert re.search(rf"one has ended by signal 9.* in 0\.5 s.*{tmp_path}/one\.log", said[0])
        supervisor.tend(PAUSES[0])
        assert is_running(supervisor.pids["one"])


def test_the_others_go_on_when_one_dies(tmp_path: Path) -> None:
    with _supervisor(tmp_path, {"one": targets.sleeps, "two": targets.sleeps}) as supervisor:
        supervisor.tend(0.0)
        two = supervisor.pids["two"]
        _dies(supervisor, "one", now=0.0)
        assert supervisor.pids == {"two": two}
        assert is_running(two)


@pytest.mark.skipif(not forked.LINUX, reason="processes are copied on Linux alone")
def test_all_are_started_again_where_what_they_are_copied_from_is_killed(tmp_path: Path) -> None:
    def both_again() -> bool:
        nonlocal now
        now += PAUSES[0]
        supervisor.tend(now)
        return before.keys() == supervisor.pids.keys() and not {*before.values()} & {
            *supervisor.pids.values()
        }

    now = 0.0
    with _supervisor(tmp_path, {"one": targets.takes_its_time, "two": targets.takes_its_time}) as supervisor:
        supervisor.tend(now)
        wait_for(lambda: all("ready" in log.read_text() for log in supervisor.logs.values()), "both")
        before = dict(supervisor.pids)
        os.kill(psutil.Process(before["one"]).ppid(), signal.SIGKILL)
        wait_for(both_again, "both, started again")
        assert not any(map(is_running, before.values()))
        assert all(map(is_running, supervisor.pids.values()))
        for pid in supervisor.pids.values():
            os.kill(pid, signal.SIGKILL)  # they would take their time


def test_pauses_grow_while_it_dies_quickly(tmp_path: Path) -> None:
    said: list[str] = []
    with _supervisor(tmp_path, {"one": targets.sleeps}, said.append) as supervisor:
        now = 0.0
        for pause in PAUSES:
            _dies(supervisor, "one", now)
            now += pause
    assert [line.partition(" in ")[2].partition(" s.")[0] for line in said] == ["0.5", "1", "2"]


def test_one_that_dies_again_and_again_ends_it_all_with_the_last_lines_of_its_log(tmp_path: Path) -> None:
    def tend() -> bool:
        nonlocal now
        if "one" not in supervisor.pids:
            now += PAUSES[-1]
        supervisor.tend(now)
        return False

    now = 0.0
    with (
        _supervisor(tmp_path, {"one": targets.fails}) as supervisor,
        pytest.raises(
            CannotStart, match=r"`refrain one` has ended with exit code 3, 4 times.*the reason why"
        ),
    ):
        # re.DOTALL is not to be had by `match`: the log's lines come after a line's end.
        try:
            wait_for(tend, "the supervisor giving up")
        except CannotStart as error:
            raise CannotStart(str(error).replace("\n", " ")) from error


def test_one_that_lived_long_may_die_any_number_of_times(tmp_path: Path) -> None:
    with _supervisor(tmp_path, {"one": targets.sleeps}) as supervisor:
        for death in range(2 * len(PAUSES)):
            supervisor.tend(2 * death * (QUICK + 1))  # starts it
            _dies(supervisor, "one", now=(2 * death + 1) * (QUICK + 1))


def test_the_last_started_is_the_first_ended(tmp_path: Path) -> None:
    order = tmp_path / "order"
    kinds = ("one", "two", "three")
    with _supervisor(
        tmp_path, {kind: partial(targets.writes_its_end, kind, order) for kind in kinds}
    ) as supervisor:
        supervisor.tend(0.0)
        pids = list(supervisor.pids.values())
        wait_for(
            lambda: all("ready" in supervisor.logs[kind].read_text() for kind in kinds), "three processes"
        )
    assert order.read_text().split() == ["three", "two", "one"]
    assert not any(is_running(pid) for pid in pids)


def test_processes_have_the_settings_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_COHORTS", "99")
    settings = {"cohorts": 12, "kafka": "k:1", "redis": "redis://r:1/0"}
    with _supervisor(tmp_path, {"one": targets.shows_settings}, **settings) as supervisor:
        supervisor.tend(0.0)
        wait_for(lambda: "cohorts" in supervisor.logs["one"].read_text(), "the settings")
        text = supervisor.logs["one"].read_text()
    assert "cohorts=12" in text
    assert "kafka='k:1' " in text
    assert " redis='redis://r:1/0'" in text


def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import signal
from pathlib import Path
from consumers.runtime.forked import import_ahead
from consumers.runtime.supervisor import Supervisor
from stream.settings import Settings
from tests.up.targets import sleeps
import_ahead(["tests.up.targets"])
with Supervisor(Settings(), Path({str(tmp_path)!r}), print, {{"one": sleeps, "two": sleeps}}) as supervisor:
    supervisor.tend(0.0)
    print(*supervisor.pids.values(), flush=True)
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(is_running(pid) for pid in pids), "the end of both")
