"""What processes of tests do. In a module of its own: each process imports it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType

from stream.settings import load_settings


def sleeps() -> None:
    signal.pause()


def fails() -> None:
    sys.stdout.write("the reason why\n")
    sys.exit(3)


def shows_settings() -> None:
    sys.stdout.write(f"{load_settings()}\n")


def writes_its_end(name: str, file: Path) -> None:
    """Append its name when it is asked to end."""

    def end(number: int, frame: FrameType | None) -> None:
        with file.open("a") as order:
            order.write(f"{name} ")
        sys.exit()

    signal.signal(signal.SIGTERM, end)
    os.write(1, b"ready\n")
    signal.pause()


def hears_nothing() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(1, b"ready\n")
    while True:
        signal.pause()


def shows_itself() -> None:
    name = Path("/proc/self/comm").read_text().strip()
    os.write(1, f"{name}, {'alone' if os.getsid(0) == os.getpid() else 'in our session'}\n".encode())
    os.write(2, b"and this is an error\n")
    signal.pause()
