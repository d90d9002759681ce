"""CSV for spreadsheets and notebooks: what ``--csv`` prints."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields, is_dataclass
from typing import Any

__all__ = ["print_csv"]

SEPARATOR = "|"  # between the values of a list


def print_csv(rows: Sequence[object], kind: Any = None) -> None:
    """Print dataclasses of one kind on standard output, their fields as columns.

    Parameters
    ----------
    kind
        The dataclass, where the columns are to be named also of no rows; else nothing is printed of none.

    Examples
    --------
    >>> from consumers.terminal.tables import Column
    >>> print_csv([Column("size", right=True), Column("a, b")])
    name,right,wide
    size,True,False
    "a, b",False,False
    """
    lines = [asdict(row) for row in rows if is_dataclass(row) and not isinstance(row, type)]
    if not lines and kind is None:
        return
    names = [each.name for each in fields(kind)] if kind else list(lines[0])
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in line.items()} for line in lines)


def _cell(value: Any) -> Any:
    return SEPARATOR.join(value) if isinstance(value, tuple) else value
