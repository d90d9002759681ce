"""`refrain alias`: an id of an artist stands for another one."""

from __future__ import annotations

from shlex import quote
from typing import Annotated

import typer

from consumers.commands.frame import Json, command
from consumers.terminal.json_output import print_json
from consumers.terminal.visible import say
from stream.errors import WrongUse
from stream.wire.composed import nfc

__all__ = ["add"]

EXAMPLE = """\
refrain alias
refrain alias Beyonce Beyoncé
refrain alias --undo Beyonce"""


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel="Keep", example=EXAMPLE)
    def alias(
        other: Annotated[
            str | None,
            typer.Argument(metavar="ALIAS", help="The id that is another one of the artist.", parser=nfc),
        ] = None,
        artist_id: Annotated[
            str | None,
            typer.Argument(metavar="ARTIST", help="The id of the artist that it stands for.", parser=nfc),
        ] = None,
        undo: Annotated[bool, typer.Option("--undo", help="Let ALIAS stand for itself again.")] = False,
        wait: Annotated[
            float, typer.Option("--wait", metavar="SECONDS", min=0, help="For an ingester to do it.")
        ] = 30.0,
        as_json: Json = False,
    ) -> None:
        """Let an id of an artist stand for another one, or undo that; without ids, list those that do.

        Clicks, releases and opt-outs that name ALIAS are about ARTIST from then on; what listeners have of
        ALIAS is added to ARTIST, and given back where it is undone.
        """
        from consumers.actions.alias_artist import alias_artist, undo_alias
        from consumers.commands.session import ask

        if other is None and not undo:
            _list(as_json=as_json)
            return
        if other is None or undo != (artist_id is None):
            raise WrongUse("give two ids, `refrain alias ALIAS ARTIST`, or one: `refrain alias --undo ALIAS`")
        if artist_id is None:
            done = ask(lambda redis, settings: undo_alias(redis, settings, other, wait), kafka=True)
        else:
            done = ask(
                lambda redis, settings: alias_artist(redis, settings, other, artist_id, wait), kafka=True
            )
        if as_json:
            print_json(done)
        elif done.alias == done.artist_id:
            say(f"{done.alias} is an artist of its own again")
        else:
            say(f"{done.alias} stands for {done.artist_id}")
            say(f"`refrain alias --undo {quote(done.alias)}` undoes it")


def _list(*, as_json: bool) -> None:
    from consumers.commands.session import ask
    from consumers.queries.aliases import list_aliases
    from consumers.terminal.alias_table import show_aliases

    found = ask(list_aliases)
    print_json(found) if as_json else show_aliases(found)
