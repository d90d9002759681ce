"""What the doctor found, a line each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from consumers.doctor.check import Check, State

__all__ = ["show_checks"]

SIGNS = {State.FINE: ("✓", "green"), State.ODD: ("!", "yellow"), State.WRONG: ("✗", "bold red")}


def show_checks(checks: Sequence[Check]) -> None:
    """Print checks, and what to do about each that is not fine."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        found = Text(check.found)
        if check.hint:
            found.append(f"\n→ {check.hint}", "bold")
        table.add_row(Text(*SIGNS[check.state]), check.name, found)
    Console(highlight=False).print(table)
