"""`refrain cohorts`, `cohort`, `users`, `user`, `opt-outs`: who is where, and why."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.commands.options import MOST, UserId
from consumers.terminal.json_output import print_json, to_json
from stream.errors import WrongUse
from stream.wire.composed import nfc

__all__ = ["add"]

PANEL = "Look"

Top = Annotated[int, typer.Option("--top", metavar="N", min=1, max=MOST, help="How many artists.")]


def add(app: typer.Typer) -> None:
    """Register the commands."""

    @command(app, panel=PANEL, example="refrain cohorts\nrefrain cohorts --top 50")
    def cohorts(
        top: Annotated[
            int | None,
            typer.Option(
                "--top",
                metavar="N",
                min=1,
                help="How many; if not said, as many as the terminal shows, or all.",
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """List the cohorts, the largest first, and how many listeners are in none."""
        from consumers.commands.session import ask
        from consumers.queries.cohorts import list_cohorts
        from consumers.terminal.cohort_tables import AROUND, show_cohorts
        from consumers.terminal.tables import rows_that_fit

        if top is None and not as_json:
            top = rows_that_fit(AROUND)
        found = ask(lambda redis, settings: list_cohorts(redis, settings, top))
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

    @command(app, panel=PANEL, example="refrain users --cohort c12\nrefrain users --after u77")
    def users(
        cohort_id: Annotated[
            str | None,
            typer.Option(
                "--cohort", metavar="COHORT", help="Only of this cohort; none: only who is in no cohort."
            ),
        ] = None,
        limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=MOST, help="How many.")] = 20,
        after: Annotated[
            str,
            typer.Option(
                "--after", metavar="USER", help="Only those whose ids come after this one.", parser=nfc
            ),
        ] = "",
        as_json: Json = False,
    ) -> None:
        """List listeners in the order of their ids, a page at a time."""
        from consumers.commands.session import ask
        from consumers.queries.listeners import list_listeners
        from consumers.terminal.listener_tables import show_listeners

        found = ask(lambda redis, settings: list_listeners(redis, settings, cohort_id, limit, after))
        print_json(found) if as_json else show_listeners(found, cohort_id)

    @command(
        app, panel=PANEL, example="refrain opt-outs\nrefrain opt-outs --csv > opt-outs.csv", name="opt-outs"
    )
    def opt_outs(
        as_csv: Annotated[
            bool, typer.Option("--csv", help="Print all as CSV, which `refrain replay feedback` reads.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """List who wants to hear of no release, or of none of an artist."""
        from consumers.commands.session import ask
        from consumers.queries.opt_outs import OptOutRow, list_opt_outs, rows_to_replay
        from consumers.terminal.csv_output import print_csv
        from consumers.terminal.listener_tables import show_opt_outs

        if as_csv and as_json:
            raise WrongUse("--csv and --json are two formats: say one of them")
        found = ask(list_opt_outs)
        if as_json:
            print_json([to_json(each) for each in found])
        elif as_csv:
            print_csv(list(rows_to_replay(found)), OptOutRow)
        else:
            show_opt_outs(found)

    @command(app, panel=PANEL, example="refrain user u1")
    def user(
        user_id: UserId,
        top: Top = 10,
        as_json: Json = False,
    ) -> None:
        """Show one listener: the cohort and why this one, the artists, the clicks."""
        from consumers.commands.session import ask
        from consumers.queries.listener import read_listener
        from consumers.terminal.listener_tables import show_listener

        found = ask(lambda redis, settings: read_listener(redis, settings, user_id, top, time.time()))
        print_json(found) if as_json else show_listener(found)
