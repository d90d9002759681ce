"""A process's log: one line an event, with a time that has its zone."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

LONG = "word " * 100
CODE = f"""
import logging
from consumers.runtime.log import log_lines
log_lines()
logging.getLogger("x").info("first")
logging.getLogger("x").warning({LONG!r} + "\\nend")
"""
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d"


def environment(**more: str) -> dict[str, str]:
    return {**{name: value for name, value in os.environ.items() if name != "NO_COLOR"}, **more}


def test_an_event_is_one_line_however_long_with_an_iso_time_and_its_zone() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        env=environment(TZ="Asia/Kolkata"),
    )
    first, second = ran.stderr.splitlines()
    assert re.fullmatch(rf"{TIME} INFO    first", first)
    assert re.fullmatch(rf"{TIME} WARNING {LONG}\\nend", second)
    assert "+05:30 " in first


def on_a_terminal(**more: str) -> str:
    ours, theirs = pty.openpty()
    try:
        subprocess.run([sys.executable, "-c", CODE], stderr=theirs, check=True, env=environment(**more))
        return os.read(ours, 65_536).decode()
    finally:
        os.close(ours)
        os.close(theirs)


def test_there_are_colours_on_a_terminal() -> None:
    assert "\033[33mWARNING" in on_a_terminal()


def test_there_are_none_where_nobody_wants_them() -> None:
    assert "\033" not in on_a_terminal(NO_COLOR="1")
