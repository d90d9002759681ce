"""What the doctor looks at in releases: whether any waits for its audience."""

from __future__ import annotations

from consumers.doctor.check import Check
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.releases import Releases

__all__ = ["check_releases"]

SLOW_SECONDS = 60.0
NAMED = 3  # releases


async def check_releases(redis: AnyRedis, settings: Settings, now: float) -> Check:
    """Look for releases that have waited for more than a minute (`now`: Unix seconds)."""
    slow = await Releases(redis, settings.release_seconds).left_open(now - SLOW_SECONDS)
    if not slow:
        return Check.fine("releases", "none waits for its audience")
    names = ", ".join(release.release_id for release in slow[:NAMED])
    return Check.wrong(
        "releases",
        f"{len(slow):,} wait for their audience for more than a minute: {names}",
        "look at the log of `refrain work`; another worker finishes them",
    )
