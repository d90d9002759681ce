"""Clicks that stand in files more than once, told apart from those that do not."""

from __future__ import annotations

import hashlib
import sqlite3

from pydantic_core import from_json, to_json

__all__ = ["Distinct", "same_click"]

SAME = ("user_id", "song_id", "artist_ids", "query", "ts")
"""Clicks that are equal in these are the same one."""

CACHE_KB = 64 * 1024


def same_click(value: bytes) -> bytes:
    """Return 16 bytes that a click, given its JSON, shares with those that are the same one."""
    click = from_json(value)
    # Two of a billion different clicks are taken for one with a chance of 1 in 10^20.
    return hashlib.blake2b(to_json([click.get(name) for name in SAME]), digest_size=16).digest()


class Distinct:
    """Says of each click whether it is the first of its listener, song and time.

    What was seen is kept in a temporary file (`TMPDIR`), some 40 bytes a click; memory holds 64 MB of it at
    most.

    Examples
    --------
    >>> click = b'{"user_id": "u", "song_id": "s", "ts": 1.0}'
    >>> with Distinct() as distinct:
    ...     [distinct.is_first(value) for value in (click, click.replace(b"s", b"t"), click)]
    [True, True, False]
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)  # "": a temporary file
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute(f"PRAGMA cache_size = -{CACHE_KB}")
        self._db.execute("CREATE TABLE seen (click BLOB PRIMARY KEY) WITHOUT ROWID")
        self._db.execute("BEGIN")

    def is_first(self, value: bytes) -> bool:
        """Say whether no such click was asked for before, given its JSON."""
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?)", (same_click(value),)).rowcount == 1

    def __enter__(self) -> Distinct:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
