"""Columns of which most values are as they should be: checked together, and each that is not is named."""

from __future__ import annotations

import math
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from types import NoneType
from typing import Any, NamedTuple, TypeAlias

from pydantic_core import to_json

from stream.files.columns import MISSING, is_missing, whole_number
from stream.wire.composed import nfc
from stream.wire.fields import BLANK, BLANKS, MAX_ARTISTS, MAX_ID_BYTES

__all__ = [
    "ByColumn",
    "Cells",
    "Texts",
    "cells",
    "plain_id_lists",
    "plain_ids",
    "plain_numbers",
    "plain_times",
    "remembered",
]

NONE_ODD: frozenset[int] = frozenset()

MARKS = frozenset('"\\{}')
"""What is escaped in JSON, and what no id has."""

PRINTABLE = bytes(range(32, 127)) + b"\n"
DIGITS = b"0123456789\n"

UNSEEN = re.compile(f"[{BLANKS.lstrip()}]")
"""What nobody sees, but for the blank itself."""

LEADING_ZERO = re.compile(r"^0\d", re.MULTILINE)

MOST_DIGITS = 15
"""Of a whole number that every reader of JSON holds."""

SECONDS_DIGITS = 10
"""Of Unix seconds from 2001 to 2286."""

KEYS = frozenset({str, int, type(None)})
MOST_KNOWN = 1 << 16


class Cells(NamedTuple):
    """The values of a column.

    Attributes
    ----------
    values
        As they are.
    texts
        The text of each, where all are text, or all whole numbers.
    lines
        These, a line each, where all of it is printable and nothing has a blank at its end; else None.
    """

    values: Sequence[Any]
    texts: Sequence[str] = ()
    lines: str | None = None

    @property
    def has_gaps(self) -> bool:
        """Whether there is nothing in some of the `lines`."""
        lines = self.lines
        return not lines or "\n\n" in lines or lines[0] == "\n" or lines[-1] == "\n"


class Texts(NamedTuple):
    """A column's values as they stand in JSON.

    Attributes
    ----------
    texts
        "" where there is nothing.
    odd
        The rows that have to be looked at instead.
    has_gaps
        Whether there may be nothing in some.
    end
        What follows each text in JSON, and changes nothing of what it says.
    """

    texts: Sequence[str]
    odd: frozenset[int] = NONE_ODD
    has_gaps: bool = False
    end: str = ""


ByColumn: TypeAlias = Callable[[Cells], Texts]


def cells(column: Sequence[Any], *, strip: bool = False) -> Cells:
    """Look at the values of a column.

    Parameters
    ----------
    strip
        Whether blanks around a text are no part of it. Then all values are text.

    Examples
    --------
    >>> cells(["u1 ", "u2"], strip=True)
    Cells(values=['u1', 'u2'], texts=['u1', 'u2'], lines='u1\\nu2')
    >>> cells([7, 8])
    Cells(values=[7, 8], texts=['7', '8'], lines='7\\n8')
    >>> cells(["a\\nb"]), cells([7, "a"]).texts
    (Cells(values=['a\\nb'], texts=['a\\nb'], lines=None), ())
    """
    if column and column[0] is None and column.count(None) == len(column):  # a field that no row has
        return Cells(column, [""] * len(column), "\n" * (len(column) - 1))
    texts = column
    try:
        lines = "\n".join(column)
    except TypeError:
        kinds = set(map(type, column))
        if kinds == {int}:
            texts = list(map(str, column))
        elif kinds <= {str, NoneType}:
            texts = ["" if value is None else value for value in column]
        else:
            return Cells(column)
        lines = "\n".join(texts)
    if lines.isascii():
        plain = not lines.encode().translate(None, PRINTABLE)
    else:
        plain = lines.replace("\n", "").isprintable() and not UNSEEN.search(lines)
    has_ends = " " in lines and ("\n " in lines or " \n" in lines or lines[0] == " " or lines[-1] == " ")
    if strip and (has_ends or not plain):
        return cells(list(map(str.strip, column)))
    plain = plain and not has_ends and lines.count("\n") == len(column) - 1
    return Cells(column, texts, lines if plain else None)


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
    >>> read = plain_ids(frozenset({"nan"}))
    >>> read(cells(["u1", "Björk", 7, "Mr. Oizo", "", "nan", "7.0", 'a"b', "[1]", "{a}"]))[:2]
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

    def read(column: Cells) -> Texts:
        texts, lines = column.texts, column.lines
        if (
            lines is not None
            and not any(mark in lines for mark in marks)
            and "." not in lines
            and "[" not in lines
            and (lines.isascii() or unicodedata.is_normalized("NFC", lines))
            and never.isdisjoint(texts)
            and _are_short(lines, MAX_ID_BYTES)
        ):
            return Texts(texts, has_gaps=column.has_gaps)
        return _told([one(text) for text in texts or map(_text, column.values)])

    return read


