"""`refrain recommend`: songs for a listener."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.commands.options import UserId
from consumers.terminal.json_output import print_json

__all__ = ["add"]


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel="Feed and ask", example="refrain recommend u1\nrefrain recommend u1 --top 20 --json")
    def recommend(
        user_id: UserId,
        top: Annotated[int, typer.Option("--top", metavar="N", min=1, max=1000, help="How many songs.")] = 10,
        as_json: Json = False,
    ) -> None:
        """Show songs that a listener would play, without those heard lately, and why each."""
        from consumers.commands.session import ask
        from consumers.queries.recommend import recommend as songs_for
        from consumers.terminal.song_tables import show_songs

        found = ask(lambda redis, settings: songs_for(redis, settings, user_id, top, time.time()))
        print_json(found) if as_json else show_songs(found)
