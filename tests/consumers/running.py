"""A process of Refrain as a thread of the test's: quick to start, all of it but the signals."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType

from stream.settings import Settings
from tests.waiting import DEADLINE

__all__ = ["Running"]

Main = Callable[[Settings, asyncio.Event], Awaitable[None]]


class Running:
    """Runs `ingest`, `train` or `work` until `stop` or the end of the ``with`` block; raises its error there.

    Where a kill or a signal is the matter, tests start real processes instead (the fixture `refrain`).
    """

    def __init__(self, main: Main, settings: Settings) -> None:
        self._main = main
        self._settings = settings
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=main.__name__, daemon=True)

    def _run(self) -> None:
        try:
            asyncio.run(self._whole())
        except BaseException as error:  # noqa: BLE001 - raised by stop()
            self._error = error
            self._ready.set()

    async def _whole(self) -> None:
        self._loop, self._asked = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._main(self._settings, self._asked)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self) -> Running:
        self._thread.start()
        self._ready.wait()
        return self

    def stop(self) -> None:
        """Ask it to end, as SIGTERM does, and wait for that."""
        if self.alive:
            self._loop.call_soon_threadsafe(self._asked.set)
        self._thread.join(DEADLINE)
        assert not self.alive, f"{self._thread.name} does not end"
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def __enter__(self) -> Running:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
