"""A row of a file, a row that cannot be used, and what takes a column out of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple, Protocol, TypeAlias

from stream.wire.events import Reason

__all__ = ["Bad", "Column", "Row", "Rows"]

Column: TypeAlias = Callable[[Any], Any]
"""Takes a column's value out of a row's values; None where the row has none."""


class Row(NamedTuple):
    """A row that could be read. `values` is a list (CSV, TSV) or a dictionary (JSON, Parquet)."""

    line: int
    values: Any


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

    def rows(self, text: IO[str]) -> Iterator[Row | Bad]:
        """Go through the rows of the file, which is opened at its beginning."""
