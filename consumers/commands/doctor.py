"""`refrain doctor`: what is fine, what is not, what to do."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import typer

from consumers.commands.frame import FAILED, Json, command
from consumers.local.servers import connected_settings
from consumers.terminal.json_output import print_json

__all__ = ["add"]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel="Keep", example="refrain doctor\nrefrain doctor --only ingest")
    def doctor(
        only: Annotated[
            Literal["ingest", "train", "work", "traits", "deliver", "serve"] | None,
            typer.Option(
                "--only", help="Only check that such a process runs on this machine: for health checks."
            ),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only what is not fine.")] = False,
        as_json: Json = False,
    ) -> None:
        """Check Kafka, Redis and Refrain, and say what to do about what is not fine.

        The exit code is 1 if something is wrong (✗), else 0, also if something is odd (!).
        """
        from consumers.commands.session import working
        from consumers.doctor import State, examine, examine_here
        from consumers.terminal.doctor_table import show_checks

        settings = connected_settings(kafka=not only)
        with working("looking at Kafka, Redis and Refrain"):
            checks = asyncio.run(examine_here(settings, only) if only else examine(settings))
        told = [check for check in checks if not quiet or check.state is not State.FINE]
        wrong = any(check.state is State.WRONG for check in checks)
        if as_json:
            print_json({"fine": not wrong, "checks": [vars(check) for check in told]})
        else:
            show_checks(told)
        if wrong:
            raise typer.Exit(FAILED)
