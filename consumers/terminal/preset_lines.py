"""Exports that are read by a name."""

from __future__ import annotations

from collections.abc import Iterable

import typer

from stream.files.presets import Preset

__all__ = ["show_presets"]


def show_presets(found: Iterable[Preset]) -> None:
    """Print names, files, what their columns mean, and the options to copy."""
    for each in found:
        kinds = "" if each.kinds == ("clicks",) else f" ({', '.join(each.kinds)})"
        songs = f"\n    with --songs FILE: {each.with_songs}" if each.with_songs else ""
        typer.echo(f"{each.name}{kinds}: {each.what}\n    {each.means}\n    {each.options}{songs}\n")
