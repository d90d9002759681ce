"""`refrain report targets` and `report ctr`: releases of the past, out of files, and the cohorts of today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.commands.options import Files, options_from_dataclasses
from consumers.commands.presets import settled
from consumers.report.options import Comparison, ReleaseFile
from consumers.terminal.json_output import print_json
from consumers.terminal.visible import say
from stream.files.options import RowOptions
from stream.files.sources import readable

if TYPE_CHECKING:
    from consumers.report.rows import Rows

__all__ = ["add"]

PANEL = "Feed and ask"
TARGETS = "refrain report targets notifications.csv --columns release_id,artist_ids"
CTR = """\
refrain report ctr clicks.csv --columns release_id,user_id,date --releases notifications.csv \
--releases-columns release_id,artist_ids
refrain report ctr clicks.csv --releases notifications.csv --by release --csv"""

Csv = Annotated[bool, typer.Option("--csv", help="Print the rows as CSV.")]


def add(app: typer.Typer) -> None:
    """Register the commands."""
    report = typer.Typer(
        no_args_is_help=True, help="Where releases of the past should have gone, and who clicked there."
    )
    app.add_typer(report, name="report", rich_help_panel=PANEL, epilog=f"Example:\n\n[bold]{TARGETS}[/bold]")

    @command(report, panel=PANEL, example=TARGETS)
    @options_from_dataclasses
    def targets(files: Files, options: RowOptions, csv: Csv = False, as_json: Json = False) -> None:
        """Show for each release in a file the cohort that it should go to.

        It is the cohort with the highest predicted play rate. Publishes nothing,
        tells nobody. A release may have several rows, with an artist each.
        """
        from consumers.commands.session import ask
        from consumers.report.rows import Rows, releases_in
        from consumers.report.targets import find_targets
        from consumers.terminal.csv_output import print_csv
        from consumers.terminal.report_tables import show_targets

        with readable(files) as paths:
            rows = Rows("releases", paths, settled("releases", options, paths))
            found = ask(lambda redis, settings: find_targets(redis, settings, releases_in(rows)))
        if as_json:
            print_json(found)
        elif csv:
            print_csv(found.releases)
        else:
            show_targets(found)
        _say_unusable(rows)

    @command(report, panel=PANEL, example=CTR)
    @options_from_dataclasses
    def ctr(
        files: Files,
        options: RowOptions,
        releases: ReleaseFile,
        comparison: Comparison,
        csv: Csv = False,
        as_json: Json = False,
    ) -> None:
        """Show how often cohorts clicked on the releases that should go to them.

        The files say which listener clicked on which release. CTR is clicked /
        members of the cohort, best first, beside random clusters of the same size.
        """
        from consumers.commands.session import ask
        from consumers.report.ctr import measure_ctr
        from consumers.report.rows import Rows, click_rows, clicks_in, releases_in
        from consumers.terminal.csv_output import print_csv
        from consumers.terminal.report_tables import show_ctr

        file, how = releases.rows(options)
        with readable([str(file), *files]) as (first, *paths):
            own = settled("feedback", options, paths)
            published, clicks = Rows("releases", [first], how), click_rows(paths, own)
            found = ask(
                lambda redis, settings: measure_ctr(
                    redis, settings, releases_in(published), clicks_in(clicks), comparison
                )
            )
        if as_json:
            print_json(found)
        elif csv:
            print_csv(found.rows)
        else:
            show_ctr(found)
        _say_unusable(published)
        _say_unusable(clicks)


def _say_unusable(rows: Rows) -> None:
    if bad := rows.tally.bad:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in bad.most_common())
        names = ", ".join(str(file) for file in rows.files)
        say(f"{bad.total():,} of {rows.tally.rows:,} rows of {names} cannot be used ({reasons})", err=True)
