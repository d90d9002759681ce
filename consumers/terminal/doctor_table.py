"""What the doctor found, a line each."""

from __future__ import annotations

from collections.abc import Sequence

import typer
from rich.table import Table
from rich.text import Text

from consumers.doctor.check import Check, State
from consumers.doctor.waiting import WAITING
from consumers.terminal.console import Terminal, shown
from consumers.terminal.visible import visible

__all__ = ["show_checks", "show_checks_afterwards"]

SIGNS = {State.FINE: ("✓", "green"), State.WARNING: ("!", "yellow"), State.WRONG: ("✗", "bold red")}


def show_checks(checks: Sequence[Check]) -> None:
    """Print checks, and what to do about each that is not fine."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        found = shown(check.found, lines=True)
        if check.hint:
            found.append(visible(f"\n→ {check.hint}", lines=True), "bold")
        table.add_row(Text(*SIGNS[check.state]), check.name, found)
    Terminal().print(table)


def show_checks_afterwards(checks: Sequence[Check]) -> None:
    """Print in short what the doctor says once events were sent: what is fine in one line."""
    fine = [check for check in checks if check.state is State.FINE and check.name != WAITING]
    if fine:
        typer.echo(f"refrain doctor: {', '.join(check.name for check in fine)}: fine")
    if said := [check for check in checks if check not in fine]:
        show_checks(said)
