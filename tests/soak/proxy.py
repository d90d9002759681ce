"""A network between processes and Redis that can be cut, and slowed."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from types import TracebackType
from urllib.parse import urlsplit

from stream.broker.ports import LOCALHOST

__all__ = ["Network"]


class Network:
    """Passes on what processes and Redis say to each other; its `url` takes the place of Redis's.

    Parameters
    ----------
    redis
        The server's URL.
    """

    def __init__(self, redis: str) -> None:
        self._server = urlsplit(redis)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._delay = 0.0
        self._cut = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    def cut(self, seconds: float) -> None:
        """Break all connections, and let nobody connect for so long."""
        self._cut = True
        self._loop.call_soon_threadsafe(self._break)
        time.sleep(seconds)
        self._cut = False

    def slow(self, delay: float, seconds: float) -> None:
        """Let each piece take so many seconds longer, for so long."""
        self._delay = delay
        time.sleep(seconds)
        self._delay = 0.0

    def _break(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _serve(self) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, LOCALHOST, 0)
        self.url = f"redis://{LOCALHOST}:{server.sockets[0].getsockname()[1]}{self._server.path}"
        self._ready.set()
        await self._ending.wait()
        server.close()
        self._break()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        ends = [writer]
        try:
            if not self._cut:
                from_redis, to_redis = await asyncio.open_connection(self._server.hostname, self._server.port)
                ends.append(to_redis)
                await asyncio.gather(self._pass(reader, to_redis), self._pass(from_redis, writer))
        except (asyncio.CancelledError, OSError):
            pass
        finally:
            self._tasks.discard(task)
            for end in ends:
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1 << 20):
            if self._delay:
                await asyncio.sleep(self._delay)
            writer.write(piece)
            await writer.drain()
        writer.close()

    def __enter__(self) -> Network:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()
