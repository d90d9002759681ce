"""The song model as a process serves from it: a newer one is taken up within some seconds."""

from __future__ import annotations

import asyncio
import logging

from models.songs import SongModel
from stream.errors import SnapshotPartial, SnapshotUnusable
from stream.stores.song_models import SongModels

__all__ = ["LiveSongs"]

logger = logging.getLogger(__name__)


class LiveSongs:
    """Holds the song model that serves. One that cannot be used leaves the last good one in its place.

    Attributes
    ----------
    model
        None before the first.
    """

    def __init__(self, store: SongModels) -> None:
        self._store = store
        self._refused: int | None = None
        self._told: int | None = None
        self._refreshing = asyncio.Lock()
        self.model: SongModel | None = None

    async def refresh(self) -> None:
        """Take up the song model that is to serve, where it is another."""
        async with self._refreshing:  # many may ask at once: it is loaded for all of them together
            await self._refresh()

    async def _refresh(self) -> None:
        version = await self._store.current()
        if version is None or version == self._refused or (self.model and self.model.version == version):
            return
        try:
            self.model = await self._store.load()
        except SnapshotUnusable as error:
            if not isinstance(error, SnapshotPartial):  # that may be whole the next time
                self._refused = version
            if version != self._told:
                self._told = version
                logger.error("%s. %s", error, error.hint)
