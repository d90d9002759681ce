"""Looks at topics that fail: whoever watches them goes on."""

from __future__ import annotations

import asyncio

import pytest

from stream.metrics import STEPS_RETRIED
from stream.wire.topic_watch import TopicChanged, TopicWatch

__all__ = ["goes_on_where_looks_fail"]


async def goes_on_where_looks_fail(watch: TopicWatch) -> None:
    """Let it watch until two looks have failed and are counted as retried; then end it."""
    counted = STEPS_RETRIED.labels("looking at its topics")
    before = counted._value.get()
    watching = asyncio.create_task(watch.run())
    while counted._value.get() < before + 2:
        assert not watching.done()
        await asyncio.sleep(0.05)
    watch.changed = "enough"
    with pytest.raises(TopicChanged):
        await watching
