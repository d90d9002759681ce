"""The command line, put together: whoever imports this can run a command at once."""

from __future__ import annotations

from typer.main import get_command

from consumers.commands.application import build

__all__ = ["LINE"]

LINE = get_command(build())
