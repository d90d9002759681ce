"""`refrain merge`: an id becomes part of a listener."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.terminal.format import counted
from consumers.terminal.json_output import print_json
from consumers.terminal.visible import say
from stream.errors import WrongUse
from stream.wire.composed import nfc

if TYPE_CHECKING:
    from consumers.actions.merge_listeners import Merged, Undone

__all__ = ["add"]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel="Keep", example="refrain merge anonymous-17 u1\nrefrain merge --undo anonymous-17")
    def merge(
        user_id: Annotated[
            str,
            typer.Argument(metavar="ID", help="The id that turns out to be a known listener's.", parser=nfc),
        ],
        into: Annotated[
            str | None,
            typer.Argument(metavar="USER", help="The listener that it becomes part of.", parser=nfc),
        ] = None,
        undo: Annotated[
            bool, typer.Option("--undo", help="Make ID a listener of its own again, with what it had.")
        ] = False,
        wait: Annotated[
            float, typer.Option("--wait", metavar="SECONDS", min=0, help="For an ingester to do it.")
        ] = 30.0,
        as_json: Json = False,
    ) -> None:
        """Make an id, such as an anonymous visitor's, part of a known listener, or undo that.

        All that ID did counts for USER from then on, and whatever comes under ID later, too; nobody is told
        under two ids. It can be undone for REFRAIN_MERGE_UNDO_DAYS.
        """
        from consumers.actions.merge_listeners import merge_listeners, undo_merge
        from consumers.commands.session import ask

        if undo != (into is None):
            raise WrongUse("give two ids, `refrain merge ID USER`, or one to undo: `refrain merge --undo ID`")
        if into is None:
            undone = ask(lambda redis, settings: undo_merge(redis, settings, user_id, wait), kafka=True)
            print_json(undone) if as_json else _say_undone(undone)
            return
        merged = ask(
            lambda redis, settings: merge_listeners(redis, settings, user_id, into, wait), kafka=True
        )
        print_json(merged) if as_json else _say(merged)


def _say(merged: Merged) -> None:
    cohort = f"in cohort {merged.cohort}" if merged.cohort else "in no cohort"
    say(
        f"{merged.user_id} is part of {merged.into}, who has {counted(merged.clicks, 'click')} "
        f"and is {cohort}"
    )
    if merged.undo_days:
        undo = f"refrain merge --undo {quote(merged.user_id)}"
        say(f"`{undo}` undoes it within {merged.undo_days:g} days")


def _say_undone(undone: Undone) -> None:
    say(
        f"{undone.user_id} is a listener of its own again, with {counted(undone.clicks, 'click')}; "
        f"{undone.into} keeps {counted(undone.into_clicks, 'click')}, with what came under either id "
        "since the merge"
    )
    say("kept for both: opt-outs, and what either was told of lately")
