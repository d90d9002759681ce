"""The progress bar of a replay."""

from __future__ import annotations

import time

from rich.progress import TextColumn

from consumers.replay.plan import Progress
from consumers.terminal.bar import Bar

__all__ = ["ReplayBar"]


class ReplayBar(Bar):
    """Shows how far a replay is.

    Parameters
    ----------
    what
        What is sent.
    shown
        Whether to show it at all.
    """

    def __init__(self, what: str, *, shown: bool) -> None:
        super().__init__(
            TextColumn("{task.percentage:>3.0f} %"), TextColumn("{task.fields[words]}"), shown=shown
        )
        self._what = what
        self._task = self.add_task("connecting", total=None, words="")
        self._began: float | None = None

    def show(self, progress: Progress) -> None:
        """Show this."""
        reading, bad = progress.reading, progress.reading.tally.bad.total()
        unusable = f", {bad:,} unusable" if bad else ""
        if progress.waiting is not None:
            words = f"{progress.waiting:,} {self._what}{unusable}"
            self._show("reading", reading.read, reading.size, words)
            return
        self._began = self._began or time.monotonic()
        rate = progress.sent / max(time.monotonic() - self._began, 0.1)
        words = f"{progress.sent:,} {self._what}, {rate:,.0f}/s{unusable}"
        if progress.total is None:
            self._show("sending", reading.read, reading.size, words)
        else:
            self._show("sending", progress.sent, progress.total, words)

    def _show(self, description: str, completed: int, total: int, words: str) -> None:
        self.update(
            self._task, description=description, completed=completed, total=max(total, 1), words=words
        )
