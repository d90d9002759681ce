"""`refrain presets`, and ``--preset``: exports that people have, and the options that read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from consumers.commands.frame import Json, command
from consumers.terminal.json_output import print_json
from stream.errors import WrongUse
from stream.files.options import Kind, RowOptions
from stream.files.presets import presets as all_presets

__all__ = ["add", "settled"]

PANEL = "Feed and ask"
EXAMPLE = "refrain presets\nrefrain presets spotify"

T = TypeVar("T", bound=RowOptions)


def add(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, panel=PANEL, example=EXAMPLE)
    def presets(
        name: Annotated[
            str, typer.Argument(metavar="NAME", help="Only those that are called so, or NAME-...")
        ] = "",
        as_json: Json = False,
    ) -> None:
        """List exports that are read by a name, with the options that each name stands for.

        They are the options of `refrain replay`, to be copied and changed.
        """
        from consumers.terminal.preset_lines import show_presets

        found = [each for each in all_presets() if not name or f"{each.name}-".startswith(f"{name}-")]
        if not found:
            raise WrongUse(f"there is no preset {name!r}", hint="`refrain presets` lists them all.")
        print_json([each.to_json() for each in found]) if as_json else show_presets(found)


def settled(kind: Kind, options: T, files: Sequence[Path], *, without_times: bool = False) -> T:
    """Return the options by which files are read: with a preset's, where there is one. It is said which.

    Parameters
    ----------
    without_times
        Whether events get their times otherwise.

    Raises
    ------
    WrongUse
        Where there is no preset of that name, or it does not say which of several layouts is meant.
    """
    from stream.files.recognise import settle

    found = settle(kind, options, files, without_times=without_times)
    if found.note:
        typer.echo(found.note, err=True)
    return found.options
