"""`refrain serve` and `refrain key`: the page and the API, and who may use them."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from consumers.commands.frame import Json, command
from consumers.local.servers import connected_settings
from consumers.terminal.json_output import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stream.connect import AnyRedis
    from stream.settings import Settings
    from stream.stores.api_keys import ApiKey

__all__ = ["add"]


def add(app: typer.Typer) -> None:
    """Register the commands."""

    @command(app, panel="Start", example="refrain serve\nrefrain serve --host 0.0.0.0 --port 80")
    def serve(
        context: typer.Context,
        host: Annotated[
            str | None,
            typer.Option("--host", metavar="HOST", help="Address to listen on; REFRAIN_WEB_HOST by default."),
        ] = None,
        port: Annotated[
            int | None,
            typer.Option(
                "--port", metavar="PORT", min=1, max=65_535, help="Port; REFRAIN_WEB_PORT by default."
            ),
        ] = None,
        as_json: Annotated[
            bool, typer.Option("--json", help="Log JSON, one object a line, for programs.")
        ] = False,
    ) -> None:
        """Serve the page for people and the API for programs."""
        from consumers.runtime.log import log_json
        from consumers.runtime.process import run_process
        from consumers.web.process import serve

        if as_json:
            log_json()
        said = {name: value for name, value in (("web_host", host), ("web_port", port)) if value is not None}
        # `refrain up` hands over the socket that it holds.
        run_process(partial(serve, listener=context.obj), connected_settings().model_copy(update=said))

    keys = typer.Typer(no_args_is_help=True, help="Make, list and revoke keys of the API.")
    app.add_typer(
        keys, name="key", rich_help_panel="Keep", epilog="Example:\n\n[bold]refrain key add desk[/bold]"
    )
    _add_keys(keys)


def _add_keys(keys: typer.Typer) -> None:
    @command(keys, panel="Keep", example="refrain key add desk --role publish", name="add")
    def add_key(
        name: Annotated[str, typer.Argument(metavar="NAME", help="Whom or what it is for.")],
        role: Annotated[
            Literal["look", "publish", "administer"],
            typer.Option("--role", help="look: ask; publish: releases, too; administer: everything."),
        ] = "look",
        as_json: Json = False,
    ) -> None:
        """Make a key, and print it: it is shown this once."""
        from consumers.commands.session import ask
        from stream.stores.api_keys import ApiKeys, Role

        key, text = ask(lambda redis, _: ApiKeys(redis).add(name, Role.of(role), time.time()))
        if as_json:
            print_json({"key": text, "key_id": key.key_id, "name": key.name, "role": key.role.word})
        else:
            typer.echo(text)
            typer.echo(f"shown this once; `refrain key revoke {key.key_id}` ends it", err=True)

    @command(keys, panel="Keep", example="refrain key list", name="list")
    def list_keys(as_json: Json = False) -> None:
        """List the keys, the oldest first, without their secrets."""
        from consumers.commands.session import ask
        from stream.stores.api_keys import ApiKeys

        found = ask(lambda redis, _: ApiKeys(redis).all())
        if as_json:
            print_json([{**vars(key), "role": key.role.word} for key in found])
        else:
            _show(found)

    @command(keys, panel="Keep", example="refrain key revoke 3f09a1b2c4d5", name="revoke")
    def revoke_key(
        key_id: Annotated[str, typer.Argument(metavar="ID", help="As `refrain key list` shows it.")],
        last: Annotated[
            bool,
            typer.Option(
                "--last",
                help="Also where it is the last: then `refrain serve` asks for none on 127.0.0.1, and lets "
                "nobody in on any other address.",
            ),
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Let a key, and everybody who signed in with it, do nothing any more."""
        from consumers.commands.session import ask
        from stream.errors import WrongUse
        from stream.stores.api_keys import ApiKeys

        async def revoke(redis: AnyRedis, _: Settings) -> bool:
            store = ApiKeys(redis)
            if not last and [key.key_id for key in await store.all()] == [key_id]:
                raise WrongUse(
                    f"{key_id} is the last key: without one, whoever reaches `refrain serve` on 127.0.0.1 "
                    "from its machine, or through a bare proxy there, may do everything; on any other "
                    "address it lets nobody in",
                    hint="Make another first (`refrain key add NAME --role administer`), or add --last.",
                )
            return await store.revoke(key_id)

        if not ask(revoke):
            raise WrongUse(f"there is no key {key_id!r}", hint="`refrain key list` shows those there are.")
        print_json({"revoked": key_id}) if as_json else typer.echo(f"{key_id} opens nothing any more")


def _show(keys: Sequence[ApiKey]) -> None:
    from rich.text import Text

    from consumers.terminal.console import Terminal
    from consumers.terminal.format import moment
    from consumers.terminal.tables import Column, listing

    console = Terminal()
    if not keys:
        console.print(
            "there are no keys: on this machine everybody may do everything, others may ask nothing"
        )
        return
    table = listing(*(Column(name) for name in ("id", "name", "role", "made")))
    for key in keys:
        table.add_row(key.key_id, Text(key.name), key.role.word, moment(key.created_at))
    console.print(table)
