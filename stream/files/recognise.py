"""Which export a file is, by its first rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from stream.errors import BadFile, WrongUse
from stream.files.columns import column, is_missing, plain
from stream.files.options import Kind, Layout, RowOptions
from stream.files.presets import NONE, Preset, over, presets, presets_called
from stream.files.tables import Row, Table

__all__ = ["Settled", "settle"]

FILES = 16  # of many, so many are looked at
ROWS = 50
LONGEST = 600  # characters of options that are said
MOST = 0.5  # of the first lines; others may be counts, comments, damaged

KEY = "user_id"
LISTENERS = "user_name", "username", "userName", "userId", "user", "listener", "account"
"""What columns of listeners are called. A preset that makes them one is not taken where they differ."""

T = TypeVar("T", bound=RowOptions)


class Settled(NamedTuple, Generic[T]):
    """The options that files are read by, and what is to be said of how they were found; "": nothing."""

    options: T
    preset: Preset | None = None
    note: str = ""


class _First(NamedTuple):
    """The first rows of a file."""

    table: Table
    rows: Sequence[Row]


def settle(kind: Kind, options: T, files: Sequence[Path], *, without_times: bool = False) -> Settled[T]:
    """Return the options by which files are read: with a preset that is named, or that they are for sure.

    None is looked for where a person says how the file is laid out, or what its columns are.

    Parameters
    ----------
    without_times
        Whether events get their times otherwise (``--spread``).

    Raises
    ------
    WrongUse
        Where there is no preset of that name, or it stands for several and the file is none of them.
    """
    if options.preset == NONE:
        return Settled(options)
    # Where a preset is named, the beginning of an archive tells which of its layouts; else all has to be one.
    looked = [_Looked(path, options, first=bool(options.preset)) for path in files[:FILES]]
    if options.preset:
        preset = _named(presets_called(options.preset, kind), options.preset, looked)
        note = f"read as {preset.name}: {_short(preset.options)}"
        return Settled(over(options, preset, without_times=without_times), preset, note)
    if _is_said(options) or not looked:
        return Settled(options)
    fit = [
        preset
        for preset in presets()
        if preset.found and kind in preset.kinds and _are(looked, preset) and not _name_others(looked, preset)
    ]
    if len(fit) > 1:
        names = " or ".join(preset.name for preset in fit)
        return Settled(options, None, f"{files[0]} may be {names}: --preset says which")
    if not fit:
        return Settled(options)
    note = f"read as {fit[0].name} (--preset none to read it plainly): {_short(fit[0].options)}"
    return Settled(over(options, fit[0], without_times=without_times), fit[0], note)


def _is_said(options: RowOptions) -> bool:
    own = options.mapping or options.columns or options.format or options.records
    return bool(own or options.delimiter or options.repeat)


def _named(called: Sequence[Preset], name: str, looked: Sequence[_Looked]) -> Preset:
    """Return which of the presets of one name the files are; where they are none, the one called just so."""
    if len(called) > 1:
        for preset in called:
            if _are(looked, preset):
                return preset
    if called[0].name == name or len(called) == 1:
        return called[0]
    raise WrongUse(
        f"{name} stands for {', '.join(preset.name for preset in called)}: name the one that it is"
    )


def _short(options: str) -> str:
    return options if len(options) <= LONGEST else f"{options[:LONGEST]} ... (all: refrain presets)"


def _are(files: Sequence[_Looked], preset: Preset) -> bool:
    """Say whether all files are exports of a layout, but for those that have no rows."""
    found = [each.is_one(preset) for each in files]
    return any(found) and False not in found


def _name_others(files: Sequence[_Looked], preset: Preset) -> bool:
    """Say whether listeners have names of their own in files that the preset takes for one person's."""
    return KEY in preset.parsed.constants and any(each.names_others(preset) for each in files)


class _Looked:
    """A file, looked at in as many ways as presets need."""

    def __init__(self, path: Path, own: RowOptions, *, first: bool) -> None:
        self._path = path
        self._own = own.layout
        self._first = first
        self._by: dict[Layout, Sequence[_First] | None] = {}

    def is_one(self, preset: Preset) -> bool | None:
        """Say whether the file, or all in the archive, is an export of this layout; None: it has no rows."""
        by_lines = bool(preset.lines or preset.first)
        layout = Layout(member=preset.parsed.member) if by_lines else preset.looked_at.layout
        tables = self._tables(layout)
        if tables is None:
            return False
        fits = _has_lines if by_lines else _has_columns
        return all(fits(each, preset) for each in tables) if tables else None

    def names_others(self, preset: Preset) -> bool:
        """Say whether there are several names of listeners, or an id, where the columns have names."""
        if preset.parsed.columns:
            return False
        return any(
            _values(each, KEY) or any(len(_values(each, name)) > 1 for name in LISTENERS)
            for each in self._tables(preset.looked_at.layout) or ()
        )

    def _tables(self, layout: Layout) -> Sequence[_First] | None:
        """Return the tables that have rows; None where they cannot be read so."""
        own = self._own
        like = replace(
            layout,
            encoding=own.encoding,
            mend=own.mend,
            skip=own.skip or layout.skip,
            comment=own.comment or layout.comment,
            member=own.member or layout.member,
        )
        if like not in self._by:
            self._by[like] = self._look(like)
        return self._by[like]

    def _look(self, layout: Layout) -> Sequence[_First] | None:
        try:
            tables = Table.all_of(self._path, layout, first=self._first)[:FILES]
            looked = [
                _First(table, [row for row in islice(table.rows(), ROWS) if isinstance(row, Row)])
                for table in tables
            ]
        except (BadFile, WrongUse):
            return None  # what is wrong with it, reading it says
        return [each for each in looked if each.rows or any(map(str.strip, each.table.first_lines))]


def _has_lines(first: _First, preset: Preset) -> bool:
    lines = [line.rstrip("\r\n") for line in first.table.first_lines if line.strip()]
    if not lines or re.match(preset.first or preset.lines, lines[0]) is None:
        return False  # it may be a header, and then columns have names of their own
    return sum(re.match(preset.lines, line) is not None for line in lines) >= MOST * len(lines)


def _has_columns(first: _First, preset: Preset) -> bool:
    if preset.only and {*first.table.columns, ""} != {*preset.columns, ""}:
        return False
    return all(_has(first, name) for name in preset.columns)


def _values(first: _First, name: str) -> set[str]:
    """Return what stands in a column of the first rows; nothing where there is no such column."""
    try:
        get = first.table.column(name)
    except WrongUse:
        return set()
    return {plain(get(row.values)) for row in first.rows} - {""}


def _has(first: _First, name: str) -> bool:
    try:
        get = column(first.table, name)
    except WrongUse:
        return False
    named = first.table.columns and any(first.table.has(part) for part in name.split("|"))
    return bool(named) or any(not is_missing(get(row.values)) for row in first.rows)
