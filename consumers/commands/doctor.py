"""`refrain doctor`: what is fine, what is not, what to do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from consumers.commands.frame import FAILED, Json, command, print_json
from consumers.local.servers import connected_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from consumers.doctor import Check

__all__ = ["add"]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel="Keep", example="refrain doctor\nrefrain doctor --only ingest")
    def doctor(
        only: Annotated[
            Literal["ingest", "train", "work"] | None,
            typer.Option(
                "--only", help="Only whether such a process lives on this machine: for health checks."
            ),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what is not fine.")] = False,
        as_json: Json = False,
    ) -> None:
        """Look at Kafka, Redis and Refrain, and say what is fine and what to do.

        The exit code is 1 where something is wrong, 0 where something is merely odd.
        """
        from consumers.commands.session import working
        from consumers.doctor import State, examine, examine_here

        settings = connected_settings(kafka=not only)
        with working("looking at Kafka, Redis and Refrain"):
            checks = asyncio.run(examine_here(settings, only) if only else examine(settings))
        told = [check for check in checks if not quiet or check.state is not State.FINE]
        wrong = any(check.state is State.WRONG for check in checks)
        if as_json:
            print_json({"fine": not wrong, "checks": [vars(check) for check in told]})
        else:
            _show(told)
        if wrong:
            raise typer.Exit(FAILED)


def _show(checks: Sequence[Check]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    signs = {"fine": Text("✓", "green"), "odd": Text("!", "yellow"), "wrong": Text("✗", "bold red")}
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in checks:
        said = Text(check.said)
        if check.mend:
            said.append(f"\n→ {check.mend}", "bold")
        table.add_row(signs[check.state.value], check.name, said)
    Console(highlight=False).print(table)
