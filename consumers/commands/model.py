"""`refrain model list`, `show`, `use`: which snapshots there are, what is in them, which one serves."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from consumers.commands.frame import Json, command, print_json
from stream.errors import WrongUse

if TYPE_CHECKING:
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
        from consumers.terminal.model_tables import show_versions

        found = ask(_list)
        print_json(found) if as_json else show_versions(found)

    @command(model, panel=PANEL, example="refrain model show 12")
    def show(
        version: Annotated[
            int | None, typer.Argument(help="Its version; the one that serves by default.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Show what a snapshot holds, and check it."""
        from consumers.commands.session import ask
        from consumers.terminal.model_tables import show_model

        found = ask(lambda redis, settings: _show(redis, settings, version))
        print_json(found) if as_json else show_model(found)

    @command(model, panel=PANEL, example="refrain model use 12 --pin\nrefrain model use newest")
    def use(
        version: Annotated[str, typer.Argument(help="The version that is to serve, or newest.")],
        pin: Annotated[
            bool, typer.Option("--pin", help="Keep it though the trainer publishes newer ones.")
        ] = False,
        wait: Annotated[
            bool, typer.Option("--wait", help="Wait until every listener is taken over to it.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Let a snapshot serve, everywhere within a second, until the trainer publishes the next."""
        from consumers.commands.model_use import let_serve, wait_for_sweep
        from consumers.commands.session import ask

        if version != NEWEST and not version.isdecimal():
            raise WrongUse(f"{version!r} is no version: give a number of `refrain model list`, or {NEWEST}")
        number = None if version == NEWEST else int(version)
        found = ask(lambda redis, settings: let_serve(redis, settings, number, pin=pin))
        until = f"`refrain model use {NEWEST}`" if pin else "the trainer publishes the next; --pin keeps it"
        if not as_json:
            typer.echo(f"model {found['serves']} serves within a second, until {until}")
        if wait:
            found["sweep"] = wait_for_sweep(found["serves"])
        if as_json:
            print_json(found)
        elif wait:
            typer.echo(f"all {found['sweep']['listeners']:,} listeners are taken over to it")
        else:
            typer.echo("listeners follow in the background: `refrain model list` shows how far that is")


async def _list(redis: AnyRedis, settings: Settings) -> dict[str, Any]:
    from consumers.queries.no_model import no_model
    from stream.stores.snapshots import Snapshots
    from stream.stores.sweeps import Sweeps

    store = Snapshots(redis)
    versions, sizes = await store.versions(), await store.sizes()
    if not versions:
        raise await no_model(redis, settings)
    current, pinned, sweep = await store.current(), await store.pinned(), await Sweeps(redis).now()
    foresight = await store.foresight()
    return {
        "models": [
            {
                "version": version,
                "created_at": made,
                "bytes": sizes[version],
                "serves": version == current,
                "foresight": foresight.get(version, {}),
            }
            for version, made in versions
        ],
        "pinned": pinned,
        "sweep": asdict(sweep) if sweep else None,
    }


async def _show(redis: AnyRedis, settings: Settings, version: int | None) -> dict[str, Any]:
    from consumers.queries.no_model import no_model
    from stream.stores.snapshots import Snapshots

    store = Snapshots(redis)
    current = await store.current()
    wanted = current if version is None else version
    if wanted is None:
        raise await no_model(redis, settings)
    model = await store.load(wanted)
    return {
        "version": model.version,
        "serves": model.version == current,
        "created_at": model.created_at,
        "clicks": model.clicks,
        "listeners": model.listeners,
        "artists": len(model.artists),
        "dims": model.n_dims,
        "cohorts": [
            {"cohort_id": cohort, "label": label, "sample": int(size), "born": float(born)}
            for cohort, label, size, born in zip(
                model.cohort_ids, model.labels, model.sizes, model.born, strict=True
            )
        ],
        "settings": dict(model.settings),
        "foresight": dict(model.validation),
    }
