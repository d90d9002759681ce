"""A process that lets others go first where processor time is short."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["give_way"]

NICENESS = 5  # about a third of the processor time of a process at 0 that wants as much
AUTOGROUP = Path("/proc/self/autogroup")


def give_way() -> None:
    """Lower the priority of this process, and of its session where that is the process's own.

    Linux may share processor time among sessions before it looks at the niceness of processes
    (``man 7 sched``, on autogroups). A session with a terminal is that of whoever sits there, and stays.
    """
    os.nice(NICENESS)
    if not _has_terminal():
        with suppress(OSError):  # no Linux, or not allowed: then the niceness has to do
            AUTOGROUP.write_text(str(NICENESS))


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
