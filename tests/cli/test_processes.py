from __future__ import annotations

import json
import logging
import os
import signal
import time
from pathlib import Path

import pytest

from consumers.runtime.process import NO_COORDINATOR, Seldom
from stream.settings import Settings
from tests.refrain_command import Refrain
from tests.waiting import wait_for


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("ingest", "reading"),
        ("train", "reserve"),
        ("work", "answering releases"),
        ("traits", "keeping traits"),
    ],
)
def test_a_process_logs_json_where_asked_and_ends_well(
    topics: Settings, refrain: Refrain, kind: str, word: str
) -> None:
    if kind == "train":
        first = refrain.start("train")
        wait_for(lambda: refrain.run("doctor", "--only", "train").returncode == 0, "the first trainer")
        assert first.alive
    process = refrain.start(kind, "--json")
    wait_for(lambda: word in process.log.read_text(), f"{kind} says {word!r}")
    process.signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 0
    entries = [json.loads(line) for line in process.log.read_text().splitlines()]
    assert any(word in entry["message"] for entry in entries)
    assert not [entry for entry in entries if "_App" in entry["message"]]  # Faust's own announcements
    assert {"at", "level", "logger", "message"} <= set(entries[0])


def test_what_learns_gives_way_to_what_applies_clicks_and_answers_releases(
    topics: Settings, refrain: Refrain
) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    for kind, begun in (("ingest", "reading"), ("work", "answering releases")):
        process = refrain.start(kind)
        wait_for(lambda process=process, begun=begun: begun in process.log.read_text(), f"{kind} to begin")
        assert os.getpriority(os.PRIO_PROCESS, process.pid) == ours
    for kind in ("train", "traits"):
        pid = refrain.start(kind).pid
        wait_for(lambda pid=pid: os.getpriority(os.PRIO_PROCESS, pid) == ours + 5, f"{kind} to give way")
        session = Path(f"/proc/{pid}/autogroup")
        if session.exists():
            wait_for(lambda at=session: at.read_text().endswith(" nice 5\n"), f"the session of {kind} to")


def test_that_a_new_broker_has_no_coordinator_yet_is_said_only_where_it_lasts() -> None:
    begun = time.time()
    record = logging.LogRecord("aiokafka.x", logging.ERROR, "", 0, NO_COORDINATOR, ("none",), None)
    seldom = Seldom()
    said = []
    for seconds in (1.0, 5.0, 20.0):
        record.created = begun + seconds
        said.append(seldom.filter(record))
    assert said == [False, False, True]
