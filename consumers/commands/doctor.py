"""`refrain doctor`: what is fine, what is not, what to do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from consumers.commands.frame import FAILED, Json, command
from consumers.local.servers import connected_settings
from consumers.terminal.json_output import print_json
from stream.errors import WrongUse

if TYPE_CHECKING:
    from consumers.actions.repair_sets import Repairs

__all__ = ["add"]

REPAIRS = {
    "missing": "listeners who were not in the set of their cohort",
    "strays": "members of a cohort that is not theirs, or who are no listeners any more",
    "sizes": "cohorts with a wrong size",
    "stages": "listeners who were not in the set of their stage alone",
    "waiting_clicks": "clicks that wait for a song, and were not known by it",
    "opted_out": "listeners who opted out of an artist, and were not known by it",
}


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(
        app, panel="Keep", example="refrain doctor\nrefrain doctor --only ingest\nrefrain doctor --repair"
    )
    def doctor(
        only: Annotated[
            Literal["ingest", "train", "work", "traits", "deliver", "serve"] | None,
            typer.Option(
                "--only", help="Only check that such a process is at work on this machine: for health checks."
            ),
        ] = None,
        quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only what is not fine.")] = False,
        repair: Annotated[
            bool,
            typer.Option(
                "--repair",
                help="Mend sets, sizes and indexes that are not as listeners' own records say.",
            ),
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Check Kafka, Redis and Refrain, and say what to do about what is not fine.

        The exit code is 1 if something is wrong (✗), else 0, also with warnings (!).
        """
        from consumers.commands.session import working
        from consumers.doctor import State, examine, examine_here
        from consumers.terminal.doctor_table import show_checks

        if repair:
            if only or quiet:
                raise WrongUse("--repair goes with neither --only nor --quiet")
            _repair(as_json=as_json)
            return
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


def _repair(*, as_json: bool) -> None:
    from consumers.actions.repair_sets import repair_sets
    from consumers.commands.session import ask

    mended = ask(repair_sets, while_asking="looking at every listener")
    left = ask(repair_sets, while_asking="looking once more") if mended.found else mended
    if as_json:
        print_json({"repaired": vars(mended), "left": vars(left)})
    else:
        _show_repairs(mended, left)
    if left.found:
        raise typer.Exit(FAILED)


def _show_repairs(mended: Repairs, left: Repairs) -> None:
    typer.echo(f"listeners looked at: {mended.listeners:,}")
    _show_found("mended", mended)
    if not mended.found:
        typer.echo("all sets, sizes and indexes are as their records say")
    elif not left.found:
        typer.echo("looked once more: all is as their records say")
    _show_found("found when looking once more, and mended", left)


def _show_found(heading: str, repairs: Repairs) -> None:
    if repairs.found:
        typer.echo(f"{heading}:")
    for kind, number in repairs.found.items():
        typer.echo(f"  {REPAIRS[kind]}: {number:,}")
