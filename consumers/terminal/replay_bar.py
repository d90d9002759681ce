"""The progress bar of a replay."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from types import TracebackType

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.replay import plan as replay_plan
from consumers.terminal.console import Terminal

__all__ = ["Bar"]


class Bar(AbstractContextManager["Bar"]):
    """Shows how far a replay is, on standard error where that is a terminal.

    Parameters
    ----------
    what
        What is sent.
    shown
        Whether to show it at all.
    """

    def __init__(self, what: str, *, shown: bool) -> None:
        console = Terminal(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[words]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not (shown and console.is_terminal),
            transient=True,
        )
        self._what = what
        self._task = self._bar.add_task("connecting", total=None, words="")
        self._began: float | None = None

    def show(self, progress: replay_plan.Progress) -> None:
        """Show this."""
        reading, bad = progress.reading, progress.reading.tally.bad.total()
        unusable = f", {bad:,} unusable" if bad else ""
        if progress.waiting is not None:
            words = f"{progress.waiting:,} {self._what}{unusable}"
            self._update("reading", reading.read, reading.size, words)
            return
        self._began = self._began or time.monotonic()
        rate = progress.sent / max(time.monotonic() - self._began, 0.1)
        words = f"{progress.sent:,} {self._what}, {rate:,.0f}/s{unusable}"
        if progress.total is None:
            self._update("sending", reading.read, reading.size, words)
        else:
            self._update("sending", progress.sent, progress.total, words)

    def _update(self, description: str, completed: int, total: int, words: str) -> None:
        self._bar.update(
            self._task, description=description, completed=completed, total=max(total, 1), words=words
        )

    def __enter__(self) -> Bar:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
