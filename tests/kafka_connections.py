"""Connections of aiokafka that nobody closes: closed before their event loop is."""

from __future__ import annotations

import asyncio
import weakref

import pytest
from aiokafka.conn import AIOKafkaConnection

__all__ = ["close_with_their_loop"]


def close_with_their_loop(patch: pytest.MonkeyPatch) -> None:
    """Let every event loop that is closed first close connections to Kafka that are still open on it.

    aiokafka 0.14 leaves one open where it is cancelled between connecting and the first answer, as when a
    process is asked to end just after it began. The garbage collector then finds it, in whichever test it
    runs.
    A consumer or producer that we do not stop still says so itself.
    """
    opened: weakref.WeakSet[AIOKafkaConnection] = weakref.WeakSet()
    connect, close = AIOKafkaConnection.connect, asyncio.SelectorEventLoop.close

    async def noted(self: AIOKafkaConnection) -> object:
        opened.add(self)
        return await connect(self)

    def closed_first(self: asyncio.SelectorEventLoop) -> None:
        if not self.is_running() and not self.is_closed():
            left = [each for each in opened if each._loop is self and each.connected()]
            for each in left:
                each.close()
            if left:
                self.run_until_complete(asyncio.sleep(0))  # its transport and its reader end in this turn
        close(self)

    patch.setattr(AIOKafkaConnection, "connect", noted)
    patch.setattr(asyncio.SelectorEventLoop, "close", closed_first)
