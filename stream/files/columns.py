"""What a column gives: several put together, lists, ids, how often."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from stream.files.options import Condition
from stream.files.tables import Column, Table

__all__ = ["SCALES", "Scale", "column", "id_column", "is_missing", "list_column", "plain", "wanted"]

Scale: TypeAlias = Literal["linear", "log2"]

MISSING = frozenset({"", "(null)", "\\N"})
"""What programs write where there is no value: C and Objective-C ``(null)``, Hive and MySQL ``\\N``. Not
``NULL`` and ``None``, which are names of artists and songs, too."""


def column(table: Table, name: str) -> Column:
    """Return what takes a column, or several joined by ``+``, out of a table's rows."""
    if "+" not in name or (table.columns and table.has(name)):
        return table.column(name)
    parts = [table.column(part) for part in name.split("+")]
    return lambda values: " ".join(plain(part(values)) for part in parts).strip()


def id_column(table: Table, name: str) -> Column:
    """Return what takes an id out of a table's rows; None where there is none."""
    get = column(table, name)
    return lambda values: id_of(get(values))


def list_column(table: Table, name: str, separator: str) -> Column:
    """Return what takes a list of ids or names out of a table's rows; None where there is none."""
    get = column(table, name)
    return lambda values: list_of(get(values), separator)


def wanted(table: Table, conditions: Sequence[Condition]) -> Callable[[Any], bool]:
    """Return what says of a table's row whether all conditions (``--where``) hold."""
    where = [(column(table, each.column), each.value, each.equal) for each in conditions]

    def holds(values: Any) -> bool:
        for get, text, equal in where:
            value = get(values)
            if (plain(value) == text or (not text and is_missing(value))) is not equal:
                return False
        return True

    return holds


def plain(value: Any) -> str:
    """Return a value as text: of JSON too, where nothing is "" and truth is "true".

    Examples
    --------
    >>> plain(None), plain(True), plain(8)
    ('', 'true', '8')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def is_missing(value: Any) -> bool:
    """Say whether a column holds nothing.

    Examples
    --------
    >>> [is_missing(value) for value in (None, "", "(null)", "NULL", 0, [])]
    [True, True, True, False, False, False]
    """
    return value is None or (isinstance(value, str) and value in MISSING)


def id_of(value: Any) -> Any:
    """Return an id as text where it is a whole number; all else is left for the event's own check."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None if is_missing(value) else value


def list_of(value: Any, separator: str) -> Any:
    """Return a list of a JSON list, of a text with separators, or of one value; None of nothing.

    Examples
    --------
    >>> list_of("a1|a2", "|"), list_of([1, "a2"], ""), list_of("a1|a2", ""), list_of("", "|")
    (['a1', 'a2'], ['1', 'a2'], ['a1|a2'], None)
    """
    if isinstance(value, list):
        return [id_of(part) for part in value if not is_missing(part)] or None
    if isinstance(value, str) and separator:
        return [part.strip() for part in value.split(separator) if not is_missing(part.strip())] or None
    return None if is_missing(value) else [id_of(value)]


def _linear(value: Any) -> int:
    number = float(plain(value))
    if number < 0 or not number.is_integer():
        raise ValueError(f"{value!r} is no number of times")
    return int(number)


def _log2(value: Any) -> int:
    number = float(plain(value))
    if not 0 <= number < math.inf:
        raise ValueError(f"{value!r} is no number of times")
    return int(number).bit_length() if number.is_integer() else math.ceil(math.log2(1 + number))


SCALES: dict[str, Callable[[Any], int]] = {"linear": _linear, "log2": _log2}
"""From a column's x to how often a row's event happened: x, or ceil(log2(1 + x)).

Examples
--------
>>> [SCALES["log2"](plays) for plays in (0, 1, 3, "4", 1023.0, 1.5)]
[0, 1, 2, 3, 10, 2]
"""
