"""Artists as people type them: an id, or a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.queries.artist_names import ArtistNames
from consumers.runtime.live_model import LiveModel
from stream.connect import AnyRedis
from stream.errors import AmbiguousArtist, UnknownArtist
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.names import exact_form, folded_form
from stream.stores.snapshots import Snapshots
from stream.wire.composed import nfc

__all__ = ["FoundArtists", "find_artists", "vocabulary"]

NAMED = 8  # of those who have a name in common


@dataclass(frozen=True)
class FoundArtists:
    """The artists that were typed.

    Attributes
    ----------
    ids
        In the order in which they were typed.
    new
        Those of them that neither the catalogue nor the model knows, as they were typed.
    """

    ids: tuple[str, ...]
    new: tuple[str, ...]


async def find_artists(
    redis: AnyRedis,
    typed: Sequence[str],
    *,
    may_be_new: bool = False,
    live: LiveModel | None = None,
    names: ArtistNames | None = None,
) -> FoundArtists:
    """Find artists by id or name.

    Parameters
    ----------
    live
        The model that serves, where it is at hand.
    may_be_new
        Whether an artist that is not known is taken as typed.
    names
        All names, where they are at hand: else they are read for each that Redis does not find at once.

    Raises
    ------
    UnknownArtist
        Where one is not known; it names the nearest.
    AmbiguousArtist
        Where several artists have a name, or ids that differ from what was typed in case or accents alone.
    """
    if not typed:
        return FoundArtists((), ())
    catalogue, aliases = Catalogue(redis), ArtistAliases(redis)
    await aliases.refresh()
    ids, new = [], []
    for name in map(nfc, typed):
        known = await catalogue.find(name)
        if not known and names is not None:
            known = await names.called(name)
        elif not known:
            known = _spelt_alike(name, await vocabulary(redis, live))
        found = list(dict.fromkeys(map(aliases.of, known)))
        if len(found) > 1:
            raise await _ambiguous(catalogue, name, found)
        artist = found[0] if found else None
        if artist is None and aliases.of(name) != name:
            artist = name
        if artist is None and not may_be_new:
            near = await names.alike(name) if names else await _near(redis, catalogue, name, live)
            raise _unknown(name, near)
        if artist is None:
            new.append(name)
        ids.append(aliases.of(artist or name))
    return FoundArtists(tuple(ids), tuple(new))


async def _ambiguous(catalogue: Catalogue, name: str, artists: Sequence[str]) -> AmbiguousArtist:
    """Return what to say of a name that several artists have."""
    about = await catalogue.about_artists(artists)
    most = sorted(artists, key=lambda artist: (-about[artist][1], artist))
    said = [f"{artist} ({about[artist][0]}, {_listeners(about[artist][1])})" for artist in most[:NAMED]]
    more = f" and {len(most) - NAMED:,} more" if len(most) > NAMED else ""
    return AmbiguousArtist(
        f"{len(most):,} artists are called {name!r}: {', '.join(said)}{more}",
        hint="Give the id of the one who is meant; `refrain alias` joins ids that are one artist.",
        typed=name,
        called={artist: about[artist][0] for artist in most[:NAMED]},
    )


def _listeners(number: int) -> str:
    return "1 listener" if number == 1 else f"{number:,} listeners"


def _spelt_alike(name: str, ids: Sequence[str]) -> tuple[str, ...]:
    """Return the ids that a name is, but for case and accents: clicks may name artists by name."""
    if name in ids:
        return (name,)
    for form in (exact_form, folded_form):
        typed = form(name)
        if found := tuple(artist for artist in ids if form(artist) == typed):
            return found
    return ()


async def _near(redis: AnyRedis, catalogue: Catalogue, name: str, live: LiveModel | None) -> tuple[str, ...]:
    return tuple(await catalogue.nearest(name, await vocabulary(redis, live)))


def _unknown(name: str, near: tuple[str, ...]) -> UnknownArtist:
    meant = f"Did you mean {' or '.join(repr(other) for other in near)}? " if near else ""
    return UnknownArtist(
        f"nobody has heard of {name!r}",
        hint=f"{meant}For one who is new, say whom they sound like, who is featured, the label or a genre.",
        typed=name,
        near=near,
    )


async def vocabulary(redis: AnyRedis, live: LiveModel | None = None) -> tuple[str, ...]:
    """Return the ids of the artists that the model knows; none where it cannot be read."""
    live = live or LiveModel(Snapshots(redis))
    await live.refresh()
    return live.model.artists if live.model else ()
