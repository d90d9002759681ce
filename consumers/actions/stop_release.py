"""Stops a release: what is fixed of it goes out, and nobody else is told."""

from __future__ import annotations

import time

from stream.connect import AnyRedis
from stream.errors import UnknownRelease, WrongUse
from stream.settings import Settings
from stream.stores.releases import Releases, State

__all__ = ["stop_release"]


async def stop_release(redis: AnyRedis, settings: Settings, release_id: str) -> int:
    """Stop a release at once; return how many listeners it was told to, as far as its waves are out.

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
        raise UnknownRelease(
            f"there is no release {release_id!r}: no worker has met it, or it is older than "
            f"{settings.release_days:g} days",
            hint="`refrain release list` names those that are out or going out.",
        )
    if before in (State.DONE, State.PLANNED):
        raise WrongUse(f"release {release_id!r} cannot be stopped: all of it is out")
    return int((await releases.about(release_id)).get("audience", 0))
