"""Where each field of an event comes from: its column, and what makes its value of what stands there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, TypeAlias

from stream.errors import WrongUse
from stream.files.columns import (
    MISSING,
    column,
    id_of,
    is_missing,
    parts_of,
    percent_decoded,
    plain,
    text_of,
    whole_number,
)
from stream.files.kinds import CHOICES, ID_LISTS, LISTS, NO_NAMES, TIMES, is_id
from stream.files.name_time import time_in_name
from stream.files.options import RowOptions
from stream.files.plain import ByColumn, plain_id_lists, plain_ids, plain_numbers, plain_times
from stream.files.tables import Column, Table
from stream.files.times import iso_times_reader, time_reader, zone, zoned_time_reader

__all__ = ["Note", "Remark", "Source", "constant", "sources"]

_NOTHING = "null", "<null>", "nil", "nan", "<na>", "none", "undefined"
NO_IDS = frozenset({*_NOTHING, *map(str.upper, _NOTHING), *map(str.title, _NOTHING), "NaN"})
"""What programs write for an id that there is not. Songs and artists may be called so, listeners are not."""

PLUS_IS_BLANK = frozenset({"query"})
"""Fields from behind the ``?`` of a URL, where ``+`` is a blank. In an id, as one in base64, it is none."""


class Remark(StrEnum):
    """What may be said of a row though it became an event."""

    DROPPED = "dropped"
    FLOAT_ID = "float-id"
    SPLIT = "split-artists"
    EARLY = "before-2000"
    LATE = "in-the-future"


class Note(NamedTuple):
    """A remark on a field of a row."""

    remark: Remark
    field: str
    detail: str


Notes: TypeAlias = list[Note]
Convert: TypeAlias = Callable[[Any, Notes], Any]


@dataclass(frozen=True)
class Source:
    """Where a field comes from.

    Attributes
    ----------
    column
        The column, or the option that says the value.
    raw
        What a row has there.
    read
        The field's value, of a row, None where there is none; notes take what is to be said of it. Raises
        ValueError where it is no such value.
    place
        Where in a block the one column stands that all of this reads; None where there is none such.
    by_column
        Reads that column at once; None where there is nothing faster than `read`.
    same
        The value that all rows have; None where each has its own.
    """

    column: str
    raw: Column
    read: Callable[[Any, Notes], Any]
    place: int | None = None
    by_column: ByColumn | None = None
    same: float | None = None


def sources(
    fields: frozenset[str],
    table: Table,
    options: RowOptions,
    *,
    spread: bool,
    earliest: float,
    latest: float,
) -> dict[str, Source]:
    """Return where the fields of an event come from in a table; constants apart.

    Parameters
    ----------
    fields
        Those an event may have. One that the options do not name comes from the column of its own name.
    spread
        Whether an event gets its ``ts`` elsewhere.
    earliest, latest
        Unix seconds: rows with other times are not read by column.

    Raises
    ------
    WrongUse
        Where a column that is named is not there.
    """
    return dict(_found(fields, table, options, earliest, latest, spread=spread))


def _found(
    fields: frozenset[str], table: Table, options: RowOptions, earliest: float, latest: float, *, spread: bool
) -> Iterator[tuple[str, Source]]:
    for name in (*options.mapping, *sorted(fields - {*options.mapping, *options.constants})):
        named = name in options.mapping
        if name == "ts" and options.time_in_name:
            moment = time_in_name(table.called, options.time_in_name, zone(options.timezone))
            yield name, Source("--ts-from-name", lambda _: table.called.name, _same(moment), same=moment)
        elif named or (table.has(name) and not (spread and name == "ts")):
            label = options.mapping.get(name, name)
            get = column(table, label)
            taken = _taken(name, get, options)
            read, by_column = (
                _reader(name, taken, table, options),
                _by_column(name, options, earliest, latest),
            )
            alone = not (name in TIMES and (options.timezone_column or by_column is None))
            yield name, Source(label, get, read, table.place(label) if alone else None, by_column)


def _by_column(name: str, options: RowOptions, earliest: float, latest: float) -> ByColumn | None:
    if _meaning(name, options) or name in options.extracts or name in options.factors:
        return None
    if name in TIMES:
        pattern, otherwise = options.time_format, zone(options.timezone)
        return plain_times(
            time_reader(pattern, otherwise),
            earliest,
            latest,
            are_seconds=pattern in ("auto", "seconds"),
            read_all=iso_times_reader(otherwise) if pattern in ("auto", "iso") else None,
        )
    if name in ID_LISTS:
        return plain_id_lists(plain_ids(_no_ids(name), options.separator))
    if is_id(name):
        return plain_ids(_no_ids(name))
    return plain_numbers if name == "ms_played" else None


def _same(moment: float) -> Callable[[Any, Notes], Any]:
    return lambda _values, _notes: moment


def constant(name: str, text: str, options: RowOptions) -> Any:
    """Return the value of a field that is the same for all (``--set``).

    Raises
    ------
    WrongUse
        Where it is no time, and the field is one.
    """
    try:
        if name in TIMES:
            return time_reader(options.time_format, zone(options.timezone))(text)
        return _typed(name, options)(text, [])
    except ValueError as error:
        raise WrongUse(f"--set {name}={text}: {error}") from error


def _taken(name: str, get: Column, options: RowOptions) -> Column:
    """Return what takes a column out of a row, by ``--extract`` and ``--multiply``."""
    if name in options.extracts:
        get = _extracted(get, re.compile(options.extracts[name]))
    return _multiplied(get, options.factors[name]) if name in options.factors else get


def _extracted(get: Column, pattern: re.Pattern[str]) -> Column:
    def part(value: Any) -> str | None:
        found = None if is_missing(value) or isinstance(value, dict) else pattern.search(plain(value))
        return found[pattern.groups] if found else None

    def extracted(values: Any) -> Any:
        value = get(values)
        return list(map(part, value)) if isinstance(value, list) else part(value)

    return extracted


def _multiplied(get: Column, factor: float) -> Column:
    def multiplied(values: Any) -> Any:
        value = get(values)
        try:
            known = isinstance(value, int | float | str) and not isinstance(value, bool)
            return round(float(value) * factor) if known else value
        except (ValueError, OverflowError):
            return value  # the event's own check says what is wrong with it

    return multiplied


def _reader(name: str, get: Column, table: Table, options: RowOptions) -> Callable[[Any, Notes], Any]:
    if name in TIMES:
        return _time_reader(name, get, table, options)
    convert = _typed(name, options)
    return lambda values, notes: convert(get(values), notes)


def _time_reader(name: str, get: Column, table: Table, options: RowOptions) -> Callable[[Any, Notes], Any]:
    meant, otherwise = _meaning(name, options), zone(options.timezone)
    read = zoned_time_reader(options.time_format)
    zone_of = column(table, options.timezone_column) if options.timezone_column else lambda _: None
    simple = time_reader(options.time_format, otherwise)

    if not meant and not options.timezone_column:
        return lambda values, _: None if is_missing(value := get(values)) else simple(value)

    def time_of(values: Any, _: Notes) -> float | None:
        value = meant(get(values)) if meant else get(values)
        if is_missing(value):
            return None
        named = zone_of(values)
        return simple(value) if is_missing(named) else read(value, plain(named).strip())

    return time_of


def _typed(name: str, options: RowOptions) -> Convert:
    """Return what makes a field's value of a column's."""
    meant = _meaning(name, options)
    one = _one(name)
    each: Convert = one if meant is None else lambda value, notes: one(meant(value), notes)
    if name not in LISTS:
        return each

    def read(value: Any, notes: Notes) -> Any:
        if isinstance(value, str) and not options.separator and value[:1] != "[":  # most are one id
            one_of_it = None if is_missing(value) else each(value, notes)
            return None if one_of_it is None else [one_of_it]
        found = [each(part, notes) for part in parts_of(value, options.separator)]
        return [part for part in found if part is not None] or None

    return read


def _one(name: str) -> Convert:
    if is_id(name):
        return _id_reader(name)
    if name in LISTS:
        return lambda value, _: text_of(value)
    return lambda value, _: None if is_missing(value) else value


def _no_ids(name: str) -> frozenset[str]:
    return MISSING | NO_IDS if name in NO_NAMES else MISSING


def _id_reader(name: str) -> Convert:
    nothing = _no_ids(name)

    def read(value: Any, notes: Notes) -> Any:
        if isinstance(value, str) and "." not in value and value[:1] != "[":  # most are as they should be
            return None if value in nothing else value
        if (whole := whole_number(value)) is not None:
            notes.append(Note(Remark.FLOAT_ID, name, f"{name}: {value!r} is read as {whole!r}"))
            return whole
        return id_of(value)

    return read


def _meaning(name: str, options: RowOptions) -> Callable[[Any], Any] | None:
    """Return what says what a value means, by ``--percent-decode`` and ``--value``; None: all as it is."""
    decoded, plus = name in options.percent_encoded, name in PLUS_IS_BLANK
    words = {word: word for word in CHOICES.get(name, ())} | dict(options.values.get(name, {}))
    if not decoded and not words:
        return None

    def meaning(value: Any) -> Any:
        value = percent_decoded(value, plus=plus) if decoded else value
        return words.get(plain(value).strip().casefold(), value) if words else value

    return meaning
