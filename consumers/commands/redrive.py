"""`refrain redrive`: dead letters whose cause is gone are put back."""

from __future__ import annotations

import time
from datetime import UTC
from typing import Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.terminal.json_output import print_json
from consumers.terminal.visible import say
from stream.errors import WrongUse

__all__ = ["add"]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel="Keep", example="refrain redrive --dry-run\nrefrain redrive --reason unknown-song")
    def redrive(
        reason: Annotated[
            str | None, typer.Option("--reason", metavar="REASON", help="Only dead letters with this reason.")
        ] = None,
        since: Annotated[
            str,
            typer.Option("--since", metavar="TIME", help="Only those since a time, or so long ago, as 2h."),
        ] = "",
        until: Annotated[
            str, typer.Option("--until", metavar="TIME", help="Only those before a time, or so long ago.")
        ] = "",
        older: Annotated[
            bool,
            typer.Option(
                "--older", help="Also those that are older than the database, whose events it has read again."
            ),
        ] = False,
        dry_run: Annotated[
            bool, typer.Option("--dry-run", help="Put nothing back; say what would be.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Put dead letters back that can be used by now: their song has come, or this version accepts them.

        Each counts once, however often this runs.
        """
        from consumers.commands.session import ask
        from consumers.redrive.redrive import Redrive
        from consumers.terminal.redrive_lines import RedriveBar, summary_lines
        from stream.files.times import seconds_of
        from stream.wire.dead_letter import Reason

        if reason is not None and reason not in {known.value for known in Reason}:
            raise WrongUse(f"there is no reason {reason!r}: it is one of {', '.join(Reason)}")
        start, end = (seconds_of(each, time.time(), UTC) if each else None for each in (since, until))
        with RedriveBar(shown=not as_json) as bar:
            summary = ask(
                lambda redis, settings: Redrive(
                    settings, redis, reason, start, end, older, dry_run, bar.show
                ).run(),
                kafka=True,
                while_asking="",
            )
        if as_json:
            print_json({**vars(summary), "dry_run": dry_run})
            return
        for line in summary_lines(summary, dry_run=dry_run):
            say(line)
