"""`refrain replay`: history in files into a topic."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from consumers.commands.file_options import (
    Columns,
    Constants,
    Delimiter,
    Encoding,
    Files,
    Format,
    Limit,
    Mapping,
    Mend,
    Repeat,
    Scale,
    Separator,
    Shuffle,
    Since,
    Songs,
    SongsColumns,
    SongsMap,
    SongsOn,
    Spread,
    TimeFormat,
    Timezone,
    Where,
    plan_of,
)
from consumers.commands.frame import FAILED, Json, command
from consumers.local.servers import connected_settings
from consumers.terminal.json_output import print_json
from stream.errors import WrongUse

if TYPE_CHECKING:
    from consumers.replay.plan import Plan, Summary
    from stream.files import Tally

__all__ = ["add"]

PANEL = "Feed and ask"
SHOWN = 5  # events of a dry run
EXAMPLE = """\
refrain replay clicks log.jsonl.gz --map user_id=userId,song_id=song,artist_ids=artist --where page=NextSong
refrain replay clicks plays.csv --map ts=date+time --time-format '%d/%m/%Y %H:%M' --songs songs.csv
refrain replay songs artists.tsv --columns id,name --map song_id=id,artist_ids=id,artist_names=name"""


def sending(name: str, text: str, metavar: str | None = None, **more: Any) -> Any:
    """An option about sending."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="Sending", **more)


Kind = Annotated[
    Literal["clicks", "songs", "releases", "feedback"],
    typer.Argument(help="What the rows are, and the topic they go to."),
]
Rate = Annotated[float | None, sending("--rate", "Events a second, at most.", "N", min=0.001)]
DryRun = Annotated[
    bool, sending("--dry-run", f"Send nothing; show the first {SHOWN} events as they would go.")
]
Resume = Annotated[bool, sending("--resume", "Go on where the same replay stopped; nothing is sent twice.")]
Anew = Annotated[bool, sending("--anew", "Begin again though it stopped halfway.")]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel=PANEL, example=EXAMPLE)
    def replay(
        kind: Kind,
        files: Files,
        file_format: Format = None,
        delimiter: Delimiter = "",
        columns: Columns = "",
        encoding: Encoding = "utf-8",
        mend: Mend = False,
        where: Where = None,
        mapping: Mapping = None,
        constants: Constants = None,
        separator: Separator = "",
        repeat: Repeat = "",
        scale: Scale = "linear",
        shuffle: Shuffle = None,
        time_format: TimeFormat = "auto",
        timezone: Timezone = "UTC",
        spread: Spread = "",
        since: Since = "",
        songs: Songs = None,
        songs_map: SongsMap = None,
        songs_on: SongsOn = None,
        songs_columns: SongsColumns = "",
        rate: Rate = None,
        limit: Limit = None,
        dry_run: DryRun = False,
        resume: Resume = False,
        anew: Anew = False,
        as_json: Json = False,
    ) -> None:
        """Send listening history from files into a topic.

        Rows that cannot be used are counted, and written with line and reason to FILE.bad.jsonl.
        """
        from consumers.replay.plan import carry_out, preview

        if resume and anew:
            raise WrongUse("--resume goes on, --anew begins again: choose one")
        plan = plan_of(
            kind,
            files,
            file_format=file_format,
            delimiter=delimiter,
            columns=columns,
            encoding=encoding,
            mend=mend,
            where=where,
            mapping=mapping,
            constants=constants,
            separator=separator,
            repeat=repeat,
            scale=scale,
            time_format=time_format,
            timezone=timezone,
            since=since,
            songs=songs,
            songs_map=songs_map,
            songs_on=songs_on,
            songs_columns=songs_columns,
            limit=limit,
            shuffle=shuffle,
            spread=spread,
        )
        if dry_run:
            _show(*preview(plan, SHOWN), as_json=as_json)
            return
        settings = connected_settings(redis=False)
        from consumers.terminal.replay_bar import Bar

        with Bar(kind, shown=not as_json) as bar:
            summary = carry_out(plan, settings, resume=resume, anew=anew, rate=rate, watch=bar.show)
        _sum_up(plan, summary, as_json=as_json)
        if not summary.finished or (summary.tally.bad and not summary.sent + summary.before):
            raise typer.Exit(FAILED)


def _show(shown: list[tuple[bytes, bytes]], tally: Tally, *, as_json: bool) -> None:
    if as_json:
        found = [{"key": key.decode(), "value": json.loads(value)} for key, value in shown]
        print_json({"events": found, "rows": tally.rows, "left_out": tally.left_out, "bad": dict(tally.bad)})
        return
    for key, value in shown:
        typer.echo(f"{key.decode()}\t{value.decode()}")
    rows_read = (
        f"{tally.rows:,} rows read, {tally.left_out:,} of them left out, {tally.bad.total():,} unusable"
    )
    typer.echo(f"{rows_read}{_reasons(tally)}; nothing was sent", err=True)


def _sum_up(plan: Plan, summary: Summary, *, as_json: bool) -> None:
    tally = summary.tally
    if as_json:
        print_json(
            {
                "kind": plan.recipe.kind,
                "files": [str(path) for path in plan.files],
                "finished": summary.finished,
                "sent": summary.sent,
                "sent_before": summary.before,
                "seconds": round(summary.seconds, 3),
                "rows": tally.rows,
                "left_out": tally.left_out,
                "bad": dict(tally.bad),
                "bad_files": [str(path) for path in tally.bad_files],
            }
        )
        return
    speed = (
        f" in {summary.seconds:,.1f} s, {summary.sent / summary.seconds:,.0f} a second"
        if summary.sent
        else ""
    )
    typer.echo(f"{summary.sent:,} {plan.recipe.kind} sent{speed}")
    if summary.before:
        typer.echo(f"{summary.before:,} had been sent before")
    if tally.left_out:
        typer.echo(f"{tally.left_out:,} of {tally.rows:,} rows left out, as asked")
    if tally.bad:
        places = ", ".join(str(path) for path in tally.bad_files)
        typer.echo(
            f"{tally.bad.total():,} of {tally.rows:,} rows cannot be used{_reasons(tally)}; see {places}"
        )
    if not summary.finished:
        typer.echo("stopped before the end; the same command with --resume goes on", err=True)


def _reasons(tally: Tally) -> str:
    found = ", ".join(f"{number:,} {reason}" for reason, number in tally.bad.most_common())
    return f" ({found})" if found else ""
