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


def test_traits_give_way_to_what_applies_clicks(topics: Settings, refrain: Refrain) -> None:
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    ingester, traits = refrain.start("ingest"), refrain.start("traits")
    wait_for(lambda: os.getpriority(os.PRIO_PROCESS, traits.pid) == ours + 5, "traits to give way")
    session = Path(f"/proc/{traits.pid}/autogroup")
    if session.exists():
        wait_for(lambda: session.read_text().endswith(" nice 5\n"), "their session to give way")
    wait_for(lambda: "reading" in ingester.log.read_text(), "the ingester to begin")
    assert os.getpriority(os.PRIO_PROCESS, ingester.pid) == ours


def test_that_a_new_broker_has_no_coordinator_yet_is_said_only_where_it_lasts() -> None:
    begun = time.time()
    record = logging.LogRecord("aiokafka.x", logging.ERROR, "", 0, NO_COORDINATOR, ("none",), None)
    seldom = Seldom()
    said = []
    for seconds in (1.0, 5.0, 20.0):
        record.created = begun + seconds
        said.append(seldom.filter(record))
    assert said == [False, False, True]
