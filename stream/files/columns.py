"""What a column gives: several put together, lists, ids, how often."""

from __future__ import annotations

import ast
import json
import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote, unquote_plus

from stream.errors import WrongUse
from stream.files.options import Condition
from stream.files.tables import Column, Table
from stream.wire.composed import nfc

__all__ = [
    "MISSING",
    "SCALES",
    "Scale",
    "column",
    "id_column",
    "id_of",
    "is_list_text",
    "is_missing",
    "list_column",
    "list_of",
    "parts_of",
    "percent_decoded",
    "plain",
    "quoted",
    "text_of",
    "wanted",
    "whole_number",
]

Scale: TypeAlias = Literal["linear", "log2"]

MISSING = frozenset({"", "(null)", "\\N", "[object Object]"})
"""What programs write where there is no value: C and Objective-C ``(null)``, Hive and MySQL ``\\N``,
JavaScript ``[object Object]``. Not ``NULL`` and ``None``, which are names of artists and songs, too."""

OR = "|"
"""Between columns of which the first that holds something counts."""

TRUTH = frozenset({"true", "false"})

MOST_QUOTED = 80  # characters of a value that is shown

MAX_EXACT = 2**53
"""Beyond it a float may stand for several whole numbers, so for several ids."""

_FLOAT = re.compile(r"-?\d+\.0+|-?\d\.\d+[eE]\+?\d{1,2}")
_LIST = re.compile(r"""\[\s*["'].*["']\s*\]""", re.DOTALL)
_SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def column(table: Table, name: str) -> Column:
    """Return what takes a column out of a table's rows.

    ``a+b`` joins several; ``a|b`` is the first that holds something, of those that the table has.

    Raises
    ------
    WrongUse
        Where the table has no such column, or of several that may stand for each other none.
    """
    if table.columns and table.has(name):
        return table.column(name)
    if OR in name:
        return _first_of(table, name)
    if "+" not in name:
        return table.column(name)
    parts = [table.column(part) for part in name.split("+")]
    return lambda values: " ".join(plain(part(values)) for part in parts).strip()


def _first_of(table: Table, name: str) -> Column:
    columns: list[Column] = [] if table.columns else [table.column(name)]  # a name in JSON may have a |
    missing: WrongUse | None = None
    for part in name.split(OR):
        try:
            columns.append(column(table, part))
        except WrongUse as error:
            missing = missing or error
    if missing and not columns:
        raise missing

    def get(values: Any) -> Any:
        for each in columns:
            value = each(values)
            if not is_missing(value) and value not in ([], {}):
                return value
        return None

    return get


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
    tests = [(column(table, each.column), _test(each)) for each in conditions]

    def holds(values: Any) -> bool:
        for get, test in tests:  # noqa: SIM110  -- a row in two thirds of the time that all() takes
            if not test(get(values)):
                return False
        return True

    return holds


def _test(condition: Condition) -> Callable[[Any], bool]:
    if condition.compares_numbers:
        compare, bound = _SIGNS[condition.sign], float(condition.value)
        return lambda value: (number := _number(value)) is not None and compare(number, bound)
    text, equal = nfc(condition.value), condition.sign == "="
    if text.casefold() in TRUTH:  # JSON has true, pandas True, R TRUE
        return lambda value: (plain(value).casefold() == text.casefold()) is equal
    return lambda value: (nfc(plain(value)) == text or (not text and is_missing(value))) is equal


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None


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


def quoted(value: Any) -> str:
    """Return a value for people, shortened where it is long.

    Examples
    --------
    >>> quoted("u1"), quoted(1.5), quoted(None), len(quoted("x" * 999))
    ("'u1'", '1.5', 'nothing', 80)
    """
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= MOST_QUOTED else f"{text[: MOST_QUOTED - 3]}..."


def is_missing(value: Any) -> bool:
    """Say whether a column holds nothing.

    Examples
    --------
    >>> [is_missing(value) for value in (None, "", "(null)", "NULL", 0, [])]
    [True, True, True, False, False, False]
    """
    return value is None or (isinstance(value, str) and value in MISSING)


