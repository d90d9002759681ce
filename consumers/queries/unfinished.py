"""The releases that are not finished: more goes out of them, or a worker is at it."""

from __future__ import annotations

from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.releases import Releases

__all__ = ["UnfinishedRelease", "list_unfinished"]


@dataclass(frozen=True)
class UnfinishedRelease:
    """A release of which the summary is not out.

    Attributes
    ----------
    state
        "paused": more goes out at `due_at`; else a worker is at it, or takes it up.
    audience
        How many listeners are told so far.
    held
        How many are told when their quiet hours end.
    due_at
        Unix seconds.
    """

    release_id: str
    title: str
    state: str
    audience: int
    held: int
    due_at: float


async def list_unfinished(redis: AnyRedis, settings: Settings) -> tuple[UnfinishedRelease, ...]:
    """Return all releases that are not finished, those that are due first coming first."""
    releases = Releases(redis, settings.release_seconds)
    found = []
    for name, due_at in await releases.unfinished():
        about = await releases.about(name)
        if about.get("state", "done") == "done":
            continue  # it was finished just now
        found.append(
            UnfinishedRelease(
                release_id=name,
                title=about.get("title", ""),
                state=about["state"],
                audience=int(about.get("audience", 0)),
                held=int(about.get("held", 0)),
                due_at=due_at,
            )
        )
    return tuple(found)
