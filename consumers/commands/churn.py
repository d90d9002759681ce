"""`refrain churn evaluate`: how well churn is predicted, on history in files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from consumers.churn.options import ChurnOptions
from consumers.commands.frame import Json, command
from consumers.commands.options import Files, given, options_from_dataclasses
from consumers.commands.presets import settled
from consumers.terminal.json_output import print_json
from stream.errors import WrongUse
from stream.files.options import FileOptions
from stream.files.sources import readable

__all__ = ["add"]

PANEL = "Feed and ask"
EXAMPLE = """\
refrain churn evaluate plays.csv --map user_id=user,song_id=song,ts=time --html churn.html
refrain churn evaluate log.jsonl.gz --where page=NextSong --map user_id=userId --days 5 --history-days 10
refrain churn evaluate features.csv --features --label Churn --drop uid"""

OF_TABLES = frozenset(
    {
        *("--format", "--delimiter", "--columns", "--skip", "--header", "--comment", "--records", "--member"),
        *("--encoding", "--mend-text", "--where", "--limit"),
    }
)

Html = Annotated[
    Path | None,
    typer.Option(
        "--html",
        help="Write a page with plots, one file that needs no network.",
        metavar="FILE",
        dir_okay=False,
        rich_help_panel="The measure",
    ),
]


def add(app: typer.Typer) -> None:
    """Register the command."""
    churn = typer.Typer(
        no_args_is_help=True, help="Measure on files how well churn is predicted: who will not come back."
    )
    app.add_typer(
        churn,
        name="churn",
        rich_help_panel=PANEL,
        epilog=f"Example:\n\n[bold]{EXAMPLE.splitlines()[0]}[/bold]",
    )

    @command(churn, panel=PANEL, example=EXAMPLE)
    @options_from_dataclasses
    def evaluate(
        files: Files, asked: ChurnOptions, options: FileOptions, html: Html = None, as_json: Json = False
    ) -> None:
        """Measure on clicks in files how well churn is predicted.

        A listener has churned who does nothing in the days that follow. Learns
        from earlier days and predicts on later ones. Refrain's model, which
        sees each example once, is compared with logistic regression, random
        forest, gradient boosting and LightGBM. With --features the file has a
        row for each listener instead, and is split by cross-validation. Needs
        no Kafka and no Redis.
        """
        from consumers.churn.page import write_page
        from consumers.churn.run import evaluate_churn
        from consumers.html_page.page import can_write
        from consumers.terminal.churn_tables import show_churn
        from consumers.terminal.evaluation_bar import EvaluationBar
        from models.traits.churn_span import Span
        from stream.settings import load_settings

        settings = load_settings()
        span = Span(asked.history_days or settings.churn_history_days, asked.days or settings.churn_days)
        if html:
            can_write(html)
        with readable(files) as paths, EvaluationBar(shown=not as_json) as bar:
            known = _of_a_table(options) if asked.features else _of_clicks(paths, options)
            result = evaluate_churn(paths, known, asked, span, bar.show)
        if html:
            write_page(result, html)
        if as_json:
            print_json(result.to_json())
        else:
            show_churn(result)
            if html:
                typer.echo(f"the page is {html}")


def _of_a_table(options: FileOptions) -> FileOptions:
    if wrong := [name for name in given(options) if name not in OF_TABLES]:
        raise WrongUse(f"--features does not go with {', '.join(wrong)}: it reads columns as they are")
    return options


def _of_clicks(files: Sequence[Path], options: FileOptions) -> FileOptions:
    """Let clicks do without a song where the files name none: what counts is that they were there."""
    from stream.files.tables import Table

    options = settled("clicks", options, files)
    if "song_id" in {
        *options.mapping,
        *options.constants,
        *Table.all_of(files[0], options.layout)[0].columns,
    }:
        return options
    return replace(options, constants={**options.constants, "song_id": "-"})
