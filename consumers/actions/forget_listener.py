"""Erases a listener."""

from __future__ import annotations

from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.errors import UnknownListener
from stream.settings import Settings
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.releases import Releases

__all__ = ["Forgotten", "forget_listener"]


@dataclass(frozen=True)
class Forgotten:
    """What was erased of a listener, and what stays.

    Attributes
    ----------
    artists
        How many artists the clicks were summed up in.
    cohorts
        Those that they were a member of.
    told_of_releases
        How many releases they had been told of.
    opt_out_kept
        Whether their id stays among those who have opted out.
    kafka_retention_days
        How long Kafka keeps the clicks, where Refrain made the topic.
    """

    user_id: str
    clicks: int
    artists: int
    cohorts: tuple[str, ...]
    told_of_releases: int
    opt_out_kept: bool
    kafka_retention_days: float


async def forget_listener(redis: AnyRedis, settings: Settings, user_id: str) -> Forgotten:
    """Erase all that Redis holds of a listener, save that they have opted out.

    Raises
    ------
    UnknownListener
        Where there is nothing to erase.
    """
    listeners = Listeners(redis, settings.max_artists)
    releases = Releases(redis, settings.release_seconds)
    _, artists = await listeners.strongest(user_id, 1)
    clicks = int((await listeners.about(user_id)).get("clicks", 0))
    # The record first: from then on nobody takes the listener for a member.
    there = await listeners.forget(user_id)
    cohorts = await Cohorts(redis, listeners).forget(user_id)
    told = await releases.forget(user_id)
    opted_out = user_id in await releases.opted_out([user_id])
    if not (there or cohorts or told):
        known = "; that they have opted out is remembered" if opted_out else ""
        raise UnknownListener(f"there is no listener {user_id!r}, so there is nothing to erase{known}")
    return Forgotten(
        user_id=user_id,
        clicks=clicks,
        artists=artists,
        cohorts=tuple(cohort for cohort in cohorts if cohort),
        told_of_releases=told,
        opt_out_kept=opted_out,
        kafka_retention_days=settings.retention_days,
    )
