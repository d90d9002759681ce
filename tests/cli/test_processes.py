from __future__ import annotations

import json
import signal

import pytest

from stream.settings import Settings
from tests.refrain_command import Refrain
from tests.waiting import wait_for


@pytest.mark.parametrize(
    ("kind", "word"),
    [("ingest", "reading"), ("train", "reserve"), ("work", "answering releases")],
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
    assert {"at", "level", "logger", "message"} <= set(entries[0])
