"""The progress bar of an evaluation."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.terminal.console import Terminal

__all__ = ["Bar"]


class Bar(AbstractContextManager["Bar"]):
    """Shows what is being done, and how far it is, on standard error where that is a terminal.

    Parameters
    ----------
    shown
        Whether to show it at all.
    """

    def __init__(self, *, shown: bool) -> None:
        console = Terminal(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            console=console,
            disable=not (shown and console.is_terminal),
            transient=True,
        )
        self._task = self._bar.add_task("reading", total=None)
        self._stage = "reading"

    def show(self, stage: str, done: float, total: float) -> None:
        """Show this."""
        if stage != self._stage:
            self._stage = stage
            self._bar.reset(self._task, description=stage, total=max(total, 1))
        self._bar.update(self._task, completed=done, total=max(total, 1))

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
