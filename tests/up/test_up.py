from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import redis

from stream.broker import find_running
from stream.settings import Settings
from tests.broker.processes import is_running
from tests.refrain_command import Refrain
from tests.up.running import KINDS, only, processes, started
from tests.waiting import wait_for

OWN = KINDS | {"Kafka", "Redis"}


def _descendants(pid: int) -> set[int]:
    """All processes that this one has started, and those that they have."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid="], stdout=subprocess.PIPE, text=True, check=True).stdout
    parents = dict(tuple(map(int, line.split())) for line in table.splitlines())
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def _helpers(pid: int) -> set[int]:
    """What its processes are copied from, and what keeps track of resources: they end just after it."""
    children = psutil.Process(pid).children()
    return {child.pid for child in children if "multiprocessing" in " ".join(child.cmdline())}


@pytest.mark.parametrize(
    "number",
    [
        # `refrain demo` is ended so, too: test_cut_short_it_ends_cleanly
        pytest.param(signal.SIGINT, id="Ctrl-C", marks=pytest.mark.long),
        pytest.param(signal.SIGTERM, id="SIGTERM"),
    ],
)
def test_asked_to_end_it_ends_cleanly_and_leaves_no_process(
    refrain: Refrain, settings: Settings, number: int
) -> None:
    up = refrain.start("up")
    started(settings.redis)
    pids, helpers = _descendants(up.pid), _helpers(up.pid)
    assert len(pids - helpers) >= len(KINDS)
    wait_for(lambda: "work   | " in up.log.read_text(), "what the worker says")
    up.signal(number)
    assert up.wait(timeout=60) == 0
    assert not any(is_running(pid) for pid in pids - helpers)
    wait_for(lambda: not any(is_running(pid) for pid in helpers), "the end of what they were copied from")
    assert processes(settings.redis) == {}
    said = up.log.read_text()
    assert "Traceback" not in said
    assert "Starting..." not in said


def _alone(settings: Settings, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`refrain up` as a shell starts it, in a folder."""
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("refrain")), "up", *arguments],
        env={
            **os.environ,
            **settings.as_environment(),
            "REFRAIN_DATA": str(folder / "data"),
        },
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def test_ctrl_c_while_it_still_imports_leaves_no_process_and_no_traceback(
    settings: Settings, tmp_path: Path
) -> None:
    with _alone(settings, tmp_path) as up:
        wait_for(lambda: len(_descendants(up.pid)) > 1, "what keeps track of resources, and what imports")
        pids = _descendants(up.pid)
        os.killpg(up.pid, signal.SIGINT)  # as a terminal does: all of a session
        said, _ = up.communicate(timeout=60)
    assert up.returncode == 0
    assert "Traceback" not in said
    wait_for(lambda: not any(is_running(pid) for pid in pids), "its end")


def test_folders_named_as_ours_where_somebody_stands_are_not_imported(
    settings: Settings, tmp_path: Path
) -> None:
    for name in ("consumers", "models", "stream", "numpy"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('not ours')\n")
    with _alone(settings, tmp_path, *only("work")) as up:
        started(settings.redis, {"work"})
        up.terminate()
        said, _ = up.communicate(timeout=60)
    assert up.returncode == 0
    assert "not ours" not in said


def test_with_servers_of_its_own_it_ends_by_itself_and_leaves_nothing(
    refrain: Refrain, tmp_path: Path
) -> None:
    folder = tmp_path / "own"
    up = refrain.start(
        "up", "--for", "8", kafka="", redis="", broker="java", data=folder, connect_timeout=120
    )
    state = wait_for(lambda: find_running(folder), "servers of its own")
    assert state is not None
    # Servers with their watchers, what processes are copied from, and what keeps track of resources.
    wait_for(lambda: len(_descendants(up.pid)) >= len(OWN) + 4, "all of them")
    pids, helpers = _descendants(up.pid), _helpers(up.pid)
    assert up.wait(timeout=120) == 0
    said = up.log.read_text()
    assert f"export REFRAIN_KAFKA={state.kafka} REFRAIN_REDIS={state.redis}" in said
    assert "refrain doctor" in said
    assert find_running(folder) is None
    assert {log.stem for log in (folder / "logs").iterdir()} == KINDS
    assert not any(is_running(pid) for pid in pids - helpers)
    wait_for(lambda: not any(is_running(pid) for pid in helpers), "the end of what they were copied from")


def test_killed_outright_it_leaves_no_process(refrain: Refrain, settings: Settings) -> None:
    up = refrain.start("up", *only("ingest", "work"))
    started(settings.redis, {"ingest", "work"})
    pids = _descendants(up.pid)
    assert len(pids) >= 2
    up.kill()
    wait_for(lambda: not any(is_running(pid) for pid in pids), "the end of all of them")


def test_a_process_that_is_killed_is_started_again_and_said(refrain: Refrain, settings: Settings) -> None:
    up = refrain.start("up", *only("ingest", "work"))
    first = started(settings.redis, {"ingest", "work"})["ingest"]
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: processes(settings.redis).get("ingest", first) != first, "another ingester")
    assert "ingest has ended by signal 9; it is started again" in up.log.read_text()
    up.kill()  # asked kindly, the new ingester would first wait for Kafka to give up the dead one


def test_what_keeps_a_process_from_starting_is_said_with_exit_code_1(
    refrain: Refrain, settings: Settings
) -> None:
    with redis.Redis.from_url(settings.redis) as client:
        client.hset("decay", mapping={"half_life": repr(7 * 86400.0), "landmark": repr(1577836800.0)})
    up = refrain.start("up", *only("ingest"))
    assert up.wait(timeout=120) == 1
    said = up.log.read_text()
    assert "4 times in a row" in said
    assert "REFRAIN_HALF_LIFE_DAYS=7" in said.rpartition("4 times in a row")[2].replace("\n", " ")


def test_it_leaves_out_what_it_is_told_to(refrain: Refrain, settings: Settings) -> None:
    refrain.start("up", *only("work", "traits"))
    started(settings.redis, {"work", "traits"})
    done = refrain.run("up", "--without", "cook")
    assert (done.returncode, "no process 'cook'" in done.stderr) == (2, True)


def test_it_delivers_where_the_settings_name_a_folder(
    refrain: Refrain, settings: Settings, tmp_path: Path
) -> None:
    up = refrain.start("up", *only("serve"), deliver_folder=tmp_path / "audiences")
    started(settings.redis, {"serve", "deliver"})
    up.signal(signal.SIGTERM)
    assert up.wait(timeout=60) == 0
    assert "stopping deliver, serve" in up.log.read_text()
