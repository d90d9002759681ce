"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["is_running", "wait_until"]


def wait_until(condition: Callable[[], bool], *, timeout: float = 60) -> None:
    """Poll until `condition` holds; an AssertionError after `timeout` seconds."""
    give_up = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < give_up, "it never came"
        time.sleep(0.02)


def is_running(pid: int) -> bool:
    """Whether there is such a process, other than a zombie nobody has asked about yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
