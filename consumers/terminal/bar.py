"""A progress bar, which each kind of work adds its own words to."""

from __future__ import annotations

from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

from consumers.terminal.console import Terminal

__all__ = ["Bar"]


class Bar(Progress):
    """Shows what is being done, and how far it is, on standard error where that is a terminal.

    Parameters
    ----------
    columns
        What stands between the bar and the time that remains.
    shown
        Whether to show it at all.
    """

    def __init__(self, *columns: ProgressColumn, shown: bool = True) -> None:
        console = Terminal(stderr=True)
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            *columns,
            TimeRemainingColumn(),
            console=console,
            disable=not (shown and console.is_terminal),
            transient=True,
        )
