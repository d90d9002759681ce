"""Files of songs beside files of clicks: they say which artists made what was clicked."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from stream.errors import WrongUse
from stream.files.columns import column, id_column, list_column, plain
from stream.files.tables import Bad, Table
from stream.wire.composed import nfc

__all__ = ["Join", "SongFile"]

Join = Callable[[dict[str, Any], Any], str | None]
"""Completes a click, given its fields and its row; returns what is missing where it cannot."""


class SongFile:
    """Songs by what clicks name them with. Holds an entry a song in memory.

    A song may have several rows, in one file or in several, with an artist each: it has the artists of all of
    them, in their order.

    Parameters
    ----------
    tables
        The files.
    mapping
        ``song_id`` and ``artist_ids`` -> column of the files; by default those of the same names.
    on
        Column of the clicks -> column of the songs: rows go together where all are equal. Empty: by the
        song's id.
    separator
        Between several artists in one column.

    Attributes
    ----------
    unusable
        Rows without a song or an artist, or that could not be read.

    Raises
    ------
    WrongUse
        Where a column is not there.
    """

    def __init__(
        self, tables: Sequence[Table], mapping: Mapping[str, str], on: Mapping[str, str], separator: str = ""
    ) -> None:
        if others := sorted(set(mapping) - {"song_id", "artist_ids"}):
            raise WrongUse(f"--songs-map says song_id and artist_ids, not {others[0]}")
        self._names = " or ".join(table.called.name for table in tables)
        self._on = tuple(on)
        self._songs: dict[Any, tuple[str, list[str]]] = {}
        self.unusable = 0
        for table in tables:
            self._read(table, mapping, on, separator)

    def _read(self, table: Table, mapping: Mapping[str, str], on: Mapping[str, str], separator: str) -> None:
        song_id = id_column(table, mapping.get("song_id", "song_id"))
        artist_ids = list_column(table, mapping.get("artist_ids", "artist_ids"), separator)
        keys = [column(table, name) for name in on.values()]
        for row in table.rows():
            try:
                song = None if isinstance(row, Bad) else (song_id(row.values), artist_ids(row.values))
            except ValueError:
                song = None  # an id that is a list
            if isinstance(row, Bad) or song is None or not all(song):
                self.unusable += 1
                continue
            key = tuple(nfc(plain(get(row.values))) for get in keys) if keys else _alike(song[0])
            first_id, artists = self._songs.setdefault(key, song)  # the first of two that are named alike
            if song[0] == first_id and song[1] is not artists:
                artists += [artist for artist in song[1] if artist not in artists]

    def __len__(self) -> int:
        return len(self._songs)

    def credited(self) -> Iterator[str]:
        """Go through the artists of all songs, as the files name them."""
        return itertools.chain.from_iterable(artists for _, artists in self._songs.values())

    def ready(self, clicks: Table) -> Join:
        """Return what completes the clicks of a table.

        A click that has song and artists of its own keeps them where this file does not know the song.
        """
        keys = [column(clicks, name) for name in self._on]

        def join(event: dict[str, Any], values: Any) -> str | None:
            key = tuple(nfc(plain(get(values))) for get in keys) if keys else _alike(event.get("song_id"))
            if key is None:
                return None  # a click without a song: the check of the event says so
            song = self._songs.get(key)
            if song is not None:
                event["song_id"], event["artist_ids"] = song
                return None
            if "song_id" in event and "artist_ids" in event:
                return None
            asked = zip(self._on, key, strict=True) if isinstance(key, tuple) else (("song_id", key),)
            return f"no song with {', '.join(f'{name} {value!r}' for name, value in asked)} in {self._names}"

        return join


def _alike(song_id: Any) -> Any:
    return nfc(song_id) if isinstance(song_id, str) else song_id
