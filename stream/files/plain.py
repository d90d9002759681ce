"""Columns of which most values are as they should be: checked together, and each that is not is named."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from stream.files.columns import MISSING, is_missing, whole_number
from stream.wire.composed import nfc
from stream.wire.events import BLANK, MAX_ID_BYTES

__all__ = ["ByColumn", "Texts", "plain_ids", "plain_numbers", "plain_times", "remembered"]

Texts: TypeAlias = tuple[Sequence[str], frozenset[int]]
"""A column's values as text, "" where there is nothing, and the rows that have to be looked at instead."""

ByColumn: TypeAlias = Callable[[Sequence[Any]], Texts]

NONE_ODD: frozenset[int] = frozenset()

MARKS = frozenset('"\\{}')
"""What is escaped in JSON, and what no id has."""

MOST_DIGITS = 15
"""Of a whole number that every reader of JSON holds."""

SECONDS_DIGITS = 10
"""Of Unix seconds from 2001 to 2286."""

KEYS = frozenset({str, int, type(None)})
MOST_KNOWN = 1 << 16


def plain_ids(nothing: frozenset[str], separator: str = "") -> ByColumn:
    r"""Return what reads a column of ids: the text of each, as it stands in JSON between quotes.

    Parameters
    ----------
    nothing
        What programs write there for no id: the row has to be looked at.
    separator
        What stands between several ids, where there may be several: the same.

    Examples
    --------
    >>> plain_ids(frozenset({"nan"}))(["u1", "Björk", 7, "Mr. Oizo", "", "nan", "7.0", 'a"b', "[1]", "{a}"])
    (['u1', 'Björk', '7', 'Mr. Oizo', '', '', '', '', '', ''], frozenset({5, 6, 7, 8, 9}))
    """
    never = (nothing | MISSING) - {""}
    marks = (*MARKS, *([separator] if separator else []))

    def one(text: str | None) -> str | None:
        if not text:
            return text
        simple = (
            text.isprintable()
            and not any(mark in text for mark in marks)
            and text not in never
            and text[0] != "["
            and ("." not in text or whole_number(text) is None)
            and len(text if text.isascii() else text.encode()) <= MAX_ID_BYTES
            and not BLANK.fullmatch(text)
            and nfc(text) == text
        )
        return text if simple else None

    def read(column: Sequence[Any]) -> Texts:
        texts = _texts(column)
        if texts is None:
            return _told([one(_text(value)) for value in column])
        together = "".join(texts)
        if (
            together.isascii()
            and together.isprintable()
            and not any(mark in together for mark in marks)
            and "." not in together
            and "[" not in together
            and (" " not in together or all(map(str.strip, texts)))
            and never.isdisjoint(texts)
            and max(map(len, texts)) <= MAX_ID_BYTES
        ):
            return texts, NONE_ODD
        return _told([one(text) for text in texts])

    return read


def _texts(column: Sequence[Any]) -> list[str] | None:
    kinds = set(map(type, column))
    if kinds == {str}:
        return list(column)
    return list(map(str, column)) if kinds == {int} else None


def _text(value: Any) -> str | None:
    """Return a text or a whole number as text, nothing as "", and None for all else."""
    if value is None:
        return ""
    return str(value) if type(value) in (str, int) else None


def _told(found: Sequence[str | None]) -> Texts:
    """Return texts of which those that are None have to be looked at."""
    return [text or "" for text in found], frozenset(at for at, text in enumerate(found) if text is None)


def plain_numbers(column: Sequence[Any]) -> Texts:
    """Read a column of whole numbers, none below 0.

    Examples
    --------
    >>> plain_numbers(["31000", "", 7, "007", "-1", "1.5"])
    (['31000', '', '7', '', '', ''], frozenset({3, 4, 5}))
    """
    return _told([_digits(_text(value)) for value in column])


def _digits(text: str | None) -> str | None:
    if not text:
        return text
    simple = (
        text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and (text[0] != "0" or text == "0")
    )
    return text if simple else None


def plain_times(
    read: Callable[[Any], float], earliest: float, latest: float, *, are_seconds: bool
) -> ByColumn:
    """Return what reads a column of times, in Unix seconds as JSON has them.

    Parameters
    ----------
    read
        Reads one, and raises ValueError or OverflowError where it is none.
    earliest, latest
        Unix seconds. A row with another time has to be looked at.
    are_seconds
        Whether `read` takes ten digits for Unix seconds.

    Examples
    --------
    >>> read = plain_times(float, 1577836800.0, 1600000000.0, are_seconds=True)
    >>> read(["1577836800", "1577836800.5", "0", "x"])
    (['1577836800.0', '1577836800.5', '', ''], frozenset({2, 3}))
    """
    first, last = str(max(math.ceil(earliest), 10 ** (SECONDS_DIGITS - 1))), str(math.floor(latest))

    def one(value: Any) -> str | None:
        try:
            ts = None if is_missing(value) else read(value)
        except (ValueError, OverflowError):
            return None
        return repr(ts) if ts is not None and earliest <= ts <= latest else None

    def times(column: Sequence[Any]) -> Texts:
        texts = _texts(column) if are_seconds else None
        if texts and _is_digits(texts) and first <= min(texts) and max(texts) <= last:
            return [f"{text}.0" for text in texts], NONE_ODD
        return _told([one(value) for value in column])

    return times


def _is_digits(texts: Sequence[str]) -> bool:
    together = "".join(texts)
    return (
        together.isascii()
        and together.isdigit()
        and min(map(len, texts)) == SECONDS_DIGITS
        and len(together) == SECONDS_DIGITS * len(texts)
    )


def remembered(read: Callable[[Any], str | None]) -> ByColumn:
    """Return what reads a column with few values, each of them once.

    Examples
    --------
    >>> remembered(lambda value: print("once") or value.upper())(["a", "a", "a"])
    once
    (['A', 'A', 'A'], frozenset())
    """
    known: dict[Any, str | None] = {}

    def all_of(column: Sequence[Any]) -> Texts:
        if not KEYS.issuperset(
            map(type, column)
        ):  # what is equal to another need not be the same: 1 and True
            return _told([read(value) for value in column])
        if len(known) > MOST_KNOWN:
            known.clear()
        for value in set(column) - known.keys():
            known[value] = read(value)
        return _told([known[value] for value in column])

    return all_of
