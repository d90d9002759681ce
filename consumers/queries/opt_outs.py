"""Who wants to hear of no release, or of none of an artist."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.opted_out import OptedOut
from stream.wire.fields import MAX_ARTISTS

__all__ = ["OptOut", "OptOutRow", "list_opt_outs", "rows_to_replay"]


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


@dataclass(frozen=True)
class OptOutRow:
    """A row of a file of opt-outs, of which `refrain replay feedback` makes one event.

    Attributes
    ----------
    artist_ids
        A list in JSON, as an id may hold any separator; "": of no release at all.
    """

    user_id: str
    artist_ids: str


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


def rows_to_replay(found: Iterable[OptOut]) -> Iterator[OptOutRow]:
    """Return opt-outs as rows; a listener has several where one event cannot name all their artists.

    Examples
    --------
    >>> list(rows_to_replay([OptOut("u1"), OptOut("u2", ("a1", "A|B"))]))
    [OptOutRow(user_id='u1', artist_ids=''), OptOutRow(user_id='u2', artist_ids='["a1", "A|B"]')]
    """
    for each in found:
        if not each.artist_ids:
            yield OptOutRow(each.user_id, "")
        for start in range(0, len(each.artist_ids), MAX_ARTISTS):
            some = each.artist_ids[start : start + MAX_ARTISTS]
            yield OptOutRow(each.user_id, json.dumps(some, ensure_ascii=False))
