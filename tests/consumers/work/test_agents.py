"""Faust brings events, or the worker ends with what keeps it from that."""

from __future__ import annotations

from typing import Any

import pytest

from consumers.work.worker import work
from stream.settings import Settings
from tests.consumers.running import Running
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
