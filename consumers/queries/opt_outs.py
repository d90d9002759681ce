"""Who wants to hear of no release, or of none of an artist."""

from __future__ import annotations

from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.opted_out import OptedOut

__all__ = ["OptOut", "list_opt_outs"]


@dataclass(frozen=True)
class OptOut:
    """What a listener has opted out of.

    Attributes
    ----------
    artist_ids
        Of whose releases they want to hear no more; empty: of no release at all.
    """

    user_id: str
    artist_ids: tuple[str, ...] = ()


async def list_opt_outs(redis: AnyRedis, settings: Settings) -> tuple[OptOut, ...]:
    """Return all opt-outs in the order of ids; a listener's of all releases comes before that of artists."""
    found = OptedOut(redis)
    everything = {user async for users in found.everybody() for user in users}
    by_artist = {
        user: tuple(sorted(artists))
        async for users in found.of_some()
        for user, artists in (await found.artists_of(users)).items()
        if artists
    }
    opt_outs = [*map(OptOut, everything), *(OptOut(user, artists) for user, artists in by_artist.items())]
    return tuple(sorted(opt_outs, key=lambda each: (each.user_id, each.artist_ids)))
