"""A replay that is to go on, and is not noted: whether its files, or some of them, are of another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stream.errors import WrongUse
from stream.files.bookmark import Bookmark

__all__ = ["refuse_sent_before"]

NAMED = 3
"""Files that a message names: the first of those sent, and of those that are new."""


def refuse_sent_before(bookmark: Bookmark, files: Sequence[Path]) -> None:
    """Refuse to send events of files that another replay has sent, or began to.

    Parameters
    ----------
    bookmark
        Of the replay that is about to begin.
    files
        Those that its events are in.

    Raises
    ------
    WrongUse
        Where there is such a replay. It is not gone on with: the order of events is over all its files.
    """
    # One that was killed in its first second has sent events that are in no note.
    others = [each for each in bookmark.others_of(files) if each[0].events or not each[0].finished]
    if not others:
        return
    shared = {path for _, both in others for path in both}
    typed = list(zip(map(str, files), (path for path, *_ in bookmark.sources), strict=False))
    sent = [name for name, path in typed if path in shared]
    new = [name for name, path in typed if path not in shared]
    halfway = not all(other.finished for other, _ in others)
    events = sum(other.events for other, _ in others)
    raise WrongUse(
        f"nothing is sent: {_named(sent)} {'was' if len(sent) == 1 else 'were'} replayed before with other "
        f"files or options, and {events:,} events{' at least' if halfway else ''} of that are in Kafka",
        hint=_way(new, halfway=halfway),
    )


def _way(new: Sequence[str], *, halfway: bool) -> str:
    first = "That replay stopped halfway: go on with its files and options, and --resume. " if halfway else ""
    alone = f"What is new can be named alone: {_named(new)}. " if new else ""
    return f"{first}{alone}Without --resume all is sent, and those events a second time."


def _named(names: Sequence[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest:,} more" if rest > 0 else "")
