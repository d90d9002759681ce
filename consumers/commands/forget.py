"""`refrain forget`: erases a listener."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.terminal.format import counted
from consumers.terminal.json_output import print_json
from consumers.terminal.visible import say

if TYPE_CHECKING:
    from consumers.actions.forget_listener import Forgotten

__all__ = ["add"]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel="Keep", example="refrain forget u1")
    def forget(
        user_id: Annotated[str, typer.Argument(metavar="USER", help="The listener's id.")],
        as_json: Json = False,
    ) -> None:
        """Erase a listener: all that Redis holds of them, except that they have opted out.

        If they click later, they are a new listener. Their clicks in Kafka stay until its retention ends.
        """
        from consumers.actions.forget_listener import forget_listener
        from consumers.commands.session import ask

        found = ask(lambda redis, settings: forget_listener(redis, settings, user_id))
        print_json(found) if as_json else _say(found)


def _say(found: Forgotten) -> None:

    say(
        f"erased {found.user_id}: the weights of {counted(found.artists, 'artist')} from "
        f"{counted(found.clicks, 'click')}, the taste, membership of "
        f"{', '.join(found.cohorts) or 'no cohort'}, "
        f"notifications of {counted(found.told_of_releases, 'release')}, "
        f"labels in {counted(found.labels, 'segment')}"
    )
    if found.ids:
        say(f"and of {counted(len(found.ids), 'id')} of theirs: {', '.join(found.ids)}")
    if found.opt_out_kept:
        say("kept: the id, among those who have opted out, so that they are told of no release")
    say(
        "their clicks stay in Kafka until its retention ends "
        f"({found.kafka_retention_days:g} days in topics that Refrain made)"
    )
