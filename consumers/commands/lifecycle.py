"""`refrain lifecycle`: where listeners are in their life with the service, and what is expected of them."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from consumers.commands.frame import Html, Json, command
from consumers.terminal.json_output import print_json
from stream.errors import WrongUse

__all__ = ["add"]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(
        app, panel="Look", example="refrain lifecycle\nrefrain lifecycle --weeks 8 --html lifecycle.html"
    )
    def lifecycle(
        weeks: Annotated[
            int, typer.Option("--weeks", metavar="N", min=1, max=12, help="How many weeks to look ahead.")
        ] = 4,
        html: Html = None,
        as_json: Json = False,
    ) -> None:
        """Show stages of listeners, how they change, and who will leave: forecasts, retention, groups."""
        from consumers.commands.session import ask
        from consumers.html_page.lifecycle_page import write_lifecycle_page
        from consumers.html_page.page import can_write
        from consumers.queries.lifecycle import read_lifecycle
        from consumers.terminal.lifecycle_tables import show_lifecycle

        if html and as_json:
            raise WrongUse("--html and --json are 2 formats: say one of them")
        if html:
            can_write(html)
        found = ask(
            lambda redis, settings: read_lifecycle(redis, settings, weeks, time.time()),
            while_asking="looking at all listeners",
        )
        if as_json:
            print_json(found)
        elif html:
            write_lifecycle_page(found, html)
            typer.echo(f"the page is {html}")
        else:
            show_lifecycle(found)
