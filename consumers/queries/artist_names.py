"""Artists as they are being typed: all names in memory, so that no letter asks Redis."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from rapidfuzz import fuzz, process

from consumers.runtime.live_model import LiveModel
from stream.connect import REDIS_ERRORS, AnyRedis
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.names import exact_form, folded_form

__all__ = ["ArtistNames", "CompletedArtist"]

logger = logging.getLogger(__name__)

KEPT_SECONDS = 300.0
"""How long names serve before Redis is asked whether there are others; who is new is completed by then."""

ALIKE = 60.0
"""Of 100: how much a name must look like what was typed."""

COMPARED = 2000
"""Names, those with the most pairs of letters in common, that are compared letter by letter."""

NO_LETTER = re.compile(r"[^\w\n]|_")


@dataclass(frozen=True)
class CompletedArtist:
    """An artist whom what was typed may mean.

    Attributes
    ----------
    name
        The id where the catalogue has no name.
    listeners
        How many play them, as the trainer counts; 0 where it has not met them.
    """

    artist_id: str
    name: str
    listeners: int


@dataclass(frozen=True, eq=False)
class _Names:
    """All names; rows are those of the artists with the most listeners first.

    Attributes
    ----------
    forms
        Row -> a name without case and accents; an artist may have several.
    artists
        Row -> whose it is.
    text
        The forms a line each, signs as spaces, a newline before the first: words begin behind one of both.
    starts
        Row -> where its line begins in `text`.
    pairs
        Row -> which pairs of letters it has, of 64 that stand for all there are (as `_pairs` has them).
    row_of
        Id of an artist, and form -> row.
    rows_of
        Form that several artists have -> all its rows.
    """

    forms: list[str]
    artists: list[CompletedArtist]
    text: str
    starts: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.uint64]
    row_of: dict[str, int]
    rows_of: dict[str, list[int]]


class ArtistNames:
    """Finds artists by how their name begins, or by one that looks alike.

    Parameters
    ----------
    live
        The model that serves: artists whom it knows, and the catalogue does not, are called by their ids.
    """

    def __init__(self, redis: AnyRedis, live: LiveModel) -> None:
        self._catalogue, self._aliases, self._live = Catalogue(redis), ArtistAliases(redis), live
        self._names: _Names | None = None
        self._asked_at = 0.0
        self._as_of: tuple[int, int, int] | None = None
        self._reading: asyncio.Task[_Names] | None = None

    async def complete(self, typed: str, limit: int) -> tuple[CompletedArtist, ...]:
        """Return artists whom what was typed may mean.

        First those with this very id or name, then whose name begins so, then those of whose words one
        does, each time who has the most listeners first; where there are too few, names that look alike.
        """
        names = await self._current()
        rows = dict.fromkeys(_by_beginning(names, typed, limit))
        found = dict.fromkeys(names.artists[row] for row in rows)
        if len(found) < limit:
            found |= dict.fromkeys(names.artists[row] for row in _alike(names, typed, 2 * limit))
        return tuple(found)[:limit]

    async def called(self, name: str) -> tuple[str, ...]:
        """Return the ids of the artists of that id or name, but for case and accents: none, one, or all."""
        names = await self._current()
        form = folded_form(name)
        row = names.row_of.get(name, names.row_of.get(form))
        if row is None:
            return ()
        if names.artists[row].artist_id == name:
            return (name,)
        alike = [names.artists[each] for each in names.rows_of.get(form, [row])]
        spelt = [artist for artist in alike if exact_form(artist.name) == exact_form(name)]
        return tuple(dict.fromkeys(artist.artist_id for artist in spelt or alike))

    async def alike(self, name: str, limit: int = 3) -> tuple[str, ...]:
        """Return names of artists that look most like a name."""
        return tuple(dict.fromkeys(artist.name for artist in await self.complete(name, limit)))

    def forget(self) -> None:
        """Keep no names in memory."""
        self._names = self._as_of = None
        if self._reading is not None and self._reading.done():
            self._reading = None  # it has the names as its result

    async def close(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    def begin(self) -> None:
        """Begin to read names, where they are not at hand or there may be others by now."""
        old = self._names is None or time.monotonic() - self._asked_at > KEPT_SECONDS
        if old and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self._read())

    async def _current(self) -> _Names:
        """Return all names; those at hand serve while others are read."""
        self.begin()
        if self._names is None and self._reading is not None:
            return await asyncio.shield(self._reading)
        return self._names or NOBODY

    async def _read(self) -> _Names:
        held = self._names
        try:
            return await self._read_where_others(held)
        except REDIS_ERRORS as error:
            if held is None:
                raise
            logger.warning("names of artists are those of some minutes ago: %s", error)
            return held

    async def _read_where_others(self, held: _Names | None) -> _Names:
        self._asked_at = time.monotonic()
        await self._aliases.refresh()
        await self._live.refresh()
        model = self._live.model
        as_of = (
            await self._catalogue.number_of_names(),
            self._aliases.changes,
            model.version if model else 0,
        )
        if held is not None and as_of == self._as_of:
            return held
        called = await self._catalogue.called()
        known = {artist for _, artist in called}
        if model is not None:
            called |= {(folded_form(artist), artist) for artist in model.artists if artist not in known}
        pairs = list({(form, self._aliases.of(artist)) for form, artist in called})
        about = await self._catalogue.about_artists(list({artist for _, artist in pairs}))
        completed = {
            artist: CompletedArtist(artist, name, number) for artist, (name, number) in about.items()
        }
        self._names = await asyncio.to_thread(_ordered, pairs, completed)
        self._as_of = as_of
        return self._names


NOBODY = _Names([], [], "", np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.uint64), {}, {})


def _ordered(pairs: list[tuple[str, str]], about: dict[str, CompletedArtist]) -> _Names:
    """Return names by how many listeners their artists have; an id is none where the artist has a name."""
    pairs = [
        (form, artist)
        for form, artist in pairs
        if form and (form != folded_form(artist) or form == folded_form(about[artist].name))
    ]
    pairs.sort(key=lambda pair: (-about[pair[1]].listeners, pair[0]))
    forms = [form for form, _ in pairs]
    lengths = np.array([len(form) + 1 for form in forms], dtype=np.int64)
    row_of = {form: row for row, form in reversed(list(enumerate(forms)))}
    rows_of: dict[str, list[int]] = {}
    for row, form in enumerate(forms):
        if row_of[form] != row:
            rows_of.setdefault(form, [row_of[form]]).append(row)
    row_of |= {artist: row for row, (_, artist) in reversed(list(enumerate(pairs)))}
    text = NO_LETTER.sub(" ", "\n" + "\n".join(forms) + "\n")
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) if forms else lengths
    artists = [about[artist] for _, artist in pairs]
    return _Names(forms, artists, text, starts, _pairs(text, starts), row_of, rows_of)


def _pairs(text: str, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return which pairs of letters each line has: one bit for each, of 64, which other pairs share."""
    if not len(starts):
        return np.zeros(0, dtype=np.uint64)
    letters = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    bits = np.uint64(1) << (letters[:-1] * np.uint64(31) + letters[1:]) % np.uint64(64)
    return np.bitwise_or.reduceat(bits, starts)


