"""The live model as a process serves from it: a newer one is taken up within a second."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from consumers.runtime.newest_click import NewestClick
from models.model import Model
from stream.connect import REDIS_ERRORS
from stream.errors import SnapshotUnusable
from stream.stores.heartbeats import Heartbeat
from stream.stores.snapshots import Snapshots

__all__ = ["LiveModel"]

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.5


class LiveModel:
    """Holds the model that serves. A snapshot that cannot be used leaves the last good one in its place.

    Parameters
    ----------
    snapshots
        The store.
    heartbeat
        The process's sign of life, which is to say which version is loaded.
    newest
        When listeners clicked last: the model is as of then (`Model.as_of`). None: as it was learned, which
        does where listeners are placed and not scored.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        heartbeat: Heartbeat | None = None,
        newest: NewestClick | None = None,
    ) -> None:
        self._snapshots = snapshots
        self._newest = newest
        self._refused: int | None = None
        self._refreshing = asyncio.Lock()
        self._heartbeat = heartbeat
        self.model: Model | None = None

    async def refresh(self) -> None:
        """Take up the version that is to serve, where it is another."""
        async with self._refreshing:
            await self._refresh()
            if self.model is not None:
                self.model = await self._as_of_now(self.model)
            if self._heartbeat is not None and self.model is not None:
                self._heartbeat.gauges["model"] = self.model.version
                self._heartbeat.gauges["model_created"] = self.model.created_at

    async def _refresh(self) -> None:
        version = await self._snapshots.current()
        if version is None or version == self._refused:
            return
        if self.model is not None and self.model.version == version:
            return
        try:
            self.model = await self._load(version)
            self._refused = None
            logger.info("model %d serves: %d cohorts", version, len(self.model.cohort_ids))
        except SnapshotUnusable as error:
            self._refused = version
            if self.model is None:
                await self._last_good(version)
            serves = f"Model {self.model.version} serves" if self.model else "None serves"
            logger.error("%s. %s %s until the next is published.", error, error.hint, serves)

    async def _last_good(self, damaged: int) -> None:
        for version, _ in await self._snapshots.versions():
            if version == damaged:
                continue
            try:
                self.model = await self._load(version)
            except SnapshotUnusable as error:
                logger.error("%s. %s", error, error.hint)
            else:
                return

    async def _load(self, version: int) -> Model:
        return await self._as_of_now(await self._snapshots.load(version))

    async def _as_of_now(self, model: Model) -> Model:
        return model.as_of(await self._newest.play_now()) if self._newest else model

    async def follow(self) -> None:
        """Refresh for ever. While Redis is away the model at hand serves; whoever needs Redis says so."""
        while True:
            with contextlib.suppress(*REDIS_ERRORS):
                await self.refresh()
            await asyncio.sleep(POLL_SECONDS)
