"""What processes of tests do. In a module of its own: each process imports it."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
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


def shows_environment() -> None:
    sys.stdout.write(f"{sorted(os.environ)}\n")


def shows_what_was_not_imported(modules: Sequence[str]) -> None:
    sys.stdout.write(f"not imported: {[module for module in modules if module not in sys.modules]}\n")


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


def takes_its_time() -> None:
    """End some time after it is asked to."""
    signal.signal(signal.SIGTERM, lambda number, frame: None)
    os.write(1, b"ready\n")
    signal.pause()
    time.sleep(60)


def shows_itself() -> None:
    name = Path("/proc/self/comm").read_text().strip()
    os.write(1, f"{name}, {'alone' if os.getsid(0) == os.getpid() else 'in our session'}\n".encode())
    os.write(2, b"and this is an error\n")
    signal.pause()