def _by_beginning(names: _Names, typed: str, limit: int) -> list[int]:
    form = folded_form(typed)
    exact = [names.row_of[each] for each in (typed, form) if each in names.row_of]
    exact += names.rows_of.get(form, ())
    sought = NO_LETTER.sub(" ", form).strip("\n")
    if not sought.strip():
        return exact
    found: dict[CompletedArtist, int] = {names.artists[row]: row for row in exact}
    for before in ("\n", " "):
        at = names.text.find(before + sought)
        while at >= 0 and len(found) < limit:
            row = int(np.searchsorted(names.starts, at, side="right")) - 1
            found.setdefault(names.artists[row], row)
            at = names.text.find(before + sought, at + 1)
    return list(found.values())


def _alike(names: _Names, typed: str, limit: int) -> list[int]:
    """Return names that look like what was typed as a whole, or whose beginning does."""
    form = folded_form(typed)
    sought = _pairs(NO_LETTER.sub(" ", "\n" + form), np.zeros(min(len(form), 1), dtype=np.int64))
    if not len(sought) or not len(names.forms):
        return []
    common = np.bitwise_count(names.pairs & sought).astype(np.int64) * 64 - np.bitwise_count(names.pairs)
    rows = np.argsort(-common, kind="stable")[:COMPARED].tolist()
    score: dict[int, float] = {}
    for called in ([names.forms[row] for row in rows], [names.forms[row][: len(form)] for row in rows]):
        for _, likeness, at in process.extract(
            form, called, scorer=fuzz.ratio, limit=limit, score_cutoff=ALIKE
        ):
            score[rows[at]] = max(score.get(rows[at], 0.0), likeness)
    return sorted(score, key=lambda row: (-score[row], row))[:limit]
