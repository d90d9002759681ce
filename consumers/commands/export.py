"""`refrain export`: tables for a warehouse."""

from __future__ import annotations

from typing import Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.terminal.format import counted
from consumers.terminal.json_output import print_json

__all__ = ["add"]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel="Look", example="refrain export warehouse\nrefrain export s3://bucket/refrain")
    def export(
        folder: Annotated[
            str, typer.Argument(metavar="FOLDER", help="A folder, or s3://bucket/folder, gs:// or az://.")
        ],
        delta: Annotated[
            bool,
            typer.Option("--delta", help="Let the tables be Delta tables, too; later runs keep them so."),
        ] = False,
        compact: Annotated[
            bool, typer.Option("--compact", help="Join small files then, in which runs have left few rows.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Write listeners, cohorts, releases, feedback, traits and stages as Parquet, for a warehouse.

        Each run adds the rows that have changed since the last one, each version once, and takes out whom
        `refrain forget` has erased. docs/sql/ has views.
        """
        from importlib.util import find_spec

        from stream.errors import WrongUse

        if find_spec("pyarrow") is None:
            raise WrongUse(
                "an export needs pyarrow, which is not installed",
                hint="pip install 'refrain-cohorts[parquet]'",
            )
        from consumers.commands.session import ask
        from consumers.export.run import export

        done = ask(
            lambda redis, settings: export(redis, settings, folder, delta=delta, compact=compact),
            kafka=True,
            while_asking="exporting",
        )
        if as_json:
            print_json(done)
            return
        new = ", ".join(counted(number, name) for name, number in done.rows.items() if number)
        typer.echo(f"run {done.run}: new versions of {new or 'nothing'}, in {done.seconds:.1f} s")
        if done.erased:
            typer.echo(f"taken out, as their listeners were erased: {counted(done.erased, 'row')}")
        if done.joined:
            typer.echo(f"joined to larger ones: {counted(done.joined, 'small file')}")
        if done.lost:
            typer.echo(
                f"{counted(done.lost, 'change')} of cohort were deleted by Kafka before they were exported: "
                "export more often than REFRAIN_RETENTION_DAYS"
            )
