"""`refrain cohorts`, `cohort`, `user`: who is in which cohort, and what it is made of."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.terminal.json_output import print_json

__all__ = ["add"]

PANEL = "Look"

Top = Annotated[int, typer.Option("--top", min=1, help="How many artists.")]


def add(app: typer.Typer) -> None:
    """Register the commands."""

    @command(app, panel=PANEL, example="refrain cohorts")
    def cohorts(as_json: Json = False) -> None:
        """List the cohorts, the largest first, and how many listeners are in none."""
        from consumers.commands.session import ask
        from consumers.queries.cohorts import list_cohorts
        from consumers.terminal.cohort_tables import show_cohorts

        found = ask(list_cohorts)
        print_json(found) if as_json else show_cohorts(found)

    @command(app, panel=PANEL, example="refrain cohort c12")
    def cohort(
        cohort_id: Annotated[
            str, typer.Argument(metavar="COHORT", help="Its id, as `refrain cohorts` shows it.")
        ],
        top: Top = 10,
        as_json: Json = False,
    ) -> None:
        """Show one cohort: size, history, the artists that set it apart, what came of releases there."""
        from consumers.commands.session import ask
        from consumers.queries.cohort import read_cohort
        from consumers.terminal.cohort_tables import show_cohort

        found = ask(lambda redis, settings: read_cohort(redis, settings, cohort_id, top))
        print_json(found) if as_json else show_cohort(found)

    @command(app, panel=PANEL, example="refrain user u1")
    def user(
        user_id: Annotated[str, typer.Argument(metavar="USER", help="The listener's id.")],
        top: Top = 10,
        as_json: Json = False,
    ) -> None:
        """Show one listener: the cohort and why this one, the artists, the clicks."""
        from consumers.commands.session import ask
        from consumers.queries.listener import read_listener
        from consumers.terminal.listener_tables import show_listener

        found = ask(lambda redis, settings: read_listener(redis, settings, user_id, top, time.time()))
        print_json(found) if as_json else show_listener(found)
