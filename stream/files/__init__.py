"""Listening history in files, as events.

::

    tables.py    files of rows: CSV, TSV, JSON lines, gzipped or not
    columns.py   what a column gives: ids, lists, how often
    times.py     times as files have them
    songs.py     a file of songs beside a file of clicks
    recipe.py    how a row becomes an event
    reading.py   all files in a row: events, and what happened to the others
    spool.py     events set aside, to be counted or shuffled
    bookmark.py  how far a replay has come
"""

from __future__ import annotations

from stream.files.bookmark import Bookmark
from stream.files.reading import Reading, Tally
from stream.files.recipe import Condition, Event, Recipe
from stream.files.songs import SongFile
from stream.files.spool import Spool
from stream.files.tables import Layout, Table

__all__ = [
    "Bookmark",
    "Condition",
    "Event",
    "Layout",
    "Reading",
    "Recipe",
    "SongFile",
    "Spool",
    "Table",
    "Tally",
]
