"""The rows of JSON: one object a line, or objects in a list, one behind the other, or by their ids."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from stream.errors import BadFile
from stream.files.json_path import entries, entry
from stream.files.json_values import LARGEST, JsonValues
from stream.files.lines import Lines, Readable, lines_of
from stream.files.rows import Bad, Block, Column, Row, in_blocks
from stream.wire.dead_letter import Reason

__all__ = ["KEY", "JsonLines", "JsonRecords", "is_lines"]

KEY = "*"
"""The column of an object's own name, where objects are kept by their ids."""

SEVERAL = frozenset("|+")
"""What joins columns (`stream.files.columns.column`)."""

READ = json.JSONDecoder().raw_decode
"""Reads a value that begins at once, and says where it ends: in two thirds of the time of `json.loads`."""

NO_OBJECT = "a row must be a JSON object"


def is_lines(head: str) -> bool:
    r"""Say whether a file that begins so has one object a line.

    Examples
    --------
    >>> is_lines('{"u": 1}\n{"u": 2}\n'), is_lines('{\n"u": 1}'), is_lines('[{"u": 1},\n{"u": 2}]')
    (True, False, False)
    """
    first, _, _ = head.lstrip().partition("\n")
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        # One of which only the beginning is there, or a damaged one before others.
        later = [line.strip() for line in lines_of(head)[1:]]
        return first.startswith("{") and any(line.startswith("{") and line.endswith("}") for line in later)


class JsonLines:
    """One JSON object a line; a line that is none costs itself alone."""

    columns: tuple[str, ...] = ()

    def __init__(self) -> None:
        self._asked: dict[str, Callable[[list[dict[str, Any]]], list[Any]]] = {}

    def column(self, name: str) -> Column:
        """Return what takes a value out of a row; further down along dots."""
        return entry(name)

    def place(self, name: str) -> int | None:
        """Return where a column stands in blocks from now on; None where several may be meant."""
        if SEVERAL & {*name}:
            return None
        self._asked.setdefault(name, entries(name))
        return list(self._asked).index(name)

    def rows(self, text: Readable) -> Iterator[Row | Bad | Block]:
        """Go through the lines."""
        return in_blocks(Lines(text, LARGEST), self._block, _row)

    def _block(self, number: int, text: str) -> Block | None:
        """Return the rows of some lines at once: sooner. None where one of them may be no object."""
        if not text or "\r" in text or len(text) > LARGEST:
            return None
        rows = text.removesuffix("\n").split("\n")
        try:
            found = list(map(READ, rows))
        except (ValueError, RecursionError):
            return None
        objects = [each for each, _ in found]
        if set(map(type, objects)) != {dict} or [end for _, end in found] != list(map(len, rows)):
            return None
        return Block(number, [taken(objects) for taken in self._asked.values()], objects)


def _row(line: str, lines: Lines) -> Row | Bad | None:
    """Return the row of the line that was taken last; None where it is blank."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        if lines.too_long:
            detail = f"a line is longer than {LARGEST:,} characters"
            return Bad(lines.number, Reason.TOO_LARGE, detail, None)
        return None if line.isspace() else Bad(lines.number, Reason.NOT_JSON, str(error), line)
    if isinstance(values, dict):
        return Row(lines.number, values)
    return Bad(lines.number, Reason.NOT_JSON, NO_OBJECT, line)


class JsonRecords:
    """Objects in one JSON text, over as many lines as there are.

    Parameters
    ----------
    records
        Where they are: ``scrobbles``, ``recenttracks.track``, ``*`` for an object of objects by their ids.
        Empty: the text is a list, or objects one behind the other.
    """

    columns: tuple[str, ...] = ()

    def __init__(self, records: str = "") -> None:
        self._path = records.split(".") if records else []

    def column(self, name: str) -> Column:
        """Return what takes a value out of a row; further down along dots, ``*`` for its own name."""
        return entry(name)

    def place(self, name: str) -> None:
        """Return nothing: there are no blocks."""

    def rows(self, text: Readable) -> Iterator[Row | Bad]:
        """Go through the objects.

        Raises
        ------
        BadFile
            Where the text is not JSON, or there are no objects where they should be. What came before is
            given before.
        """
        values = JsonValues(text)
        try:
            for found in values.below(self._path):
                row = {**found[1], KEY: found[0]} if _is_named(found) else found
                if isinstance(row, dict):
                    yield Row(values.line, row)
                else:
                    yield Bad(values.line, Reason.NOT_JSON, NO_OBJECT, row)
        except (ValueError, RecursionError) as error:
            raise BadFile(f"JSON cannot be read behind line {values.line}: {error}") from error

    def check(self, head: str, name: str) -> None:
        """Refuse a file of one object in which it is not said where its rows are.

        Raises
        ------
        BadFile
            It names the lists that are there.
        """
        if self._path or not head.lstrip().startswith("{"):
            return
        members = JsonValues(io.StringIO(head)).names()
        lists = list(_lists(members))
        if not lists and _by_ids(members):
            raise BadFile(
                f"{name} is one JSON object, with a row at each of its names",
                hint="--records '*' takes them; --map user_id='*' is the name.",
            )
        if lists:
            raise BadFile(
                f"{name} is one JSON object with its rows in {' or '.join(lists)}",
                hint=f"--records {lists[0]} says where they are.",
            )


def _is_named(found: Any) -> bool:
    return isinstance(found, tuple) and isinstance(found[1], dict)


def _by_ids(members: dict[str, Any]) -> bool:
    """Say whether an object holds rows by their ids: all are objects, with the same names in them."""
    rows = [value for value in members.values() if value != "{"]
    return len(rows) > 1 and all(isinstance(row, dict) and row.keys() == rows[0].keys() for row in rows)


def _lists(members: dict[str, Any], above: str = "") -> Iterator[str]:
    for name, value in members.items():
        if value == "[" or (isinstance(value, list) and value and isinstance(value[0], dict)):
            yield above + name
        elif isinstance(value, dict):
            yield from _lists(value, f"{above}{name}.")
