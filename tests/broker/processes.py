"""Processes of this machine."""

from __future__ import annotations

import subprocess

__all__ = ["is_running"]


def is_running(pid: int) -> bool:
    """Whether there is such a process, other than a zombie nobody has asked about yet."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], stdout=subprocess.PIPE, check=False).stdout
    return state.strip() != b"" and not state.startswith(b"Z")
