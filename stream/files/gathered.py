"""Several rows of one song or release, an artist each, put together into one event."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any, NamedTuple

__all__ = ["Gathered", "Part", "together"]

LISTS = ("genres", "featuring", "similar_to")


class Part(NamedTuple):
    """An event of one row: its key, its JSON, and where the row is (number of the file, line)."""

    key: bytes
    value: bytes
    file: int
    line: int


class Gathered:
    """Takes the events of rows in, gives back those of each key together, keys in the order of their first.

    They wait in a temporary file (`TMPDIR`) that is sorted there: memory holds the parts of one key.

    Examples
    --------
    >>> with Gathered() as gathered:
    ...     for line, song in enumerate([b"s1", b"s2", b"s1"], start=1):
    ...         gathered.put(Part(song, b"{}", 0, line))
    ...     [[part.line for part in parts] for parts in gathered]
    [[1, 3], [2]]
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # "": a temporary file
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute("CREATE TABLE parts (key BLOB, value BLOB, file INTEGER, line INTEGER)")
        self._db.execute("BEGIN")

    def put(self, part: Part) -> None:
        """Set the event of a row aside."""
        self._db.execute("INSERT INTO parts VALUES (?, ?, ?, ?)", part)

    def __iter__(self) -> Iterator[list[Part]]:
        rows = self._db.execute(
            "SELECT key, value, file, line FROM"
            " (SELECT *, rowid AS number, min(rowid) OVER (PARTITION BY key) AS first FROM parts)"
            " ORDER BY first, number"
        )
        for _, parts in itertools.groupby(map(Part._make, rows), key=itemgetter(0)):
            yield list(parts)

    def __enter__(self) -> Gathered:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()


def together(values: Iterable[bytes]) -> dict[str, Any]:
    """Return one event of several with the same key: their lists together, of all else what came last.

    Examples
    --------
    >>> together([b'{"artist_ids": ["a"], "title": "T"}', b'{"artist_ids": ["b"], "artist_names": ["Bo"]}'])
    {'artist_ids': ['a', 'b'], 'title': 'T', 'artist_names': ['a', 'Bo']}
    """
    whole: dict[str, Any] = {}
    names: dict[str, str] = {}  # of every artist: a list of names is in the order of the ids
    for value in values:
        part = json.loads(value)
        artists, called = part.pop("artist_ids"), part.pop("artist_names", [])
        whole["artist_ids"] = list(dict.fromkeys([*whole.get("artist_ids", ()), *artists]))
        names |= dict(zip(artists, called, strict=False))
        for field in LISTS:
            if field in part:
                part[field] = list(dict.fromkeys([*whole.get(field, ()), *part[field]]))
        whole |= part
    if names:
        whole["artist_names"] = [names.get(artist, artist) for artist in whole["artist_ids"]]
    return whole
