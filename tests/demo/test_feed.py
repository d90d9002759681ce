"""The demo's clicks: however long it runs, none is refused for its time."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from typing import cast

import pytest

from consumers.demo.feed import Feed
from consumers.demo.ledger import Ledger
from consumers.demo.world import World
from stream.wire.sender import Message, Sender

ENOUGH = 100  # clicks; the world has them in a second


class _Ahead:
    """A sender that notes how far ahead of the clock clicks are, and ends when it has enough of them."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def deliver(self, messages: Iterable[Message]) -> None:
        self.seconds += [json.loads(message.value or b"")["ts"] - time.time() for message in messages]
        if len(self.seconds) >= ENOUGH:
            raise asyncio.CancelledError


async def test_no_click_is_ahead_of_the_clock() -> None:
    sender, world = _Ahead(), World(5, time.time(), n_listeners=300, clicks_a_day=ENOUGH * 86_400)
    feed = Feed(cast(Sender, sender), world, Ledger(started_at=0.0), run="1")
    with pytest.raises(asyncio.CancelledError):
        await feed.click_on()
    assert max(sender.seconds) <= 0
