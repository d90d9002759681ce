"""The progress bar of an evaluation."""

from __future__ import annotations

from rich.progress import TextColumn

from consumers.terminal.bar import Bar

__all__ = ["EvaluationBar"]


class EvaluationBar(Bar):
    """Shows which stage of an evaluation is being done, and how far it is."""

    def __init__(self, *, shown: bool) -> None:
        super().__init__(TextColumn("{task.percentage:>3.0f} %"), shown=shown)
        self._task = self.add_task("reading", total=None)
        self._stage = "reading"

    def show(self, stage: str, done: float, total: float) -> None:
        """Show this."""
        if stage != self._stage:
            self._stage = stage
            self.reset(self._task, description=stage, total=max(total, 1))
        self.update(self._task, completed=done, total=max(total, 1))
