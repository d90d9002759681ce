"""What previews of audiences take from memory: held while somebody uses them, and for some minutes after."""

from __future__ import annotations

import asyncio
import logging
import time

from consumers.queries.artist_names import ArtistNames
from consumers.queries.audience import Preview, Previews, Reading
from consumers.runtime.live_model import LiveModel
from consumers.runtime.live_songs import LiveSongs
from stream.connect import REDIS_ERRORS, AnyRedis
from stream.settings import Settings
from stream.wire.events import Release

__all__ = ["Desk"]

logger = logging.getLogger(__name__)

KEPT_SECONDS = 600.0
"""For how long after its last use all is kept, and kept current."""

REST_SECONDS = 0.5  # between two looks at what is to be read again, at least
AGAIN_SECONDS = 1.0  # where Redis has failed

SHARE_WAITED_FOR = 0.5
SHARE = 0.1
"""Of a core, at most, for reading listeners: the first time, when somebody waits for it; and from then on.
A second of it is about as much again for Redis, which ingesters and workers ask at the same time."""


class Desk:
    """Plans audiences, and completes names of artists.

    Parameters
    ----------
    live, songs
        The model and the song model that serve.

    Attributes
    ----------
    names
        All names of artists.
    """

    def __init__(self, redis: AnyRedis, settings: Settings, live: LiveModel, songs: LiveSongs) -> None:
        self.names = ArtistNames(redis, live)
        self._idle = asyncio.Event()
        self._idle.set()
        self._previews = Previews(redis, settings, live, self._idle, songs)
        self._previews.keep_traits(())
        self._planning = 0
        self._used_at = 0.0
        self._reading: Reading | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._closed = False

    def open(self) -> None:
        """Begin to read listeners and names, and keep them current; each use lets it go on."""
        self._used_at = time.monotonic()
        self.names.begin()
        if self._keeping is None or self._keeping.done():
            self._reading = Reading(0, 0)
            self._keeping = asyncio.create_task(self._keep())

    @property
    def reading(self) -> Reading | None:
        """How many listeners are still to be read before a preview is quick; None: none are."""
        return self._reading

    async def plan(self, release: Release, first: int, why: str | None = None) -> Preview:
        """Plan an audience; see `consumers.queries.audience.Previews.of`. No listeners are read meanwhile
        but those that it waits for."""
        self.open()
        if release.where:
            self._previews.keep_traits(release.where.traits)
        self._planning += 1
        self._idle.clear()
        try:
            return await self._previews.of(release, first, why)
        finally:
            self._planning -= 1
            if not self._planning:
                self._idle.set()

    async def close(self) -> None:
        """Read nothing more."""
        # A cancellation may get lost on its way: `asyncio.wait_for` of Python 3.11, which redis-py uses,
        # drops one that comes just as it has its answer.
        self._closed = True
        await self.names.close()
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])

    async def _keep(self) -> None:
        left: int | None = None
        try:
            while not self._closed and time.monotonic() - self._used_at < KEPT_SECONDS:
                waited_for = self._reading is not None or self._previews.lacks_traits
                began, share = time.thread_time(), SHARE_WAITED_FOR if waited_for else SHARE
                try:
                    if self._reading:
                        reading = await self._previews.reading()
                        # What stays although it was read finds no room: previews read it when they need it.
                        self._reading = reading if reading.left and reading.left != left else None
                        left = reading.left
                    await self._previews.keep_current()
                except REDIS_ERRORS as error:
                    logger.warning("cannot read listeners for previews: %s", error)
                    await asyncio.sleep(AGAIN_SECONDS)
                used = time.thread_time() - began
                await asyncio.sleep(max(used * (1 / share - 1), 0.0 if waited_for else REST_SECONDS))
        finally:
            self._previews.forget()
            self.names.forget()
            self._reading = None
