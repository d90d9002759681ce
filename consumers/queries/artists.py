"""Artists as people type them: an id, or a name in any case."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged, SnapshotTooNew, UnknownArtist
from stream.stores.catalogue import Catalogue
from stream.stores.snapshots import Snapshots

__all__ = ["known_artists"]


async def known_artists(redis: AnyRedis, typed: Sequence[str], *, may_be_new: bool = False) -> list[str]:
    """Return the ids of artists.

    Parameters
    ----------
    typed
        Ids or names.
    may_be_new
        Whether one whom nobody has heard yet is taken as they were typed, with a word of it.

    Raises
    ------
    UnknownArtist
        Where one is not known; it names the nearest.
    """
    catalogue = Catalogue(redis)
    found = []
    for name in typed:
        artist = await catalogue.find(name)
        if artist is None and may_be_new:
            typer.echo(f"{name} is new here: going by what else was said", err=True)
        elif artist is None:
            raise UnknownArtist(await _unknown(redis, catalogue, name))
        found.append(artist or name)
    return found


async def _unknown(redis: AnyRedis, catalogue: Catalogue, name: str) -> str:
    near = await catalogue.nearest(name, await _vocabulary(redis))
    meant = f" Did you mean {' or '.join(repr(other) for other in near)}?" if near else ""
    return (
        f"nobody has heard of {name!r}.{meant} For one who is new, say --similar-to, --featuring, --label "
        "or --genre."
    )


async def _vocabulary(redis: AnyRedis) -> tuple[str, ...]:
    snapshots = Snapshots(redis)
    version = await snapshots.current()
    try:
        return (await snapshots.load(version)).artists if version else ()
    except (SnapshotDamaged, SnapshotTooNew):
        return ()  # the catalogue's names have to do; `refrain doctor` tells of the snapshot
