"""A worker that is asked to end."""

from __future__ import annotations

import gc
import logging

import pytest
from aiokafka.conn import AIOKafkaConnection

from consumers.work.worker import work
from stream.settings import Settings
from tests.consumers.running import Running
from tests.waiting import wait_for


def test_a_worker_asked_to_end_while_it_joins_its_group_leaves_no_connection_open(
    topics: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "consumers")
    for _ in range(3):
        caplog.clear()
        with Running(work, topics):
            wait_for(lambda: "answering releases" in caplog.text, "it to join its group")
    open_ones = [
        found
        for found in gc.get_objects()
        # By the type itself: weak references of others may be to what is no more.
        if issubclass(type(found), AIOKafkaConnection) and found.connected()
    ]
    assert not open_ones
