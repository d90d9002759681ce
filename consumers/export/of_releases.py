"""Rows of releases, of who was told and of what they did."""

from __future__ import annotations

from collections.abc import AsyncIterator

from consumers.export.of_listeners import Rows, moment
from consumers.runtime.wiring import Stores
from stream.connect import AnyRedis
from stream.stores.release_listeners import ReleaseListeners

__all__ = ["rows_of_releases"]

COUNTS = ("audience", "sent", "not_sent", "opened", "clicked", "dismissed", "opted_out", "played")
TEXTS = ("title", "artist_ids", "song_id", "state", "reason")


async def rows_of_releases(redis: AnyRedis, stores: Stores, now: float) -> AsyncIterator[Rows]:
    """Go through the releases that somebody was told of, each with its listeners; `now`: Unix seconds."""
    listeners = ReleaseListeners(redis)
    for release in await stores.releases.latest(0, now):  # down to the last
        about = await stores.releases.about(release)
        if not about:
            continue  # its days are over
        row = {
            "release_id": release,
            **{name: about.get(name, "") for name in TEXTS},
            "planned_at": moment(about.get("planned_at")),
            **{name: int(about.get(name, 0)) for name in COUNTS},
            **{
                name: float(about[name]) if name in about else None for name in ("expected_ctr", "random_ctr")
            },
        }
        yield {"releases": [row]}
        async for told in listeners.told(release):
            yield {"impressions": [{"release_id": release, **each._asdict()} for each in told]}
        async for did in listeners.did(release):
            yield {"feedback": [{"release_id": release, **each._asdict()} for each in did]}
