"""Stops a release: what is fixed of it goes out, and nobody else is told."""

from __future__ import annotations

import time

from consumers.queries.unknown_release import unknown_release
from stream.connect import AnyRedis
from stream.errors import WrongUse
from stream.settings import Settings
from stream.stores.releases import Releases, State

__all__ = ["stop_release"]


async def stop_release(redis: AnyRedis, settings: Settings, release_id: str) -> int:
    """Stop a release at once; return how many listeners it was told to.

    Raises
    ------
    UnknownRelease
        Where no worker has met one of that id, or its days are over.
    WrongUse
        Where all of it is out.
    """
    releases = Releases(redis, settings.release_seconds)
    before = await releases.stop(release_id, time.time())
    if before is None:
        raise unknown_release(settings, release_id)
    if before in (State.PLANNED, State.DONE):
        raise WrongUse(f"release {release_id!r} cannot be stopped: all of it is out")
    return await releases.told(release_id)
