from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.crew import PAUSES, QUICK, Crew
from stream.errors import CannotStart
from stream.settings import Settings
from tests.broker.processes import is_running
from tests.waiting import wait_for

SLEEPER = [sys.executable, "-c", "import signal; signal.pause()"]
FAILS = [sys.executable, "-c", "import sys; print('the reason why'); sys.exit(3)"]


def _silent(_: str) -> None:
    pass


def _crew(
    folder: Path, programs: dict[str, list[str]], say: Callable[[str], None] = _silent, **settings: object
) -> Crew:
    return Crew(Settings.model_validate(settings), folder, say, programs)


def _dies(crew: Crew, kind: str, now: float) -> None:
    """Kill it, and wait until the crew knows; at `now` it is not due yet."""
    crew.tend(now)
    assert kind in crew.pids
    subprocess.run(["kill", "-9", str(crew.pids[kind])], check=True)
    wait_for(lambda: _gone(crew, kind, now), f"the death of {kind}")


def _gone(crew: Crew, kind: str, now: float) -> bool:
    crew.tend(now)
    return kind not in crew.pids


def test_a_process_that_dies_is_started_again_with_a_word(tmp_path: Path) -> None:
    said: list[str] = []
    with _crew(tmp_path, {"one": SLEEPER}, said.append) as crew:
        _dies(crew, "one", now=0.0)
        assert re.search(rf"one has ended by signal 9.* in 0\.5 s.*{tmp_path}/one\.log", said[0])
        crew.tend(PAUSES[0])
        assert is_running(crew.pids["one"])


def test_the_others_go_on_when_one_dies(tmp_path: Path) -> None:
    with _crew(tmp_path, {"one": SLEEPER, "two": SLEEPER}) as crew:
        crew.tend(0.0)
        two = crew.pids["two"]
        _dies(crew, "one", now=0.0)
        assert crew.pids == {"two": two}
        assert is_running(two)


def test_pauses_grow_while_it_dies_quickly(tmp_path: Path) -> None:
    said: list[str] = []
    with _crew(tmp_path, {"one": SLEEPER}, said.append) as crew:
        now = 0.0
        for pause in PAUSES:
            _dies(crew, "one", now)
            now += pause
    assert [line.partition(" in ")[2].partition(" s.")[0] for line in said] == ["0.5", "1", "2"]


def test_one_that_dies_again_and_again_ends_it_all_with_the_last_lines_of_its_log(tmp_path: Path) -> None:
    def tend() -> bool:
        nonlocal now
        now += PAUSES[-1]
        crew.tend(now)
        return False

    now = 0.0
    with (
        _crew(tmp_path, {"one": FAILS}) as crew,
        pytest.raises(
            CannotStart, match=r"`refrain one` has ended with exit code 3, 4 times.*the reason why"
        ),
    ):
        # re.DOTALL is not to be had by `match`: the log's lines come after a line's end.
        try:
            wait_for(tend, "the crew giving up")
        except CannotStart as error:
            raise CannotStart(str(error).replace("\n", " ")) from error


def test_one_that_lived_long_may_die_any_number_of_times(tmp_path: Path) -> None:
    with _crew(tmp_path, {"one": SLEEPER}) as crew:
        for death in range(2 * len(PAUSES)):
            crew.tend(2 * death * (QUICK + 1))  # starts it
            _dies(crew, "one", now=(2 * death + 1) * (QUICK + 1))


def test_the_last_started_is_the_first_ended(tmp_path: Path) -> None:
    script = (
        "import pathlib, signal, sys\n"
        "def end(*_):\n"
        "    with pathlib.Path(sys.argv[2]).open('a') as file:\n"
        "        file.write(sys.argv[1] + ' ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    order = tmp_path / "order"
    kinds = ("one", "two", "three")
    with _crew(tmp_path, {kind: [sys.executable, "-c", script, kind, str(order)] for kind in kinds}) as crew:
        crew.tend(0.0)
        pids = list(crew.pids.values())
        wait_for(lambda: all("ready" in crew.logs[kind].read_text() for kind in kinds), "three processes")
    assert order.read_text().split() == ["three", "two", "one"]
    assert not any(is_running(pid) for pid in pids)


def test_processes_have_the_settings_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_COHORTS", "99")
    show = [sys.executable, "-c", "from stream.settings import load_settings; print(load_settings())"]
    with _crew(tmp_path, {"one": show}, cohorts=12, kafka="k:1", redis="redis://r:1/0") as crew:
        crew.tend(0.0)
        wait_for(lambda: "cohorts" in crew.logs["one"].read_text(), "the settings")
        text = crew.logs["one"].read_text()
    assert "cohorts=12" in text
    assert "kafka='k:1' redis='redis://r:1/0'" in text


def test_no_process_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import signal
from pathlib import Path
from consumers.crew import Crew
from stream.settings import Settings
with Crew(Settings(), Path({str(tmp_path)!r}), print, {{"one": {SLEEPER!r}, "two": {SLEEPER!r}}}) as crew:
    crew.tend(0.0)
    print(*crew.pids.values(), flush=True)
    signal.pause()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.send_signal(signal.SIGKILL)
    wait_for(lambda: not any(is_running(pid) for pid in pids), "the end of both")
