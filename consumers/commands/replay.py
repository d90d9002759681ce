"""`refrain replay`: history in files into a topic."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from consumers.commands.frame import FAILED, Json, command
from consumers.commands.options import Files, options_from_dataclasses
from consumers.local.servers import connected_settings
from consumers.replay.options import PREVIEWED, Sending
from consumers.terminal.json_output import print_json
from stream.errors import WrongUse
from stream.files.options import FileOptions, Kind, Order
from stream.files.sources import readable

if TYPE_CHECKING:
    from consumers.replay.plan import Plan, Summary
    from stream.files.reading import Tally

__all__ = ["add"]

PANEL = "Feed and ask"
What: TypeAlias = Literal[Kind, "profiles"]
EXAMPLE = """\
refrain replay clicks log.jsonl.gz --map user_id=userId,song_id=song,artist_ids=artist --where page=NextSong
refrain replay clicks plays.csv --map ts=date+time --time-format '%d/%m/%Y %H:%M' --songs songs.csv
refrain replay songs artists.tsv --columns id,name --map song_id=id,artist_ids=id,artist_names=name
refrain replay labels panel.csv --map user_id=member,value=likes --set segment=rap"""


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel=PANEL, example=EXAMPLE)
    @options_from_dataclasses
    def replay(
        kind: Annotated[
            What,
            typer.Argument(
                help="What the rows are; all go to the topic of that name, impressions to feedback, "
                "profiles to clicks and labels."
            ),
        ],
        files: Files,
        options: FileOptions,
        order: Order,
        sending: Sending,
        as_json: Json = False,
    ) -> None:
        """Send listening history from files into a topic.

        Rows that cannot be used are counted, and written with line and reason to FILE.bad.jsonl.
        """
        from consumers.replay.plan import FOLDER, Plan, carry_out, preview
        from consumers.terminal.replay_bar import Bar
        from stream.settings import load_settings

        kept = load_settings().data / FOLDER
        with readable(files, kept, again=sending.resume) as paths:
            plans = [Plan(each, paths, own, order) for each, own in _kinds(kind, options)]
            if sending.dry_run:
                for plan in plans:
                    _show(*preview(plan, PREVIEWED), as_json=as_json)
                return
            settings = connected_settings(redis=False)
            for plan in plans:
                with Bar(plan.kind, shown=not as_json) as bar:
                    summary = carry_out(plan, settings, sending, bar.show)
                _sum_up(plan, summary, as_json=as_json)
                unusable = summary.tally.bad and not summary.sent + summary.before
                if not summary.finished or unusable or summary.refused.all_of_them:
                    raise typer.Exit(FAILED)


def _kinds(what: What, options: FileOptions) -> list[tuple[Kind, FileOptions]]:
    """Return the events that rows become, one kind after the other, and how: profiles are of two kinds."""
    if what != "profiles":
        return [(what, options)]
    if options.mapping or options.repeat or options.where:
        raise WrongUse("profiles have no columns: --map, --repeat and --where do not go with them")
    of_labels = {name: value for name, value in options.constants.items() if name == "segment"}
    of_clicks = {name: value for name, value in options.constants.items() if name != "segment"}
    return [
        ("clicks", replace(options, format="profiles", constants=of_clicks)),
        ("labels", replace(options, format="profiles", constants=of_labels)),
    ]


def _show(shown: list[tuple[bytes, bytes]], tally: Tally, *, as_json: bool) -> None:
    if as_json:
        found = [{"key": key.decode(), "value": json.loads(value)} for key, value in shown]
        print_json(
            {
                "events": found,
                "rows": tally.rows,
                "left_out": tally.left_out,
                "joined": tally.joined,
                "bad": dict(tally.bad),
            }
        )
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
                "kind": plan.kind,
                "files": [str(path) for path in plan.files],
                "finished": summary.finished,
                "sent": summary.sent,
                "sent_before": summary.before,
                "seconds": round(summary.seconds, 3),
                "rows": tally.rows,
                "left_out": tally.left_out,
                "joined": tally.joined,
                "bad": dict(tally.bad),
                "bad_files": [str(path) for path in tally.bad_files],
                "read_already": summary.refused.read,
                "dead_letters": dict(summary.refused.reasons),
            }
        )
        return
    speed = (
        f" in {summary.seconds:,.1f} s, {summary.sent / summary.seconds:,.0f} a second"
        if summary.sent
        else ""
    )
    typer.echo(f"{summary.sent:,} {plan.kind} sent{speed}")
    if summary.before:
        typer.echo(f"{summary.before:,} had been sent before")
    if tally.joined:
        typer.echo(f"{tally.joined:,} of {tally.rows:,} rows are further artists of the same {plan.kind}")
    if tally.left_out:
        typer.echo(f"{tally.left_out:,} of {tally.rows:,} rows left out, as asked")
    if tally.bad:
        places = ", ".join(str(path) for path in tally.bad_files)
        typer.echo(
            f"{tally.bad.total():,} of {tally.rows:,} rows cannot be used{_reasons(tally)}; see {places}"
        )
        typer.echo(f"the first, {tally.first_bad}{_way_out(plan, tally)}")
    if summary.refused.reasons:
        typer.echo(_dead_letters(plan, summary), err=True)
    if not summary.finished:
        typer.echo("stopped before the end; the same command with --resume goes on", err=True)


def _dead_letters(plan: Plan, summary: Summary) -> str:
    refused = summary.refused
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in refused.reasons.most_common())
    if not refused.all_of_them:
        return f"of the first {refused.read:,} that were read, {reasons} became dead letters"
    missing = "unknown-song" in refused.reasons
    way = (
        "Send the songs first (refrain replay songs FILE), or say who made them: --map artist_ids=COLUMN, "
        "or --songs FILE"
        if missing
        else "docs/contract.md says what each reason means; --dry-run shows what is sent"
    )
    return f"all {refused.read:,} {plan.kind} that were read became dead letters ({reasons}). {way}"


def _way_out(plan: Plan, tally: Tally) -> str:
    if plan.kind == "labels" and ": ts:" in tally.first_bad:
        return "; where labels have no time, --set ts=2026-05-01 says when they were given"
    return ""


def _reasons(tally: Tally) -> str:
    found = ", ".join(f"{number:,} {reason}" for reason, number in tally.bad.most_common())
    return f" ({found})" if found else ""
