"""The progress bar of a sweep: listeners being migrated to a model."""

from __future__ import annotations

from rich.progress import MofNCompleteColumn, TextColumn

from consumers.queries.models import Sweep
from consumers.terminal.bar import Bar

__all__ = ["SweepBar"]


class SweepBar(Bar):
    """Shows how far the sweep to a version is."""

    def __init__(self, version: int) -> None:
        super().__init__(MofNCompleteColumn(), TextColumn("listeners"))
        self._task = self.add_task(f"migrating to model {version}", total=None)

    def show(self, sweep: Sweep) -> None:
        """Show this."""
        self.update(self._task, completed=sweep.met, total=sweep.listeners)
