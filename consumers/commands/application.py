"""Which commands there are, and what all of them are called by."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from consumers.commands import (
    alias,
    churn,
    doctor,
    evaluate,
    export,
    forget,
    history,
    lifecycle,
    look,
    merge,
    model,
    presets,
    recommend,
    redrive,
    release,
    replay,
    report,
    sample,
    segment,
    serve,
    start,
)
from consumers.commands.frame import WRONG_USE
from consumers.terminal.json_output import print_json
from stream.errors import WrongUse

__all__ = ["build"]

FAMILIES = (
    *(start, serve, sample, replay, history, presets, evaluate, churn, report),
    *(release, recommend, look, lifecycle, segment, doctor, redrive, merge, alias, forget, model, export),
)

EPILOG = "Settings are environment variables (REFRAIN_KAFKA, REFRAIN_REDIS, ...) or lines of refrain.toml."

WRONG_CALL: Any = typer.BadParameter.__base__  # what is wrong with an option, an argument or a command's name


class _Commands(TyperGroup):
    """All commands. How one was called wrongly is said in JSON too, where that was asked for."""

    def main(self, *given: Any, **options: Any) -> Any:
        arguments = given[0] if given else options.get("args")
        if "--json" not in (sys.argv if arguments is None else arguments):
            return super().main(*given, **options)
        options["standalone_mode"] = False
        try:
            sys.exit(super().main(*given, **options))
        except WRONG_CALL as error:
            print_json({"error": error.format_message(), "hint": "", "kind": WrongUse.__name__})
            sys.exit(WRONG_USE)


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"refrain {version('refrain-cohorts')}")
        raise typer.Exit


def refrain(
    _: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Who should hear of a new track: clicks in through Kafka, cohorts in Redis, audiences out."""


def build() -> typer.Typer:
    """Return the command line, with every command in it."""
    app = typer.Typer(
        name="refrain",
        cls=_Commands,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(epilog=EPILOG)(refrain)
    for family in FAMILIES:
        family.add(app)
    return app
