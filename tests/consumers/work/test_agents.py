"""Faust brings events, or the worker ends with what keeps it from that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from consumers.work.worker import work
from stream.settings import Settings
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.waiting import wait_for


def test_a_worker_whose_faust_fails_ends_with_its_error(
    topics: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Exception):
        pass

    async def breaks(*_: Any, **__: Any) -> None:
        raise Broken

    monkeypatch.setattr("consumers.work.faust_transport._Thread._fetch_records", breaks)
    running = Running(work, topics).start()
    wait_for(lambda: not running.alive, "the worker to end")
    with pytest.raises(Broken):
        running.stop()


def test_a_worker_that_is_killed_leaves_no_folder_behind(
    log: KafkaLog, refrain: Refrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    log.send("songs", [{"song_id": "s", "artist_ids": ["a"]}])
    worker = refrain.start("work")
    log.wait_until_caught_up("work", "songs")
    worker.kill()
    assert list(temporary.iterdir()) == []
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [temporary]
