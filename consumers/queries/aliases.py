"""Ids of artists that stand for another one."""

from __future__ import annotations

from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue

__all__ = ["AliasOf", "AllAliases", "list_aliases"]


@dataclass(frozen=True)
class AliasOf:
    """An id that stands for an artist.

    Attributes
    ----------
    artist_id, name
        The artist; the name is the id where the catalogue has none.
    said
        The id that it was said to stand for: another one where that stands for the artist itself.
    """

    alias: str
    artist_id: str
    name: str
    said: str


@dataclass(frozen=True)
class AllAliases:
    """All of them.

    Attributes
    ----------
    count, artists
        How many ids stand for another one, and for how many artists.
    aliases
        By artist.
    """

    count: int
    artists: int
    aliases: tuple[AliasOf, ...]


async def list_aliases(redis: AnyRedis, settings: Settings) -> AllAliases:
    """Return every id that stands for another artist."""
    store = ArtistAliases(redis)
    await store.refresh()
    pairs = store.pairs()
    names = await Catalogue(redis).names(sorted({artist for _, artist in pairs.values()}))
    found = [
        AliasOf(alias, artist, names.get(artist, artist), said) for alias, (said, artist) in pairs.items()
    ]
    found.sort(key=lambda each: (each.name.casefold(), each.artist_id, each.alias))
    return AllAliases(len(found), len({each.artist_id for each in found}), tuple(found))
