"""`refrain demo` as a newcomer runs it, through the contract alone."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

from stream.broker import find_running
from stream.settings import Settings
from tests.refrain_command import Refrain
from tests.waiting import wait_for


def _own(folder: Path) -> dict[str, Any]:
    return {"kafka": "", "redis": "", "broker": "java", "data": folder, "connect_timeout": 120}


def test_audiences_click_more_often_than_listeners_drawn_at_random(refrain: Refrain, tmp_path: Path) -> None:
    ran = refrain.run_program(
        "demo", "--for", "45", "--json", timeout=240, control=0.05, **_own(tmp_path / "own")
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    summary = json.loads(ran.stdout.splitlines()[-1])["summary"]
    assert summary["ctr"] > 2 * summary["ctr_at_random"] > 0
    assert summary["told"] >= 200
    assert summary["told"] == summary["told_usual"] + summary["told_by_taste"]
    assert summary["last_releases"]["ctr_by_taste"] > summary["last_releases"]["ctr_at_random"]
    assert summary["left_out"]["control group"] > 0
    assert summary["model"] >= 1
    assert summary["members"] > 2500
    assert summary["bots"] == 6
    assert summary["dead_letters"] > 0
    assert summary["catalogued"]
    assert all(row["label"] for row in summary["cohorts"])
    assert find_running(tmp_path / "own" / "demo") is None


def test_without_an_audience_it_says_why_with_exit_code_1(refrain: Refrain, topics: Settings) -> None:
    more_than_there_are = 100_000  # in four seconds a first model comes on a fast machine
    ran = refrain.run_program("demo", "--for", "4", timeout=240, first_model_listeners=more_than_there_are)
    assert ran.returncode == 1
    assert "no audience came" in ran.stderr
    assert "no model was published yet" in ran.stderr.replace("\n", " ")


def test_cut_short_it_ends_cleanly(refrain: Refrain, tmp_path: Path) -> None:
    demo = refrain.start("demo", **_own(tmp_path / "own"))
    wait_for(lambda: len(re.findall(r"^\d\d:\d\d ", demo.log.read_text(), re.M)) == 2, "the second line")
    demo.signal(signal.SIGINT)
    assert demo.wait(timeout=90) == 0
    assert find_running(tmp_path / "own" / "demo") is None
    assert "Traceback" not in demo.log.read_text()
