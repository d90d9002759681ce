"""The two shapes that all tables have: facts, a line each; and columns under a header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from consumers.terminal.console import Terminal, shown

__all__ = ["Column", "facts", "listing", "rows_that_fit"]


@dataclass(frozen=True)
class Column:
    """A column of a listing.

    Attributes
    ----------
    right
        Whether it is aligned at the right, as numbers are.
    wide
        Whether it takes the width that the others leave; too long a text is cut.
    """

    name: str
    right: bool = False
    wide: bool = False


class Listing(Table):
    """Columns under a header; a row is one line, whatever is in its texts."""

    def add_row(self, *renderables: Any, **options: Any) -> None:
        """Add a row."""
        super().add_row(
            *(shown(each) if isinstance(each, str | Text) else each for each in renderables), **options
        )


def facts(pairs: Mapping[str, str]) -> Table:
    """Return a table of facts, a line each; those that are empty are left out."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        if value:
            table.add_row(name, shown(value, lines=True))
    return table


def listing(*columns: Column) -> Listing:
    """Return an empty table with these columns; it is as wide as the terminal where one of them is wide."""
    wide = any(column.wide for column in columns)
    table = Listing(box=None, header_style="dim", pad_edge=False, expand=wide)
    for column in columns:
        table.add_column(
            column.name,
            justify="right" if column.right else "left",
            ratio=1 if column.wide else None,
            overflow="ellipsis",
            no_wrap=True,
        )
    return table


def rows_that_fit(others: int) -> int | None:
    """Return how many rows a terminal shows without scrolling; None where there is no terminal.

    Parameters
    ----------
    others
        Lines that are shown beside the rows; the prompt's is one of its own.
    """
    console = Terminal()
    return max(console.height - others - 1, 3) if console.is_terminal else None
