"""Stands between a process and Redis, and holds what it says at a moment of the test's choice."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from urllib.parse import urlsplit

from stream.broker.ports import LOCALHOST

__all__ = ["RedisProxy"]


class RedisProxy:
    """Passes everything on until `hold` says true of something sent to Redis; from then on, nothing.

    Parameters
    ----------
    redis
        The server's URL.
    hold
        Is asked of every piece of bytes before it is passed on.
    """

    def __init__(self, redis: str, hold: Callable[[bytes], bool]) -> None:
        self._server = urlsplit(redis)
        self._hold = hold
        self.held = threading.Event()
        self.delay = 0.0  # seconds that each piece takes longer
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self.url = ""

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connected, LOCALHOST, 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"redis://{LOCALHOST}:{port}{self._server.path}"
        self._ready.set()
        await self._ending.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        ends = [writer]
        try:
            from_redis, to_redis = await asyncio.open_connection(self._server.hostname, self._server.port)
            ends.append(to_redis)
            await asyncio.gather(self._pass(reader, to_redis, self._hold), self._pass(from_redis, writer))
        except (asyncio.CancelledError, OSError):  # the test ends, or an end has gone
            pass
        finally:
            self._tasks.discard(task)
            for end in ends:
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        hold: Callable[[bytes], bool] = lambda _: False,
    ) -> None:
        while piece := await reader.read(1 << 20):
            if self.held.is_set() or hold(piece):
                self.held.set()
                await asyncio.Event().wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            writer.write(piece)
            await writer.drain()
        writer.close()

    def __enter__(self) -> RedisProxy:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
