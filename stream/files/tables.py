"""Files of rows: CSV, TSV, JSON lines, any of them packed or in an archive."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path, PurePath
from typing import IO, Any, NamedTuple, TypeAlias

from stream.errors import BadFile, WrongUse
from stream.files.options import Format, Layout
from stream.files.unpack import PACKED, Member, members, unpacked
from stream.wire.events import Reason

__all__ = ["Bad", "Column", "Row", "Table"]

Column: TypeAlias = Callable[[Any], Any]
"""Takes a column's value out of a row's values; None where the row has none."""

NAMED = 3  # files of an archive, in an error
FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


class Row(NamedTuple):
    """A row that could be read. `values` is a list (CSV, TSV) or a dictionary (JSON)."""

    line: int
    values: Any


class Bad(NamedTuple):
    """A row that cannot be used, and why."""

    line: int
    reason: Reason
    detail: str
    row: Any


class Table:
    """A file of rows, opened to be read any number of times.

    Parameters
    ----------
    member
        Which file of an archive it is; None: the only one, or the file is no archive.

    Attributes
    ----------
    columns
        Their names; empty for JSON, where each row names its own.
    bad_rows
        What a file of its rows that cannot be used is called.
    read, size
        Bytes read so far by `rows`, and all there are: of the file, or of the file in an archive unpacked.

    Raises
    ------
    BadFile
        Where the file cannot be read at all, or is an archive of several.
    WrongUse
        Where there is no such encoding, or no rows can be made of the format here.
    """

    def __init__(self, path: Path, layout: Layout, member: Member | None = None) -> None:
        if layout.format == "profiles":
            raise WrongUse("profiles are clicks and labels: only commands that read those read profiles")
        self.path = path
        self.bad_rows = f"{path.name}.bad.jsonl"
        self._layout = layout
        self._name = str(path)  # as errors say it
        if member:
            self._name += f" ({member.name})"
            self.bad_rows = f"{path.name}.{member.name.replace('/', '.')}.bad.jsonl"
        try:
            self._member = member or self._only(path)
            self.size = self._member.size if self._member else path.stat().st_size
            with self._opened() as text:
                first = text.readline()
        except (OSError, EOFError) as error:
            raise BadFile(f"{self._name} cannot be read: {_why(error)}") from error
        except LookupError as error:
            raise WrongUse(f"{error}; use a name like utf-8, utf-16 or cp1252") from error
        self.read = 0
        self.format = layout.format or _format(
            PurePath(self._member.name) if self._member else path, first, layout.delimiter
        )
        self.columns = () if self.format == "jsonl" else layout.columns or self._header(first)

    @classmethod
    def all_of(cls, path: Path, layout: Layout) -> list[Table]:
        """Return the tables in a file: one, or of an archive one for each file in it.

        Raises
        ------
        BadFile, WrongUse
            As of a table.
        """
        try:
            found = members(path)
        except (OSError, EOFError) as error:
            raise BadFile(f"{path} cannot be read: {_why(error)}") from error
        return [cls(path, layout, member) for member in found] if len(found) > 1 else [cls(path, layout)]

    @staticmethod
    def _only(path: Path) -> Member | None:
        found = members(path)
        if len(found) > 1:
            named = ", ".join(member.name for member in found[:NAMED]) + (
                ", ..." if len(found) > NAMED else ""
            )
            raise BadFile(
                f"{path} is an archive of {len(found):,} files ({named}), and here it must be one",
                hint="Unpack it, and name the file that is meant.",
            )
        return found[0] if found else None

    def column(self, name: str) -> Column:
        """Return what takes this column out of a row; of JSON also one further down, as ``user.id``.

        Raises
        ------
        WrongUse
            Where the file has no such column; it names those there are.
        """
        get = _entry(name) if self.format == "jsonl" else self._cell(name)
        return (lambda values: mended(get(values))) if self._layout.mend else get

    def has(self, name: str) -> bool:
        """Say whether this may be a column's name."""
        return self.format == "jsonl" or name in self.columns

    def rows(self) -> Iterator[Row | Bad]:
        """Go through the rows, from the first.

        Raises
        ------
        BadFile
            Where the file ends in the middle, as one does that was not copied to its end.
        """
        row_of = self._json_rows if self.format == "jsonl" else self._csv_rows
        line = 0
        try:
            with self._opened() as text:
                for row in row_of(text):
                    line = row.line
                    yield row
        except (EOFError, OSError) as error:
            raise BadFile(f"{self._name} breaks off after line {line}: {error}") from error
        self.read = self.size

    @contextmanager
    def _opened(self) -> Iterator[IO[str]]:
        with self.path.open("rb") as raw, unpacked(raw, self._member, self._told) as plain:
            # What is no text stays recognisable, and makes its own row bad, not the whole file.
            encoding = "utf-8-sig" if self._layout.encoding == "utf-8" else self._layout.encoding
            with io.TextIOWrapper(plain, encoding, errors="surrogateescape", newline="") as text:
                yield text

    def _told(self, count: int) -> None:
        self.read = count

    def _header(self, first: str) -> tuple[str, ...]:
        return tuple(next(self._reader(iter([first])), ()))

    def _reader(self, lines: Iterator[str]) -> Any:
        if self.format == "tsv":  # what a quote in it means is nowhere said: it is a quote
            return csv.reader(lines, delimiter=self._layout.delimiter or "\t", quoting=csv.QUOTE_NONE)
        return csv.reader(lines, delimiter=self._layout.delimiter or ",")

    def _cell(self, name: str) -> Column:
        if name not in self.columns:
            raise WrongUse(f"{self._name} has no column {name!r}; it has {', '.join(self.columns)}")
        return itemgetter(self.columns.index(name))

    def _csv_rows(self, text: IO[str]) -> Iterator[Row | Bad]:
        reader = self._reader(iter(text))
        if not self._layout.columns:
            next(reader, None)
        width = len(self.columns)
        while True:
            try:
                for values in reader:
                    if len(values) == width:
                        yield Row(reader.line_num, values)
                    elif values:
                        detail = f"{len(values)} columns, not {width}"
                        yield Bad(reader.line_num, Reason.BAD_VALUE, detail, values)
            except csv.Error as error:
                yield Bad(reader.line_num, Reason.TOO_LARGE, str(error), None)
            else:
                return

    @staticmethod
    def _json_rows(text: IO[str]) -> Iterator[Row | Bad]:
        for number, line in enumerate(text, start=1):
            try:
                values = json.loads(line)
            except ValueError as error:
                if line.strip():
                    yield Bad(number, Reason.NOT_JSON, str(error), line)
                continue
            if isinstance(values, dict):
                yield Row(number, values)
            else:
                yield Bad(number, Reason.NOT_JSON, "a line must be one JSON object", line)


def mended(value: Any) -> Any:
    """Return text as it was before it was taken for Latin-1, once or several times; all else as it is.

    Examples
    --------
    >>> mended("Bj\u00c3\u00b6rk"), mended("Bj\u00c3\u0083\u00c2\u00b6rk"), mended("Bj\u00f6rk"), mended(7)
    ('Björk', 'Björk', 'Björk', 7)
    """
    if isinstance(value, list):
        return [mended(part) for part in value]
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        before = value.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value
    return mended(before)


def _entry(name: str) -> Column:
    top, *below = name.split(".")
    if not below:
        return lambda values: values.get(name)

    def get(values: dict[str, Any]) -> Any:
        if name in values:
            return values[name]
        found: Any = values.get(top)
        for part in below:
            found = found.get(part) if isinstance(found, dict) else None
        return found

    return get


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _format(path: PurePath, first: str, delimiter: str) -> Format:
    if delimiter:
        return "csv"
    suffixes = [suffix for suffix in path.suffixes if suffix not in PACKED]
    if suffixes and suffixes[-1] in FORMATS:
        return FORMATS[suffixes[-1]]
    if first.lstrip().startswith(("{", "[")):
        return "jsonl"
    return "tsv" if "\t" in first else "csv"
