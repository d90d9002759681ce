"""`refrain replay`: history in files into a topic."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from consumers.commands.frame import FAILED, Json, command, print_json
from consumers.commands.servers import connected_settings
from stream.errors import WrongUse

if TYPE_CHECKING:
    from consumers.replay_plan import Plan, Summary
    from stream.history import Tally

__all__ = ["add"]

PANEL = "Feed and ask"
SHOWN = 5  # events of a dry run
EXAMPLE = """\
refrain replay clicks log.jsonl.gz --map user_id=userId,song_id=song,artist_ids=artist --where page=NextSong
refrain replay clicks plays.csv --map ts=date+time --time-format '%d/%m/%Y %H:%M' --songs songs.csv
refrain replay songs artists.tsv --columns id,name --map song_id=id,artist_ids=id,artist_names=name"""


def rows(name: str, text: str, metavar: str | None = None) -> Any:
    """An option that says what the files look like."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="The rows")


def events(name: str, text: str, metavar: str | None = None) -> Any:
    """An option that says what becomes of a row."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="What becomes of a row")


def times(name: str, text: str, metavar: str | None = None) -> Any:
    """An option about time."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="Times")


def beside(name: str, text: str, metavar: str | None = None, **more: Any) -> Any:
    """An option about the file of songs."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="Songs beside the clicks", **more)


def sending(name: str, text: str, metavar: str | None = None, **more: Any) -> Any:
    """An option about sending."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="Sending", **more)


Kind = Annotated[
    Literal["clicks", "songs", "releases", "feedback"],
    typer.Argument(help="What the rows are, and the topic they go to."),
]
Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", help="CSV, TSV or JSON lines, gzipped or not.", exists=True, dir_okay=False
    ),
]
Format = Annotated[
    Literal["csv", "tsv", "jsonl"] | None, rows("--format", "Else by the file's name, or its first line.")
]
Delimiter = Annotated[str, rows("--delimiter", "Between columns, as ';' or '\\t'.", "CHAR")]
Columns = Annotated[str, rows("--columns", "The columns of a file without a header row.", "A,B,...")]
Encoding = Annotated[str, rows("--encoding", "Of the text.")]
Mend = Annotated[bool, rows("--mend-text", "Undo that UTF-8 was read as Latin-1: BjÃ¶rk becomes Björk.")]
Where = Annotated[
    list[str] | None,
    rows("--where", "Only such rows (!= for the others). Repeated: all must hold.", "COLUMN=VALUE"),
]
Mapping = Annotated[
    list[str] | None,
    events(
        "--map",
        "Field from column; a+b puts two columns together. Other fields come from columns of their name.",
        "FIELD=COLUMN,...",
    ),
]
Constants = Annotated[list[str] | None, events("--set", "The same for all. May be repeated.", "FIELD=VALUE")]
Separator = Annotated[str, events("--separator", "Between several ids or names in one column.", "CHAR")]
Repeat = Annotated[str, events("--repeat", "The column that says how often it happened.", "COLUMN")]
Scale = Annotated[
    Literal["linear", "log2"],
    events("--repeat-scale", "For x in that column: x events, or ceil(log2(1 + x))."),
]
Shuffle = Annotated[
    int | None,
    events(
        "--shuffle",
        "In random order, the same for the same seed. Events wait in temporary files; memory holds a 64th.",
        "SEED",
    ),
]
TimeFormat = Annotated[
    str,
    times(
        "--time-format",
        "auto (a number: seconds, from 1e11 on milliseconds; else ISO 8601), seconds, milliseconds, iso, "
        "or a pattern as '%d/%m/%Y %H:%M'.",
        "FORMAT",
    ),
]
Timezone = Annotated[str, times("--timezone", "Of times that name none.", "NAME")]
Spread = Annotated[
    str, times("--spread", "Times evenly over 30d (up to now) or FROM..TO, in the order of sending.", "SPAN")
]
Since = Annotated[
    str, times("--since", "Leave out what was before: a time, or how long ago, as 90d.", "TIME")
]
Songs = Annotated[
    Path | None,
    beside("--songs", "Says which artists made a song. Held in memory.", "FILE", exists=True, dir_okay=False),
]
SongsMap = Annotated[
    list[str] | None, beside("--songs-map", "Its columns of song_id and artist_ids.", "FIELD=COLUMN,...")
]
SongsOn = Annotated[
    list[str] | None,
    beside(
        "--songs-on", "Columns of clicks and songs that are equal; else the song's id.", "CLICKS=SONGS,..."
    ),
]
SongsColumns = Annotated[
    str, beside("--songs-columns", "Its columns, where it has no header row.", "A,B,...")
]
Rate = Annotated[float | None, sending("--rate", "Events a second, at most.", "N", min=0.001)]
Limit = Annotated[int | None, sending("--limit", "The first N events only.", "N", min=1)]
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
        from consumers.replay_plan import Plan, carry_out, preview
        from stream.history import Condition, Layout, Recipe

        if resume and anew:
            raise WrongUse("--resume goes on, --anew begins again: choose one")
        recipe = Recipe(
            kind,
            mapping=_pairs("--map", mapping),
            constants=dict(_pair("--set", text) for text in constants or ()),
            where=tuple(Condition.parse(text) for text in where or ()),
            repeat=repeat,
            scale=scale,
            time_format=time_format,
            timezone=timezone,
            separator=separator,
            spread=bool(spread),
        )
        plan = Plan(
            recipe,
            tuple(files),
            Layout(file_format, delimiter.replace("\\t", "\t") or None, _names(columns), encoding, mend),
            songs,
            Layout(columns=_names(songs_columns), encoding=encoding, mend=mend),
            _pairs("--songs-map", songs_map),
            _pairs("--songs-on", songs_on),
            shuffle,
            spread,
            since,
            limit,
        )
        if dry_run:
            _show(*preview(plan, SHOWN), as_json=as_json)
            return
        settings = connected_settings(redis=False)
        from consumers.commands.replay_bar import Bar

        with Bar(kind, shown=not as_json) as bar:
            summary = carry_out(plan, settings, resume=resume, anew=anew, rate=rate, watch=bar.show)
        _sum_up(plan, summary, as_json=as_json)
        if not summary.finished or (summary.tally.bad and not summary.sent + summary.before):
            raise typer.Exit(FAILED)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",")) if text else ()


def _pairs(option: str, texts: Sequence[str] | None) -> dict[str, str]:
    parts: list[str] = []
    for part in ",".join(texts or ()).split(","):
        if "=" in part or not parts:
            parts.append(part)
        else:  # a column's name may have a comma
            parts[-1] += f",{part}"
    return dict(_pair(option, part) for part in parts if part)


def _pair(option: str, text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise WrongUse(f"{option} {text!r}: write NAME=VALUE")
    return name.strip(), value.strip()


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
