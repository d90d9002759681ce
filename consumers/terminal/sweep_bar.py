"""The progress bar of a sweep: listeners being migrated to a model."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.queries.models import Sweep
from consumers.terminal.console import Terminal

__all__ = ["SweepBar"]


class SweepBar(AbstractContextManager["SweepBar"]):
    """Shows how far the sweep to a version is, on standard error where that is a terminal."""

    def __init__(self, version: int) -> None:
        console = Terminal(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("listeners"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task(f"migrating to model {version}", total=None)

    def show(self, sweep: Sweep) -> None:
        """Show this."""
        self._bar.update(self._task, completed=sweep.met, total=sweep.listeners)

    def __enter__(self) -> SweepBar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
