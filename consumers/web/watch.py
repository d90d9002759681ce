"""Looks at what goes on, once for everybody who follows it, and not at all while nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from consumers.queries.now import Now, read_now
from stream.connect import REDIS_ERRORS, AnyRedis
from stream.settings import Settings

__all__ = ["Watch"]

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Watch:
    """Looks once a second.

    Parameters
    ----------
    stop
        Whoever follows is let go once it is set.
    """

    def __init__(self, redis: AnyRedis, settings: Settings, stop: asyncio.Event) -> None:
        self._redis, self._settings, self._stop = redis, settings, stop
        self._looked = asyncio.Condition()
        self._followers = 0
        self._looking: asyncio.Task[None] | None = None
        self._now: Now | None = None

    async def follow(self) -> AsyncIterator[Now]:
        """Yield what goes on, at once and then each time that it was looked at, until asked to stop."""
        self._followers += 1
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            seen: Now | None = None
            while not self._stop.is_set():
                async with self._looked:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._looked.wait(), LOOK_SECONDS)
                if self._now is not None and self._now is not seen:
                    seen = self._now
                    yield seen
        finally:
            self._followers -= 1

    async def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        self._now = None  # a rate over the time in which nobody looked says little
        while self._followers and not self._stop.is_set():
            try:
                now = await read_now(self._redis, self._settings, time.time(), self._now)
            except REDIS_ERRORS as error:
                logger.warning("cannot look at what goes on: %s", error)
            except Exception:
                # Whoever follows would wait for ever for a look that nothing begins again.
                logger.exception("cannot look at what goes on")
            else:
                async with self._looked:
                    self._now = now
                    self._looked.notify_all()
            await asyncio.sleep(LOOK_SECONDS)
