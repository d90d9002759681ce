"""Ids that stand for another artist, followed in memory: few, and asked for with every click."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgpack

from models.aliases import settled
from models.listener import Click, Listener
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scripts import Script
from stream.wire.composed import nfc

__all__ = ["REFRESH_SECONDS", "ArtistAliases"]

REFRESH_SECONDS = 2.0
"""How often a process looks whether there are others."""

CHANGES = b"{changes}"
"""Field that counts changes; no id has a brace."""

IN_A_SCRIPT = 1000  # aliases


class ArtistAliases:
    """The store of aliases. An id that an earlier version kept decomposed stands for its composed form.

    Attributes
    ----------
    changes
        A number that is another one whenever what ids stand for has changed.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._change = Script("change_aliases")
        self._said: dict[str, str] = {}
        self._artist_of: dict[str, str] = {}
        self._aliases_of: dict[str, list[str]] = {}
        self.changes = 0

    @property
    def empty(self) -> bool:
        """Whether there are none."""
        return not self._artist_of

    async def refresh(self) -> None:
        """Follow what has changed."""
        changes = int(await self._redis.hget(keys.ARTIST_ALIASES, CHANGES) or 0)
        if changes == self.changes:
            return
        held = await self._redis.hgetall(keys.ARTIST_ALIASES)
        changes = int(held.pop(CHANGES, 0))
        self._said = {alias.decode(): artist.decode() for alias, artist in held.items()}
        self._artist_of = resolved(self._said)
        self._aliases_of = {}
        for alias, artist in sorted(self._artist_of.items()):
            self._aliases_of.setdefault(artist, []).append(alias)
        self.changes = changes

    async def put(self, artist_of: Mapping[str, str]) -> None:
        """Let ids stand for artists, "": for none any more; may be repeated."""
        pairs = list(artist_of.items())
        for at in range(0, len(pairs), IN_A_SCRIPT):
            flat = [part for pair in pairs[at : at + IN_A_SCRIPT] for part in pair]
            packed = msgpack.packb(flat, use_bin_type=False)
            await self._change(self._redis, [keys.ARTIST_ALIASES], packed)

    def pairs(self) -> dict[str, tuple[str, str]]:
        """Return of each alias the artist that it was said to stand for, and the one that it comes to."""
        return {alias: (self._said[alias], artist) for alias, artist in self._artist_of.items()}

    async def said(self, alias: str) -> str:
        """Return the artist that an id was last said to stand for; "": none."""
        return (await self._redis.hget(keys.ARTIST_ALIASES, alias) or b"").decode()

    def of(self, artist: str) -> str:
        """Return the artist that an id stands for, mostly itself; as of the last `refresh`."""
        return self._artist_of.get(artist, artist) if artist.isascii() else self._of_composed(artist)

    def _of_composed(self, artist: str) -> str:
        composed = nfc(artist)
        return self._artist_of.get(composed, composed)

    def leads_to(self, artist: str, other: str, more: Mapping[str, str]) -> bool:
        """Say whether an id stands for another, on the way at least, where `more` is said, too."""
        said, passed = {**self._said, **more}, {artist}
        while artist != other and (artist := said.get(artist, "")) and artist not in passed:
            passed.add(artist)
        return artist == other

    def all_of(self, artists: Iterable[str]) -> list[str]:
        """Return the artists that ids stand for, each with all its aliases behind it."""
        found: dict[str, None] = {}
        for artist in map(self.of, artists):
            found |= dict.fromkeys((artist, *self._aliases_of.get(artist, ())))
        return list(found)

    def of_click(self, click: Click) -> Click:
        """Return a click as one on artists."""
        artists = tuple(dict.fromkeys(map(self.of, click.artist_ids)))
        return click if artists == click.artist_ids else click._replace(artist_ids=artists)

    def concern(self, listener: Listener) -> bool:
        """Say whether `settled` may be another listener than this; quick where it is not."""
        artists = listener.affinities
        return bool(
            listener.aliased
            or not self._artist_of.keys().isdisjoint(artists)
            or (not all(map(str.isascii, artists)) and any(map(self._is_other, artists)))
        )

    def _is_other(self, artist: str) -> bool:
        return self.of(artist) != artist

    def settled(self, listener: Listener) -> Listener:
        """Return a listener whose affinities are of artists alone; see `models.aliases.settled`."""
        return settled(listener, self.of) if self.concern(listener) else listener

    def row(self, artists: Sequence[str], weights: Sequence[float]) -> tuple[list[str], list[float]]:
        """Return affinities, the strongest first, as of artists."""
        if all(self.of(artist) == artist for artist in artists):
            return list(artists), list(weights)
        joined: dict[str, float] = {}
        for artist, weight in zip(map(self.of, artists), weights, strict=True):
            joined[artist] = joined.get(artist, 0.0) + weight
        found = sorted(joined, key=lambda artist: -joined[artist])
        return found, [joined[artist] for artist in found]


def resolved(said: Mapping[str, str]) -> dict[str, str]:
    """Return what ids stand for in the end, of those that stand for another.

    Where ids stand for each other, as two processes may have been told at one moment, all stand for the
    first of them by name.

    Examples
    --------
    >>> resolved({"a": "b", "b": "c"}), resolved({"x": "y", "y": "x"})
    ({'a': 'c', 'b': 'c'}, {'y': 'x'})
    """
    found = {}
    for alias in said:
        way = [alias]
        while (artist := said.get(way[-1])) and artist not in way:
            way.append(artist)
        end = min(way[way.index(artist) :]) if artist else way[-1]
        if end != alias:
            found[alias] = end
    return found
