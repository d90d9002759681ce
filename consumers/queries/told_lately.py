"""What a listener was told of lately."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from consumers.queries.known_listener import read_known_listener
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.releases import Releases
from stream.stores.told import WEEK, Told

__all__ = ["ToldRelease", "read_told_lately"]


@dataclass(frozen=True)
class ToldRelease:
    """A release that a listener was told of.

    Attributes
    ----------
    title
        "" where it has none, or its days are over.
    at
        When their place was reserved, Unix seconds.
    sent, clicked
        Whether the notifier has reported that it was sent, and that they clicked.
    """

    release_id: str
    title: str
    at: float
    sent: bool
    clicked: bool


async def read_told_lately(
    redis: AnyRedis, settings: Settings, user_id: str, now: float
) -> tuple[ToldRelease, ...]:
    """Return what a listener was told of in the last seven days, the latest first.

    Parameters
    ----------
    now
        Unix seconds.

    Raises
    ------
    UnknownListener
        Where there is none of that id.
    """
    await read_known_listener(redis, settings, user_id)
    (lately,) = await Told(redis).of([user_id])
    releases = Releases(redis, settings.release_seconds)
    latest = [(name, at) for name, at in reversed([*lately.releases.items()]) if at > now - WEEK]
    abouts = await asyncio.gather(*(releases.about(release) for release, _ in latest))
    return tuple(
        ToldRelease(
            release,
            about.get("title", ""),
            at,
            release in lately.sent_of,
            release in lately.clicked_of,
        )
        for (release, at), about in zip(latest, abouts, strict=True)
    )
