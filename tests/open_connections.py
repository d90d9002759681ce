"""Connections that a library leaves open: closed before their event loop is."""

from __future__ import annotations

import asyncio
import weakref

import pytest
from aiokafka.conn import AIOKafkaConnection

__all__ = ["close_with_their_loop"]


def close_with_their_loop(patch: pytest.MonkeyPatch) -> None:
    """Let every event loop that is closed first close connections that are still open on it.

    aiokafka 0.14 leaves one open where it is cancelled between connecting and the first answer, as when a
    process is asked to end just after it began. The garbage collector then finds it, in whichever test it
    runs.
    A consumer, a producer, a client of Redis or a session of HTTP that we do not end still says so itself.
    """
    opened: weakref.WeakSet[AIOKafkaConnection] = weakref.WeakSet()
    connect, close = AIOKafkaConnection.connect, asyncio.SelectorEventLoop.close

    async def noted(self: AIOKafkaConnection) -> object:
        opened.add(self)
        return await connect(self)

    def closed_first(self: asyncio.SelectorEventLoop) -> None:
        if not self.is_running() and not self.is_closed():
            # Not `connected()`: that is no longer so where Kafka closed it and nothing here has read so yet.
            left = [each for each in opened if each._loop is self and each._writer is not None]
            for each in left:
                each.close()
            # And sockets of which no connection is left: freed between two tests, where nobody listens.
            below = [each for each in list(self._transports.values()) if not each.is_closing()]
            for each in below:
                each.close()
            if left or below:
                self.run_until_complete(asyncio.sleep(0))  # its transport and its reader end in this turn
        close(self)

    patch.setattr(AIOKafkaConnection, "connect", noted)
    patch.setattr(asyncio.SelectorEventLoop, "close", closed_first)
