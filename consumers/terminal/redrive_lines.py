"""How a redrive is shown: its bar, and its summary by reason."""

from __future__ import annotations

from collections import Counter

from rich.progress import MofNCompleteColumn, TextColumn

from consumers.redrive.redrive import Summary
from consumers.terminal.bar import Bar

__all__ = ["RedriveBar", "summary_lines"]


class RedriveBar(Bar):
    """Shows how many letters were read, and of how many."""

    def __init__(self, *, shown: bool) -> None:
        super().__init__(MofNCompleteColumn(), TextColumn("letters"), shown=shown)
        self._task = self.add_task("reading", total=None)

    def show(self, done: int, total: int) -> None:
        """Show this."""
        self.update(self._task, completed=done, total=max(total, 1))


def summary_lines(summary: Summary, *, dry_run: bool) -> list[str]:
    """Return what has become of dead letters, in lines.

    Examples
    --------
    >>> summary = Summary(3, Counter({"unknown-song": 2}), Counter(), Counter({"not-json": 1}))
    >>> summary_lines(summary, dry_run=False)
    ['3 dead letters: 2 put back, 1 left', 'put back: 2 unknown-song', 'left: 1 not-json']
    """
    named = {
        "would be put back" if dry_run else "put back": summary.put_back,
        "put back before": summary.put_back_before,
        "left": summary.left,
    }
    counts = ", ".join(f"{by.total():,} {name}" for name, by in named.items() if by)
    first = f"{summary.letters:,} dead letters" + (f": {counts}" if counts else "")
    return [first, *(f"{name}: {_by_reason(by)}" for name, by in named.items() if by)]


def _by_reason(counts: Counter[str]) -> str:
    return ", ".join(f"{number:,} {reason}" for reason, number in counts.most_common())
