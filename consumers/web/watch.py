"""Looks at what goes on, once for everybody who follows it, and not at all while nobody does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http import HTTPStatus

from starlette.exceptions import HTTPException

from consumers.queries.now import Now, read_now
from stream.connect import REDIS_ERRORS, AnyRedis
from stream.settings import Settings

__all__ = ["Watch"]

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0

MOST_STREAMS = 20
"""That a caller may follow at once: each is rendered every second. A browser opens six at most."""


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
        self._streams: Counter[str] = Counter()

    @contextlib.contextmanager
    def stream_of(self, caller: str) -> Iterator[None]:
        """Count a stream that a caller follows for as long as it is open.

        Raises
        ------
        HTTPException
            429, where they follow too many.
        """
        if self._streams[caller] >= MOST_STREAMS:
            raise HTTPException(
                HTTPStatus.TOO_MANY_REQUESTS,
                f"{MOST_STREAMS} streams are open with this key, and that is the most: close one first",
            )
        self._streams[caller] += 1
        try:
            yield
        finally:
            self._streams[caller] -= 1
            if not self._streams[caller]:
                del self._streams[caller]

    async def follow(self, may: Callable[[], Awaitable[bool]] | None = None) -> AsyncIterator[Now]:
        """Yield what goes on, at once and then each time that it was looked at, until asked to stop.

        Parameters
        ----------
        may
            Whether they may still follow, asked each time; None: they may.
        """
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
                    try:
                        if may is not None and not await may():
                            return
                    except REDIS_ERRORS:
                        continue  # nothing is told before that can be said
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
