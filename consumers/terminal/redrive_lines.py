"""How a redrive is shown: its bar, and its summary by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.redrive.redrive import Summary
from consumers.terminal.console import Terminal

__all__ = ["redrive_bar", "summary_lines"]


class Watch(Protocol):
    """Shows how many letters were read, and of how many."""

    def __call__(self, done: int, total: int) -> None:
        """Show this."""


@contextmanager
def redrive_bar(*, shown: bool) -> Iterator[Watch]:
    """Show how far it is, on standard error where that is a terminal."""
    console = Terminal(stderr=True)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("letters"),
        TimeRemainingColumn(),
        console=console,
        disable=not (shown and console.is_terminal),
        transient=True,
    )
    task = bar.add_task("reading", total=None)
    with bar:
        yield lambda done, total: bar.update(task, completed=done, total=max(total, 1))


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
