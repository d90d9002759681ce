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
        Unix seconds; of one that a worker is at, when it was asked for.
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
    found = await releases.unfinished()
    abouts = await releases.about_each([name for name, _ in found], ("title", "state", "audience", "held"))
    return tuple(
        UnfinishedRelease(
            release_id=name,
            title=about["title"],
            state=about["state"],
            audience=int(about["audience"] or 0),
            held=int(about["held"] or 0),
            due_at=due_at,
        )
        for (name, due_at), about in zip(found, abouts, strict=True)
        if about["state"] not in ("", "done")  # it was finished just now
    )
