"""`refrain replay`: history in files into a topic."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import typer

from consumers.commands.frame import FAILED, Json, command
from consumers.commands.options import Files, options_from_dataclasses
from consumers.commands.presets import settled
from consumers.local.servers import connected_settings
from consumers.replay.options import Sending
from consumers.terminal.json_output import print_json
from stream.errors import WrongUse
from stream.files.options import FileOptions, Kind, Order
from stream.files.sources import readable

if TYPE_CHECKING:
    from consumers.doctor import Check
    from consumers.replay.plan import Plan
    from stream.settings import Settings

__all__ = ["add"]

PANEL = "Feed and ask"
What: TypeAlias = Literal[Kind, "profiles"]
EXAMPLE = """\
refrain replay clicks log.jsonl.gz --map user_id=userId,song_id=song,artist_ids=artist --where page=NextSong
refrain replay clicks plays.csv --map ts=date+time --time-format '%d/%m/%Y %H:%M' --songs songs.csv
refrain replay songs artists.tsv --columns id,name --map song_id=id,artist_ids=id,artist_names=name
refrain replay merges logins.csv --map user_id=device,into=account,ts=logged_in_at
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
        from consumers.replay.carry_out import FOLDER, carry_out
        from consumers.replay.dry_run import dry_run
        from consumers.replay.plan import Plan
        from consumers.terminal.doctor_table import show_checks_afterwards
        from consumers.terminal.replay_bar import ReplayBar
        from consumers.terminal.replay_summary import show_dry_run, show_summary
        from stream.settings import load_settings

        kept = load_settings().data / FOLDER
        with readable(files, kept, again=sending.resume) as paths:
            if kind != "profiles":
                options = settled(kind, options, paths, without_times=bool(order.spread))
            plans = [Plan(each, paths, own, order) for each, own in _kinds(kind, options)]
            if sending.dry_run:
                found = [dry_run(plan) for plan in plans]
                for each in found:
                    print_json(each.to_json()) if as_json else show_dry_run(each)
                if not any(each.events for each in found):
                    raise typer.Exit(FAILED)
                return
            for plan in plans:
                _check_times(plan, sending, as_json=as_json)
            settings = connected_settings(redis=False)
            for plan in plans:
                with ReplayBar(plan.kind, shown=not as_json) as bar:
                    summary = carry_out(plan, settings, sending, bar.show)
                checks = _doctor(settings, plan) if summary.finished and summary.sent else []
                if as_json:
                    doctor = [vars(check) for check in checks]
                    print_json({**summary.to_json(plan.kind, plan.files), "doctor": doctor})
                else:
                    show_summary(plan.kind, summary)
                    show_checks_afterwards(checks)
                if summary.failed:
                    raise typer.Exit(FAILED)


def _doctor(settings: Settings, plan: Plan) -> list[Check]:
    """Return what the doctor says of those who read what was sent."""
    from consumers.commands.session import working
    from consumers.doctor import examine_sent

    with working("looking at who reads it"):
        return asyncio.run(examine_sent(settings, plan.topic))


def _check_times(plan: Plan, sending: Sending, *, as_json: bool) -> None:
    """Ask whether times that can hardly be right are to be sent; refuse them where nobody can be asked."""
    from consumers.replay.times import doubtful_times

    if sending.yes or not (doubt := doubtful_times(plan)):
        return
    if as_json or not sys.stdin.isatty():
        raise WrongUse(
            doubt,
            hint="--time-format says how times are written, --dry-run shows what they become; --yes sends "
            "them all the same.",
        )
    typer.confirm(f"{doubt}.\nSend them all the same?", abort=True, err=True)


def _kinds(what: What, options: FileOptions) -> list[tuple[Kind, FileOptions]]:
    """Return the events that rows become, one kind after the other, and how: profiles are of two kinds."""
    if what != "profiles":
        return [(what, options)]
    if options.preset or options.mapping or options.repeat or options.where:
        raise WrongUse("profiles have no columns: --preset, --map, --repeat and --where do not go with them")
    of_labels = {name: value for name, value in options.constants.items() if name == "segment"}
    of_clicks = {name: value for name, value in options.constants.items() if name != "segment"}
    return [
        ("clicks", replace(options, format="profiles", constants=of_clicks)),
        ("labels", replace(options, format="profiles", constants=of_labels)),
    ]
