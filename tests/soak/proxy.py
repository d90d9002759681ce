"""A network between processes and Redis that can be cut, and slowed."""

from __future__ import annotations

import asyncio
import time

from tests.consumers.redis_proxy import RedisProxy

__all__ = ["Network"]


class Network(RedisProxy):
    """Passes on what processes and Redis say to each other; its `url` takes the place of Redis's.

    Parameters
    ----------
    redis
        The server's URL.
    """

    def __init__(self, redis: str) -> None:
        super().__init__(redis, hold=lambda _: False)
        self._cut = False

    def cut(self, seconds: float) -> None:
        """Break all connections, and let nobody connect for so long."""
        self._cut = True
        self._loop.call_soon_threadsafe(self._break)
        time.sleep(seconds)
        self._cut = False

    def slow(self, delay: float, seconds: float) -> None:
        """Let each piece take so many seconds longer, for so long."""
        self.delay = delay
        time.sleep(seconds)
        self.delay = 0.0

    def _break(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.close()
        else:
            await super()._connected(reader, writer)
