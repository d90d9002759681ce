"""`refrain history`: history in files into Redis, by Spark."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from consumers.commands.evaluate import Html, called_by, without_songs
from consumers.commands.frame import FAILED, Json, command
from consumers.commands.options import Files, options_from_dataclasses
from consumers.evaluate.options import Measure, Names
from consumers.history.options import Loading
from consumers.local.servers import connected_settings
from consumers.terminal.json_output import print_json
from consumers.terminal.visible import say
from stream.errors import WrongUse
from stream.files.options import FileOptions
from stream.files.sources import readable

if TYPE_CHECKING:
    from consumers.history.plan import HistoryFile

__all__ = ["add"]

PANEL = "Feed and ask"
MANY = 16  # files
EXAMPLE = """\
refrain history load plays/ --map user_id=uid,song_id=song,artist_ids=singer,ts=time --master 'local[2]'
refrain history load '2017*_play.log.tar.gz' '2017*_down.log.tar.gz' --preset musicbox --sample-users 0.1
refrain history load s3://bucket/clicks/ --drop-zero-plays"""
EVALUATE = """\
refrain history evaluate plays/ --map user_id=uid,artist_ids=singer,ts=time --html report.html
refrain history evaluate s3://bucket/clicks/ --listeners 20000 --sample-users 0.1 --json"""


def add(app: typer.Typer) -> None:
    """Register the command."""
    history = typer.Typer(no_args_is_help=True, help="Load years of listening from files, by Spark.")
    app.add_typer(
        history,
        name="history",
        rich_help_panel=PANEL,
        epilog=f"Example:\n\n[bold]{EXAMPLE.splitlines()[0]}[/bold]",
    )

    @command(history, panel=PANEL, example=EXAMPLE)
    @options_from_dataclasses
    def load(files: Files, options: FileOptions, loading: Loading, as_json: Json = False) -> None:
        """Load clicks from files into Redis, as if they had been replayed, and much faster.

        Only listeners who are not there yet, and while neither `refrain ingest` nor `refrain train` runs,
        which wait until it is done. To be repeated after a failure: who was loaded is not loaded twice.
        """
        from consumers.history.plan import history_files
        from consumers.history.session import check_installed

        check_installed()
        from consumers.history.load import load as load_files
        from consumers.history.packets import FOLDER
        from consumers.terminal.history_summary import show_load
        from stream.settings import load_settings

        with readable(files, load_settings().data / FOLDER) as paths:
            _announce(paths)
            read = history_files(paths, options, _settled_each())
            _check_times(read, loading, as_json=as_json)
            summary = load_files(read, connected_settings(), loading)
        print_json(summary.to_json()) if as_json else show_load(summary)
        if summary.failed:
            raise typer.Exit(FAILED)

    _add_abandon(history)

    @command(history, panel=PANEL, example=EVALUATE)
    @options_from_dataclasses
    def evaluate(
        files: Files,
        measure: Measure,
        options: FileOptions,
        loading: Loading,
        names: Names,
        html: Html = None,
        as_json: Json = False,
    ) -> None:
        """Measure as `refrain evaluate` does, on files larger than memory, by Spark.

        Spark reads the files as `history load` does and draws the listeners to look at (--listeners): their
        clicks come here, and are measured by the same code. ALS of Spark's MLlib learns from all listeners,
        and is one more line of the report. Needs no Kafka and no Redis.
        """
        from consumers.evaluate.page import can_draw, write_page
        from consumers.history.plan import history_files
        from consumers.history.session import check_installed
        from consumers.terminal.evaluation_bar import EvaluationBar
        from consumers.terminal.evaluation_tables import show
        from stream.settings import load_settings

        check_installed()
        from consumers.history.evaluate import evaluate_history
        from consumers.history.packets import FOLDER

        settings = load_settings()
        called = called_by(names, options)
        if html:
            can_draw(html)
        with readable(files, settings.data / FOLDER) as paths, EvaluationBar(shown=not as_json) as bar:
            _announce(paths)
            settled = _settled_each()
            read = history_files(paths, options, lambda given, path: without_songs(settled(given, path)))
            _check_times(read, loading, as_json=as_json)
            result = evaluate_history(
                read, measure, settings, loading, lambda artist: called.get(artist, artist), bar.show
            )
        if html:
            write_page(result, html)
        print_json(result.to_json()) if as_json else show(result)
        if html and not as_json:
            typer.echo(f"the page is {html}")


def _add_abandon(history: typer.Typer) -> None:
    @command(history, panel=PANEL, example="refrain history abandon")
    def abandon(as_json: Json = False) -> None:
        """Give up a load that failed: ingesters and trainers, which wait until it is repeated, begin.

        Listeners whom the load did not come to are new ones when they click, and are not loaded any more.
        """
        from consumers.commands.session import ask
        from consumers.history.guard import abandon as give_up

        found = ask(lambda redis, _: give_up(redis))
        if as_json:
            print_json({"abandoned": found})
        else:
            say("given up: ingesters and trainers wait no more" if found else "no load waits to be repeated")


def _announce(files: Sequence[Path]) -> None:
    """Say what is done first, where it may take a while."""
    if len(files) > MANY:
        typer.echo(f"looking at {len(files):,} files, before Spark starts", err=True)


def _settled_each() -> Callable[[FileOptions, Path], FileOptions]:
    """Return what finds the options by which each file is read; says once what they are."""
    from stream.files.recognise import settle

    said = set[str]()

    def settled(options: FileOptions, path: Path) -> FileOptions:
        found = settle("clicks", options, [path], without_times=False)
        if found.note and found.note not in said:
            typer.echo(found.note, err=True)
            said.add(found.note)
        return found.options

    return settled


def _check_times(files: Sequence[HistoryFile], loading: Loading, *, as_json: bool) -> None:
    """Ask whether times that can hardly be right are to be loaded; refuse them where nobody can be asked."""
    from consumers.history.plan import glimpses
    from consumers.replay.times import doubtful_times

    if loading.yes:
        return
    # Of archives the beginning: they are unpacked on the executors, several at a time.
    doubts = (doubtful_times(plan, first=True) for plan in glimpses(files))
    if not (doubt := next(filter(None, doubts), "")):
        return
    if as_json or not sys.stdin.isatty():
        raise WrongUse(
            doubt,
            hint="--time-format says how times are written, `refrain replay --dry-run` shows what they "
            "become; --yes loads them all the same.",
        )
    typer.confirm(f"{doubt}.\nLoad them all the same?", abort=True, err=True)
