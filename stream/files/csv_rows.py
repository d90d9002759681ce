"""The rows of CSV and TSV, as systems and people write them."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterator, Sequence
from operator import itemgetter

from stream.errors import BadFile
from stream.files.json_path import at_path
from stream.files.lines import Lines, Readable, lines_of
from stream.files.options import Layout
from stream.files.rows import Bad, Block, Column, Row, in_blocks
from stream.wire.dead_letter import Reason

__all__ = ["CsvRows"]

DELIMITERS = (",", "\t", ";", "|", "::")
"""What is looked for between columns, in this order where several fit as well."""

SAMPLE = 50  # lines that say how a file is laid out
MOST = 0.7  # of them have as many columns as the header has, else it is not the delimiter
LONGEST = 1 << 17
"""Characters of one line, and of one row over several."""

ROW_LINES = 100
"""Lines that one row in quotes goes over at most. A quote that is not closed within them is told."""

OPEN = "unexpected end"  # how the library says that a quote is not closed yet
SEP = "sep="  # what Excel writes first to say the delimiter


class CsvRows:
    """Rows of columns with a delimiter between them.

    Blanks around names and values are no part of them. Where a comment character is given and the names of
    the columns stand in a comment, they are the columns. A row may have empty cells more than there are
    columns.

    Parameters
    ----------
    head
        The beginning of the file, whole lines: it says the delimiter and the columns.
    tabs
        Whether it is TSV by its name.

    Raises
    ------
    BadFile
        Where there is no such header as was said.
    """

    def __init__(self, head: str, layout: Layout, *, tabs: bool) -> None:
        self._comment = layout.comment
        self._skip = layout.skip
        if layout.header:
            self._skip += _header(lines_of(head)[layout.skip :], layout.header) + bool(layout.columns)
        lines = [line for line in lines_of(head)[self._skip :] if line.strip()]
        asked = layout.delimiter
        if lines and lines[0].lower().startswith(SEP) and len(lines[0].strip()) == len(SEP) + 1:
            asked, self._skip = asked or lines[0].strip()[-1], self._skip + 1
            del lines[0]
        comment, lines = self._without_comments(lines[:SAMPLE])
        self.delimiter = asked or _delimiter(lines, layout.columns, "\t" if tabs else ",")
        # What a quote means in TSV is nowhere said: it is a quote, unless all of the header is in quotes.
        header = lines[0].split(self.delimiter) if lines else []
        self._quotes = len(self.delimiter) == 1 and (
            self.delimiter != "\t" or all(_is_quoted(cell.strip()) for cell in header)
        )
        self._headed = not layout.columns
        self.columns = layout.columns or self._names(comment, lines)

    def column(self, name: str) -> Column | None:
        """Return what takes a column out of a row; what stands in JSON in it, along dots."""
        if not self.columns:
            return lambda _: ""  # an empty file has no rows, whatever is asked of them
        if name in self.columns:
            get = itemgetter(self.columns.index(name))
            return lambda values: get(values).strip()
        above, dot, below = name.partition(".")
        while dot:
            if above in self.columns:
                get, path = itemgetter(self.columns.index(above)), below.split(".")
                return lambda values: at_path(get(values), path)
            part, dot, below = below.partition(".")
            above += f".{part}"
        return None

    def place(self, name: str) -> int | None:
        """Return where a column stands in a row; None where there is none of that name."""
        return self.columns.index(name) if name in self.columns else None

    def rows(self, text: Readable) -> Iterator[Row | Bad | Block]:
        """Go through the rows. One that cannot be read costs itself alone."""
        lines = Lines(text, LONGEST)
        for _ in range(self._skip):
            lines.take()
        headed = self._headed
        while headed and (line := lines.take()):
            headed = not self._row(line, lines)
        yield from in_blocks(lines, self._block, self._row)

    def _row(self, line: str, lines: Lines) -> Row | Bad | None:
        """Return the row that begins with a line; None where it is a comment or blank."""
        number, width = lines.number, len(self.columns)
        if self._comment and line.startswith(self._comment):
            return None
        cells: Sequence[str] | Bad
        if lines.too_long:
            cells = Bad(number, Reason.TOO_LARGE, f"a line is longer than {LONGEST:,} characters", None)
        elif self._quotes and '"' in line:
            cells = self._in_quotes(line, lines)
        elif line.isspace():
            return None
        else:
            cells = line.rstrip("\r\n").split(self.delimiter)
        if isinstance(cells, Bad):
            return cells
        if len(cells) == width or (len(cells) > width and not any(map(str.strip, cells[width:]))):
            return Row(lines.number, cells)
        return Bad(lines.number, Reason.BAD_VALUE, f"{len(cells)} columns, not {width}", cells)

    def _block(self, number: int, text: str) -> Block | None:
        """Return the rows of some lines at once: sooner. None where one may need to be looked at."""
        end, width = self.delimiter, len(self.columns)
        if "\r" in text:
            text = text.replace("\r\n", "\n")
        unusual = (
            width < 2  # noqa: PLR2004 - nobody knows a blank line from a row with nothing in it
            or (self._quotes and '"' in text)
            or "\r" in text
            or len(text) > LONGEST
            or (self._comment and (text.startswith(self._comment) or f"\n{self._comment}" in text))
            or (end.isspace() and (text.startswith(end) or f"\n{end}" in text))  # a line of blanks alone?
        )
        if unusual or not text:
            return None
        if text[-1] != "\n":
            text += "\n"
        # The end of each line becomes a cell; all are as wide as they should be where each is in its place.
        cells, count = text.replace("\n", f"{end}\n{end}").split(end), text.count("\n")
        cells.pop()
        if len(cells) != count * (width + 1) or cells[width :: width + 1].count("\n") != count:
            return None
        return Block(number, [cells[at :: width + 1] for at in range(width)])

    def _without_comments(self, lines: Sequence[str]) -> tuple[str, list[str]]:
        """Return the last comment before the rows, and the lines that are no comments."""
        if not self._comment:
            return "", list(lines)
        before = list(itertools.takewhile(lambda line: line.startswith(self._comment), lines))
        return before[-1] if before else "", [line for line in lines if not line.startswith(self._comment)]

    def _names(self, comment: str, lines: Sequence[str]) -> tuple[str, ...]:
        if not lines:
            return ()
        first, *others = map(self._cells, lines)
        named = self._cells(comment)
        if len(named) == len(first) > 1:
            self._headed = False
            return tuple(name.strip().removeprefix(self._comment).strip() for name in named)
        names = tuple(name.strip() for name in first)
        if {len(row) for row in others} == {len(names) + 1} and any(row[-1].strip() for row in others):
            return ("", *names)  # R names no column for the names of its rows
        return names

    def _cells(self, line: str) -> list[str]:
        if not self._quotes or '"' not in line:
            return line.rstrip("\r\n").split(self.delimiter)
        return self._parse([line]) or _literal(line, self.delimiter)

    def _parse(self, lines: Sequence[str]) -> list[str] | None:
        """Return the cells of a row that quotes as RFC 4180 says; None where it does not, or goes on."""
        try:
            return next(self._strict(lines), [])
        except csv.Error:
            return None

    def _strict(self, lines: Sequence[str]) -> Iterator[list[str]]:
        return csv.reader(lines, delimiter=self.delimiter, strict=True, skipinitialspace=True)

    def _in_quotes(self, line: str, lines: Lines) -> list[str] | Bad:
        try:
            return next(self._strict([line]), [])
        except csv.Error as error:
            if OPEN in str(error):
                return self._over_lines(line, lines)
        # Quotes that do not enclose a cell are a part of it.
        cells = _literal(line, self.delimiter)
        if len(cells) == len(self.columns):
            return cells
        return next(csv.reader([line], delimiter=self.delimiter, skipinitialspace=True), [])

    def _over_lines(self, line: str, lines: Lines) -> list[str] | Bad:
        row, size = [line], len(line)
        for at in range(ROW_LINES):
            following = lines.ahead(at)
            size += len(following)
            if not following or size > LONGEST:
                break
            row.append(following)
            if '"' not in following:
                continue
            try:
                cells = next(self._strict(row), [])
            except csv.Error as error:
                if OPEN in str(error):
                    continue
                break
            if len(cells) != len(self.columns):
                break
            lines.drop(at + 1)
            return cells
        detail = "a quote is opened and not closed; a row may go over 100 lines"
        return Bad(lines.number, Reason.BAD_VALUE, detail, line.rstrip("\r\n"))


def _header(lines: Sequence[str], text: str) -> int:
    """Return how many lines stand before the header."""
    for number, line in enumerate(lines):
        if line.startswith((text, f'"{text}')):
            return number
    raise BadFile(
        f"no line near its beginning begins with {text!r}", hint="--header says how the header begins."
    )


def _delimiter(lines: Sequence[str], columns: Sequence[str], otherwise: str) -> str:
    """Return what stands between the columns: what gives most rows as many as the header has."""
    best, best_fit = otherwise, (MOST, 1)
    for delimiter in DELIMITERS:
        widths = [_width(line, delimiter) for line in lines]
        width = len(columns) or (widths[0] if widths else 0)
        if width < 2:  # noqa: PLR2004 - one column has nothing between
            continue
        rows = widths if columns else widths[1:] or widths
        fit = (sum(each == width for each in rows) / max(len(rows), 1), width)
        if fit > best_fit:
            best, best_fit = delimiter, fit
    return best


def _width(line: str, delimiter: str) -> int:
    if len(delimiter) > 1 or '"' not in line:
        return line.count(delimiter) + 1
    return len(next(csv.reader([line], delimiter=delimiter), []))


def _is_quoted(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def _literal(line: str, delimiter: str) -> list[str]:
    cells = [cell.strip() for cell in line.rstrip("\r\n").split(delimiter)]
    return [
        cell[1:-1].replace('""', '"').replace('\\"', '"') if _is_quoted(cell) and _is_whole(cell) else cell
        for cell in cells
    ]


def _is_whole(cell: str) -> bool:
    """Say whether the quotes at both ends belong together: each one between them is doubled or escaped."""
    return '"' not in cell[1:-1].replace('""', "").replace('\\"', "")
