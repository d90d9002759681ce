"""What all commands have in common: help with an example, ``--json``, errors with a hint, exit codes."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeAlias, TypeVar

import typer

from consumers.terminal.json_output import print_json
from stream.errors import RefrainError, SettingsError, WrongUse

__all__ = ["FAILED", "WRONG_USE", "Html", "Json", "command"]

FAILED = 1
WRONG_USE = 2

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Html: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        dir_okay=False,
        help="Write a page with plots, one file that needs no network.",
    ),
]
F = TypeVar("F", bound=Callable[..., None])


def command(app: typer.Typer, *, panel: str, example: str, name: str | None = None) -> Callable[[F], F]:
    """Register a command. Its docstring is its help; a `RefrainError` ends it with one sentence.

    Parameters
    ----------
    panel
        The group of commands that it stands in.
    example
        A call that works, shown at the end of its help.
    """

    def register(function: F) -> F:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> None:
            try:
                function(*args, **kwargs)
            except RefrainError as error:
                _fail(error, as_json=bool(kwargs.get("as_json")))

        shown = "\n\n".join(f"[bold]{line}[/bold]" for line in example.splitlines())
        app.command(name=name, rich_help_panel=panel, epilog=f"Example:\n\n{shown}")(guarded)
        return function

    return register


def _fail(error: RefrainError, *, as_json: bool) -> NoReturn:
    if as_json:
        print_json({"error": str(error), "hint": error.hint, "kind": type(error).__name__})
    else:
        from rich.text import Text

        from consumers.terminal.console import Terminal

        said = Text.assemble((f"{type(error).__name__}: ", "bold red"), str(error))
        console = Terminal(stderr=True)
        if error.hint:
            said.append(f"\n{error.hint}")
        for line in said.split("\n", allow_blank=True):
            console.print(line, soft_wrap=not console.is_terminal)
    raise typer.Exit(WRONG_USE if isinstance(error, SettingsError | WrongUse) else FAILED)