def whole_number(value: Any) -> str | None:
    """Return the digits of a whole number that a program has written as a float; None for all else.

    Where a column of whole numbers has gaps, pandas and spreadsheets make floats of it.

    Examples
    --------
    >>> [whole_number(value) for value in (154422682.0, "154422682.0", "1.54422682E8", "17", 17, 7.5, "1e5")]
    ['154422682', '154422682', '154422682', None, None, None, None]
    """
    if isinstance(value, str):
        if "." not in value or not _FLOAT.fullmatch(value):
            return None
        value = float(value)
    if isinstance(value, float) and value.is_integer() and abs(value) <= MAX_EXACT:
        return str(int(value))
    return None


def percent_decoded(value: Any, *, plus: bool = False) -> Any:
    """Return text as it was before it came into a URL; all else as it is.

    Parameters
    ----------
    plus
        Whether ``+`` is a blank, as behind the ``?`` of a URL.

    Raises
    ------
    ValueError
        Where it is no UTF-8.

    Examples
    --------
    >>> percent_decoded("Beyonc%C3%A9"), percent_decoded("a+b%20c", plus=True), percent_decoded("a+b")
    ('Beyoncé', 'a b c', 'a+b')
    """
    if not isinstance(value, str):
        return value
    try:
        return (unquote_plus if plus else unquote)(value, errors="strict")
    except UnicodeDecodeError as error:
        raise ValueError(f"{value!r} is no UTF-8 when its percent signs are decoded") from error


def id_of(value: Any) -> Any:
    """Return an id as text where it is a whole number; all else is left for the event's own check.

    Raises
    ------
    ValueError
        Where it is the text of a list.

    Examples
    --------
    >>> id_of(8), id_of("8.0"), id_of("u8"), id_of("(null)"), id_of(7.5)
    ('8', '8', 'u8', None, 7.5)
    """
    if is_list_text(value):
        raise ValueError(f"{value!r} is a list, no id")
    return whole_number(value) or text_of(value)


def text_of(value: Any) -> Any:
    """Return a name as text where it is a whole number; None where there is none; all else as it is."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None if is_missing(value) or (isinstance(value, float) and math.isnan(value)) else value


def parts_of(value: Any, separator: str) -> list[Any]:
    """Return the parts of a list, of the text of one, of a text with separators, or one value.

    Examples
    --------
    >>> parts_of("a1|a2", "|"), parts_of([1, "a2"], ""), parts_of("a1|a2", ""), parts_of("", "|")
    (['a1', 'a2'], [1, 'a2'], ['a1|a2'], [])
    >>> parts_of("['Simon', 'AC/DC']", ""), parts_of('["a", "b"]', "")
    (['Simon', 'AC/DC'], ['a', 'b'])
    """
    if is_list_text(value):
        value = _list_in(value)
    if isinstance(value, str) and separator:
        value = [part.strip() for part in value.split(separator)]
    if not isinstance(value, list):
        return [] if is_missing(value) else [value]
    return [part for part in value if not is_missing(part)]


def is_list_text(value: Any) -> bool:
    """Say whether a value is the text of a list of texts, as JSON or Python writes it.

    Examples
    --------
    >>> [is_list_text(value) for value in ('["a"]', "['a', 'b']", "[Intro]", "['68", ["a"])]
    [True, True, False, False, False]
    """
    return isinstance(value, str) and value[:1] == "[" and _LIST.fullmatch(value) is not None


def _list_in(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        found = ast.literal_eval(text)  # as Python writes a list: with single quotes
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return found if isinstance(found, list) else text


def list_of(value: Any, separator: str) -> list[Any] | None:
    """Return a list of ids, of what `parts_of` finds; None of nothing.

    Examples
    --------
    >>> list_of("a1|a2", "|"), list_of([1, "a2"], ""), list_of("a1|a2", ""), list_of("", "|")
    (['a1', 'a2'], ['1', 'a2'], ['a1|a2'], None)
    """
    return [id_of(part) for part in parts_of(value, separator)] or None


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
