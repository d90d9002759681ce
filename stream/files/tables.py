"""Files of rows: CSV, TSV, JSON, any of them packed or in an archive, and Parquet."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatchcase
from itertools import chain, count
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from stream.errors import BadFile, WrongUse
from stream.files.csv_rows import CsvRows
from stream.files.json_rows import JsonLines, JsonRecords, is_lines
from stream.files.lines import Text, lines_of
from stream.files.options import Format, Layout
from stream.files.parquet_rows import ParquetRows
from stream.files.rows import Bad, Block, Column, Row, Rows
from stream.files.sources import SIDE
from stream.files.text import AUTO, encoding_of, is_text, is_utf8
from stream.files.unpack import PACKED, PARQUET, Member, members, unpacked

__all__ = ["Bad", "Block", "Column", "Row", "Table"]

HEAD = 1 << 16  # bytes that say what a file is
FIRST_LINES = 50
MARKUP = re.compile(r"\s*<(?:!doctype|html|\?xml|plist)", re.IGNORECASE)
UTF8 = "utf-8-sig"  # with a mark before it or without
ENCODINGS = (
    "--encoding cp1252 reads text of Western Windows and Latin-1; others are cp1250, cp1251, gbk, shift_jis. "
    "--encoding utf-8 reads it all the same, but for such rows."
)
NO_COLUMN = (
    "Where its first line does not name the columns, --columns A,B,... does; --skip N passes over lines "
    "before it."
)
NAMED = 3  # files of an archive, in an error
FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}


class Table:
    """A file of rows, opened to be read any number of times.

    Parameters
    ----------
    member
        Which file of an archive it is; None: the only one, or the file is no archive.

    Attributes
    ----------
    called
        Its path; of a file in an archive, its path there below that of the archive.
    format
        How it is read.
    columns
        Their names; empty for JSON, where each row names its own.
    bad_rows
        What a file of its rows that cannot be used is called.
    first_lines
        The first lines of text; none of Parquet.
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
        self.bad_rows = f"{path.name}{SIDE}"
        self._mend = layout.mend
        self._name = str(path)  # as errors say it
        if member:
            self._name += f" ({member.name})"
            self.bad_rows = f"{path.name}.{member.name.replace('/', '.')}{SIDE}"
        try:
            self._member = member or self._only(path, layout)
            self.size = self._member.size if self._member else path.stat().st_size
            with self._unpacked() as plain:
                head = _first(plain, HEAD)
        except (OSError, EOFError) as error:
            raise BadFile(f"{self._name} cannot be read: {_why(error)}") from error
        self.called = PurePath(str(path.absolute()), self._member.name if self._member else "")
        self.read = 0
        if head.startswith(PARQUET):
            self.format: Format = "parquet"
            self._parquet: ParquetRows | None = ParquetRows(path)
            self._column, self._place = self._parquet.column, self._parquet.place
            self.columns = self._parquet.columns
            self.first_lines: list[str] = []
            return
        self._parquet = None
        self._encoding = _encoding(head, layout.encoding)
        text = self._decoded(head)
        if not is_text(text):
            raise BadFile(f"{self._name} has no rows of text: its bytes are something else")
        if MARKUP.match(text):
            raise BadFile(
                f"{self._name} is a web page or XML, and has no rows",
                hint="Where it can be exported as JSON or CSV, that is read.",
            )
        if layout.encoding == AUTO and self._encoding == UTF8 and not is_utf8(head):
            raise BadFile(f"{self._name} is no UTF-8", hint=ENCODINGS)
        self.first_lines = lines_of(text)[:FIRST_LINES]
        self.format, self._rows = self._shape(text, layout)
        self._column, self._place = self._rows.column, self._rows.place
        self.columns = self._rows.columns

    @classmethod
    def all_of(cls, path: Path, layout: Layout, *, first: bool = False) -> list[Table]:
        """Return the tables in a file: one, or of an archive one for each file in it.

        Parameters
        ----------
        first
            Whether some are enough of an archive that would have to be unpacked to find all.

        Raises
        ------
        BadFile, WrongUse
            As of a table.
        """
        try:
            found = _members(path, layout, first=first)
        except (OSError, EOFError) as error:
            raise BadFile(f"{path} cannot be read: {_why(error)}") from error
        if not first and len(found) <= 1:
            return [cls(path, layout)]
        wanted: list[Member | None] = [*found] or [None]
        tables = [cls(path, layout, member) for member in wanted]
        taken: set[str] = set()
        for table in tables:  # a/b.csv and a.b.csv would have one file of bad rows
            name = table.bad_rows.removesuffix(SIDE)
            numbered = (f"{name}.{number}{SIDE}" for number in count(2))
            table.bad_rows = next(each for each in chain([table.bad_rows], numbered) if each not in taken)
            taken.add(table.bad_rows)
        return tables

    @staticmethod
    def _only(path: Path, layout: Layout) -> Member | None:
        found = _members(path, layout)
        if len(found) > 1:
            raise BadFile(
                f"{path} is an archive of {len(found):,} files ({_named(found)}), and here it must be one",
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
        get = self._column(name)
        if get is None:
            raise WrongUse(
                f"{self._name} has no column {name!r}; it has {', '.join(self.columns)}",
                hint="" if self._parquet else NO_COLUMN,
            )
        return (lambda values: mended(get(values))) if self._mend else get

    def place(self, name: str) -> int | None:
        """Return where a column's values stand in blocks, as they are; None where they do not."""
        return None if self._mend else self._place(name)

    def has(self, name: str) -> bool:
        """Say whether this may be a column's name."""
        return not self.columns or name in self.columns

    def rows(self) -> Iterator[Row | Bad]:
        """Go through the rows, from the first.

        Raises
        ------
        BadFile
            As of `parts`.
        """
        for part in self.parts():
            if isinstance(part, Block):
                yield from part.rows()
            else:
                yield part

    def parts(self) -> Iterator[Row | Bad | Block]:
        """Go through the rows, from the first; many that need not be looked at come at once.

        Raises
        ------
        BadFile
            Where the file ends in the middle, as one does that was not copied to its end.
        """
        line = 0
        try:
            for part in self._parquet.rows(self._told_rows) if self._parquet else self._text_rows():
                yield part
                line = part.line + len(part) - 1 if isinstance(part, Block) else part.line
        except (EOFError, OSError, UnicodeError) as error:
            raise BadFile(f"{self._name} breaks off after line {line}: {error}") from error
        except BadFile as error:
            raise BadFile(f"{self._name}: {error}", hint=error.hint) from error
        self.read = self.size

    @contextmanager
    def _unpacked(self) -> Iterator[io.BufferedReader]:
        with self.path.open("rb") as raw, unpacked(raw, self._member, self._told) as plain:
            yield plain

    @contextmanager
    def _opened(self) -> Iterator[Text]:
        with self._unpacked() as plain:
            yield Text(plain, self._encoding)

    def _text_rows(self) -> Iterator[Row | Bad | Block]:
        with self._opened() as text:
            yield from self._rows.rows(text)

    def _told(self, count: int) -> None:
        self.read = count

    def _told_rows(self, count: int) -> None:
        if self._parquet:
            self.read = self.size * count // self._parquet.count

    def _decoded(self, head: bytes) -> str:
        """Return the whole lines of the first bytes; of the only one, where it is long, its beginning."""
        text = head.decode(self._encoding, errors="ignore")
        if len(head) < HEAD:
            return text
        whole = text.rfind("\n") + 1 or text.rfind("\r") + 1
        return text[:whole] or text

    def _shape(self, head: str, layout: Layout) -> tuple[Format, Rows]:
        name = PurePath(self._member.name) if self._member else self.path
        suffixes = [suffix.lower() for suffix in name.suffixes if suffix.lower() not in PACKED]
        known = layout.format or (None if layout.delimiter else FORMATS.get(suffixes[-1] if suffixes else ""))
        found: Format = "json" if layout.records else known or _format(head, layout, suffixes)
        if found == "jsonl":
            return found, JsonLines()
        if found == "json":
            records = JsonRecords(layout.records)
            records.check(head, self._name)
            return found, records
        try:
            return found, CsvRows(head, layout, tabs=found == "tsv")
        except BadFile as error:
            raise BadFile(f"{self._name}: {error}", hint=error.hint) from error


def _members(path: Path, layout: Layout, *, first: bool = False) -> list[Member]:
    """Return the files in an archive that are meant; none where the file is no archive."""
    found = members(path, first=first)
    meant = [member for member in found if not layout.member or _is_named(member.name, layout.member)]
    if first and found and not meant:
        return _members(path, layout)  # they may come further on
    if found and not meant:
        raise BadFile(
            f"{path} is an archive without a file named {' or '.join(layout.member)}; it has {_named(found)}",
            hint="--member PATTERN says which files are meant; '*' is all.",
        )
    return meant


def _is_named(name: str, patterns: Sequence[str]) -> bool:
    alone = PurePosixPath(name).name
    return any(fnmatchcase(name, pattern) or fnmatchcase(alone, pattern) for pattern in patterns)


def _named(found: Sequence[Member]) -> str:
    return ", ".join(member.name for member in found[:NAMED]) + (", ..." if len(found) > NAMED else "")


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


def _format(head: str, layout: Layout, suffixes: list[str]) -> Format:
    start = head.lstrip()
    if not start.startswith(("{", "[")) or layout.delimiter or layout.columns:
        return "csv"
    if not is_lines(head):
        return "json"
    alone = len(start.strip().splitlines()) == 1
    return "json" if alone and suffixes and suffixes[-1] == ".json" else "jsonl"


def _encoding(head: bytes, asked: str) -> str:
    try:
        "".encode(name := encoding_of(head, asked))
    except LookupError as error:
        raise WrongUse(f"{error}; use a name like utf-8, utf-16 or cp1252") from error
    return name


def _first(plain: io.BufferedReader, count: int) -> bytes:
    """Read the first bytes; a file that breaks off further on has them all the same."""
    got = b""
    try:
        while len(got) < count and (part := plain.read1(count - len(got))):
            got += part
    except (OSError, EOFError):
        if not got:
            raise
    return got


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
