"""A row of a file, many of them as columns, one that cannot be used, and what takes a column out of a row."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias

from stream.files.lines import Lines, Readable
from stream.wire.dead_letter import Reason

__all__ = ["Bad", "Block", "Column", "Row", "Rows", "in_blocks"]

Column: TypeAlias = Callable[[Any], Any]
"""Takes a column's value out of a row's values; None where the row has none."""


class Row(NamedTuple):
    """A row that could be read. `values` is a list (CSV, TSV, Parquet) or a dictionary (JSON)."""

    line: int
    values: Any


class Block(NamedTuple):
    """Rows that follow each other, a line each, by their columns.

    Attributes
    ----------
    line
        That of the first.
    columns
        The values of each.
    objects
        The same rows as they stand in JSON; empty where they are lists of cells.
    """

    line: int
    columns: Sequence[Sequence[Any]]
    objects: Sequence[dict[str, Any]] = ()

    def __len__(self) -> int:
        return len(self.objects or self.columns[0])

    def rows(self) -> Iterator[Row]:
        """Go through the rows."""
        values = self.objects or map(list, zip(*self.columns, strict=True))
        return itertools.starmap(Row, enumerate(values, self.line))

    def row(self, at: int) -> Row:
        """Return the row that comes after so many others."""
        values = self.objects[at] if self.objects else [column[at] for column in self.columns]
        return Row(self.line + at, values)


class Bad(NamedTuple):
    """A row that cannot be used, and why."""

    line: int
    reason: Reason
    detail: str
    row: Any


class Rows(Protocol):
    """How the rows of one format are read.

    Attributes
    ----------
    columns
        Their names; empty where each row names its own, as in JSON.
    """

    columns: tuple[str, ...]

    def column(self, name: str) -> Column | None:
        """Return what takes a column out of a row; None where the file has no such column."""

    def place(self, name: str) -> int | None:
        """Return where a column stands in blocks; None where it does not, or there are none."""

    def rows(self, text: Readable) -> Iterator[Row | Bad | Block]:
        """Go through the rows of the file, which is opened at its beginning."""


def in_blocks(
    lines: Lines, block: Callable[[int, str], Block | None], row: Callable[[str, Lines], Row | Bad | None]
) -> Iterator[Row | Bad | Block]:
    """Go through the rows of lines, many at once where that can be.

    Parameters
    ----------
    block
        Returns the rows of some lines, by the number of the first and their text; None where one of them
        has to be looked at: then each is.
    row
        Returns the row of the line that was taken last; None where it has none.
    """
    one_by_one = 0  # up to which line they are taken so
    while True:
        if lines.number >= one_by_one:
            if made := block(lines.number + 1, lines.several()):
                lines.drop(len(made))
                yield made
                continue
            one_by_one = lines.number + lines.count()
        if not (line := lines.take()):
            return
        if found := row(line, lines):
            yield found
