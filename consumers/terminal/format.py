"""How times, durations and shares are written for people."""

from __future__ import annotations

import time
from datetime import datetime

__all__ = ["ago", "clock", "counted", "moment", "percent", "size"]

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def ago(seconds: float) -> str:
    """Return how long something is, or has been, in its largest unit.

    Examples
    --------
    >>> ago(0.2), ago(59), ago(7300), ago(200_000)
    ('0 s', '59 s', '2 h', '2 d')
    """
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return "0 s"


def counted(number: int, what: str) -> str:
    """Return so many of something that takes an s.

    Examples
    --------
    >>> counted(1, "listener"), counted(1200, "page")
    ('1 listener', '1,200 pages')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def clock(ts: float) -> str:
    """Return a time (Unix seconds) on this machine's clock."""
    return f"{datetime.fromtimestamp(ts).astimezone():%Y-%m-%d %H:%M:%S}"


def moment(ts: float) -> str:
    """Return a time (Unix seconds) on this machine's clock, and how long ago it was."""
    return f"{clock(ts)} ({ago(time.time() - ts)} ago)"


def percent(share: float | str | None) -> str:
    """Return a share as a percentage; nothing where there is none.

    Examples
    --------
    >>> percent(0.1234), percent("0.5"), percent(None)
    ('12.3 %', '50.0 %', '')
    """
    return "" if share is None or share == "" else f"{100 * float(share):.1f} %"


def size(number: float) -> str:
    """Return bytes in their largest unit.

    Examples
    --------
    >>> size(900), size(3_400), size(5 * 2**20), size(2.5 * 2**30)
    ('900 B', '3.3 KB', '5 MB', '2.5 GB')
    """
    if number >= 2**30:
        return f"{number / 2**30:,.1f} GB"
    if number >= 2**20:
        return f"{number / 2**20:,.0f} MB"
    return f"{number / 2**10:,.1f} KB" if number >= 2**10 else f"{number:.0f} B"
