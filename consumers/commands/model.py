"""`refrain model list`, `show`, `use`, `clicks`, `churn`: snapshots, what is in them, which one serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.terminal.json_output import print_json, to_json
from stream.errors import WrongUse

if TYPE_CHECKING:
    from consumers.queries.models import Sweep
    from stream.connect import AnyRedis
    from stream.settings import Settings

__all__ = ["add"]

PANEL = "Keep"
NEWEST = "newest"


def add(app: typer.Typer) -> None:
    """Register the commands."""
    model = typer.Typer(
        no_args_is_help=True, help="Look at snapshots of the model, and go back to an earlier one."
    )
    app.add_typer(
        model, name="model", rich_help_panel=PANEL, epilog="Example:\n\n[bold]refrain model list[/bold]"
    )

    @command(model, panel=PANEL, example="refrain model list", name="list")
    def list_models(as_json: Json = False) -> None:
        """List the snapshots that are kept, the newest first."""
        from consumers.commands.session import ask
        from consumers.queries.models import list_models
        from consumers.terminal.model_tables import show_models

        found = ask(list_models)
        print_json(found) if as_json else show_models(found)

    @command(model, panel=PANEL, example="refrain model show 12")
    def show(
        version: Annotated[
            int | None, typer.Argument(help="Version of the snapshot; the one that serves if not said.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Show what a snapshot holds, and check it."""
        from consumers.commands.session import ask
        from consumers.queries.models import read_model
        from consumers.terminal.model_tables import show_model

        found = ask(lambda redis, settings: read_model(redis, settings, version))
        print_json(found) if as_json else show_model(found)

    @command(model, panel=PANEL, example="refrain model use 12 --pin\nrefrain model use newest")
    def use(
        version: Annotated[str, typer.Argument(help="Version to use, or newest.")],
        pin: Annotated[
            bool, typer.Option("--pin", help="Keep it when the trainer publishes newer ones.")
        ] = False,
        wait: Annotated[
            bool, typer.Option("--wait", help="Wait until every listener is migrated to it.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Use a snapshot, in every process within a second, until the trainer publishes the next."""
        from consumers.actions.use_model import SweptServing, use_model
        from consumers.commands.session import ask

        number = _number(version)
        found = ask(lambda redis, settings: use_model(redis, settings, number, pin=pin))
        until = f"`refrain model use {NEWEST}`" if pin else "the trainer publishes the next; --pin keeps it"
        if not as_json:
            typer.echo(f"model {found.serves} serves within a second, until {until}")
        if wait:
            found = SweptServing(**vars(found), sweep=_wait_for_sweep(found.serves))
        if as_json:
            print_json(found)
        elif isinstance(found, SweptServing):
            typer.echo(f"all {found.sweep.listeners:,} listeners are migrated to it")
        else:
            typer.echo("listeners follow in the background: `refrain model list` shows how far that is")

    _add_foresight(model)


def _add_foresight(model: typer.Typer) -> None:
    """Register what shows how well listeners are predicted."""

    @command(model, panel=PANEL, example="refrain model clicks\nrefrain model clicks --use 12")
    def clicks(
        use: Annotated[
            int | None,
            typer.Option(
                "--use",
                metavar="VERSION",
                min=0,
                help="Let an earlier one serve until the trainer publishes the next; 0: taste alone.",
            ),
        ] = None,
        as_json: Json = False,
    ) -> None:
        """List the CTR models, and how well they predict clicks on notifications."""
        from consumers.actions.use_ctr_model import use_ctr_model
        from consumers.commands.session import ask
        from consumers.queries.ctr_models import list_ctr_models
        from consumers.terminal.ctr_model_tables import show_ctr_models

        if use is not None:
            ask(lambda redis, _: use_ctr_model(redis, use))
        found = ask(list_ctr_models)
        print_json([to_json(each) for each in found]) if as_json else show_ctr_models(found)

    @command(model, panel=PANEL, example="refrain model churn", name="churn")
    def show_churn(as_json: Json = False) -> None:
        """Show the model of churn (who will not come back), and how well it has predicted so far."""
        from consumers.commands.session import ask
        from consumers.queries.churn import read_churn
        from consumers.terminal.churn_model_tables import show_churn_model

        found = ask(read_churn)
        print_json(found) if as_json else show_churn_model(found)


def _number(version: str) -> int | None:
    """Return the number of a version; None for the newest."""
    if version == NEWEST:
        return None
    if not version.isdecimal():
        raise WrongUse(f"{version!r} is not a version: give a number from `refrain model list`, or {NEWEST}")
    return int(version)


def _wait_for_sweep(version: int) -> Sweep:
    from consumers.actions.use_model import follow_sweep
    from consumers.commands.session import ask
    from consumers.terminal.sweep_bar import SweepBar

    async def follow(redis: AnyRedis, _: Settings) -> Sweep:
        with SweepBar(version) as bar:
            async for sweep in follow_sweep(redis, version):
                bar.show(sweep)
        return sweep

    return ask(follow, while_asking="")