def plain_id_lists(ids: ByColumn) -> ByColumn:
    """Return what reads a column of lists of ids, or of single ids, by what reads a column of ids.

    The text of a list is that between its first quote and its last.

    Examples
    --------
    >>> read = plain_id_lists(plain_ids(frozenset({"nan"})))
    >>> read(cells([["u1", "u2"], [7], ["a.b"], None, [], ["nan"], [["u1"]]]))[:2]
    (['u1","u2', '7', 'a.b', '', '', '', ''], frozenset({5, 6}))
    """

    def read(column: Cells) -> Texts:
        values = column.values
        if list not in set(map(type, values)):
            return ids(column)
        lists = [value if type(value) is list else () if value is None else (value,) for value in values]
        found = ids(cells(list(chain.from_iterable(lists))))
        if all(map(len, lists)) and len(found.texts) == len(lists):
            return found
        ends = list(accumulate(map(len, lists)))
        parts = [found.texts[end - len(each) : end] for end, each in zip(ends, lists, strict=True)]
        odd = {bisect_right(ends, at) for at in found.odd}
        odd |= {
            at
            for at, part in enumerate(parts)
            if len(part) > MAX_ARTISTS or (len(part) > 1 and not all(part))
        }
        texts = ['","'.join(part) for part in parts]
        return Texts(texts, frozenset(odd), not all(texts))

    return read


def _are_short(lines: str, most: int) -> bool:
    """Say whether no line has more bytes of UTF-8 than that."""
    data, at = lines.encode(), 0
    while len(data) - at > most:  # on to the last line that begins so few bytes later
        at = data.rfind(b"\n", at, at + most + 1) + 1
        if not at:
            return False
    return True


def _text(value: Any) -> str | None:
    """Return a text or a whole number as text, nothing as "", and None for all else."""
    if value is None:
        return ""
    return str(value) if type(value) in (str, int) else None


def _told(found: Sequence[str | None]) -> Texts:
    """Return texts of which those that are None have to be looked at."""
    texts = [text or "" for text in found]
    return Texts(texts, frozenset(at for at, text in enumerate(found) if text is None), not all(texts))


def plain_numbers(column: Cells) -> Texts:
    """Read a column of whole numbers, none below 0.

    Examples
    --------
    >>> plain_numbers(cells(["31000", "", 7, "007", "-1", "1.5"]))[:2]
    (['31000', '', '7', '', '', ''], frozenset({3, 4, 5}))
    """
    lines = column.lines
    if (
        lines is not None
        and _is_digits(lines)
        and not LEADING_ZERO.search(lines)
        and _are_short(lines, MOST_DIGITS)
    ):
        return Texts(column.texts, has_gaps=column.has_gaps)
    return _told([_digits(_text(value)) for value in column.values])


def _is_digits(lines: str) -> bool:
    return lines.isascii() and not lines.encode().translate(None, DIGITS)


def _digits(text: str | None) -> str | None:
    if not text:
        return text
    simple = (
        text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS and (text[0] != "0" or text == "0")
    )
    return text if simple else None


def plain_times(
    read: Callable[[Any], float],
    earliest: float,
    latest: float,
    *,
    are_seconds: bool,
    read_all: Callable[[Sequence[str]], Sequence[float]] | None = None,
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
    read_all
        Reads many texts as `read` does, sooner, and raises the same where it cannot read all of them.

    Examples
    --------
    >>> read = plain_times(float, 1577836800.0, 1600000000.0, are_seconds=True)
    >>> read(cells(["1577836800", "1577836800.5", "0", "x"]))[:2]
    (['1577836800.0', '1577836800.5', '', ''], frozenset({2, 3}))
    """
    digits = max(math.ceil(earliest), 10 ** (SECONDS_DIGITS - 1)), math.floor(latest)
    first, last = map(str, digits)

    def one(value: Any) -> str | None:
        try:
            ts = None if is_missing(value) else read(value)
        except (ValueError, OverflowError):
            return None
        return repr(ts) if ts is not None and earliest <= ts <= latest else None

    def times(column: Cells) -> Texts:
        texts = column.texts
        if are_seconds and _are_seconds(column) and first <= min(texts) and max(texts) <= last:
            return Texts(texts, end=".0")
        if are_seconds and set(map(type, column.values)) == {float} and _are_between(column.values, *digits):
            return Texts(list(map(repr, column.values)))
        if read_all and column.lines and texts is column.values:
            try:
                found = read_all(texts)
            except (ValueError, OverflowError):
                pass  # then one by one
            else:
                if _are_between(found, earliest, latest):
                    return Texts(to_json(found)[1:-1].decode().split(","))
        return _told([one(value) for value in column.values])

    return times


def _are_between(numbers: Sequence[float], first: float, last: float) -> bool:
    # What is no number is neither the least nor the largest, but the sum is none either.
    return first <= min(numbers) and max(numbers) <= last and math.isfinite(sum(numbers))


def _are_seconds(column: Cells) -> bool:
    lines, count = column.lines, len(column.texts)
    return (
        lines is not None
        and len(lines) == (SECONDS_DIGITS + 1) * count - 1
        and lines[SECONDS_DIGITS :: SECONDS_DIGITS + 1].count("\n") == count - 1
        and _is_digits(lines)
    )


def remembered(read: Callable[[Any], str | None]) -> ByColumn:
    """Return what reads a column with few values, each of them once.

    Examples
    --------
    >>> remembered(lambda value: print("once") or value.upper())(cells(["a", "a", "a"]))[:2]
    once
    (['A', 'A', 'A'], frozenset())
    """
    known: dict[Any, str | None] = {}

    def all_of(column: Cells) -> Texts:
        values = column.values
        # What is equal to another need not be the same: 1 and True.
        if not column.texts and not KEYS.issuperset(map(type, values)):
            return _told([read(value) for value in values])
        if len(known) > MOST_KNOWN:
            known.clear()
        for value in set(values) - known.keys():
            known[value] = read(value)
        return _told([known[value] for value in values])

    return all_of
