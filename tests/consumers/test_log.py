"""A process's log: one line an event, with a time that has its zone."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from datetime import datetime, timedelta

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


DRIVES = """
import logging
from structlog.contextvars import bound_contextvars
from consumers.runtime.log import log_lines
log_lines()
with bound_contextvars(path="/a\\x1b[2J"):
    try:
        raise ValueError("b\\x9b2J")
    except ValueError:
        logging.exception("c\\u202ed")
"""


def test_what_is_logged_does_not_drive_the_terminal() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", DRIVES], capture_output=True, text=True, check=True, env=environment()
    )
    first, *_, last = ran.stderr.splitlines()
    assert first.endswith(r"c\u202ed path=/a\x1b[2J")
    assert last == r"ValueError: b\x9b2J"
    assert ran.stderr.replace("\n", "").isprintable()


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


JSON = """
import logging
from structlog.contextvars import bound_contextvars
from consumers.runtime.log import log_json
log_json()
with bound_contextvars(process="work-1", release_id="r1"):
    logging.getLogger("aiokafka").warning("Kafka is %s", "away", extra={"broker": 3})
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("x").exception("Olá")
logging.getLogger("x").info("after")
"""


def test_lines_of_json_say_what_they_are_about_whoever_logs_them() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", JSON], capture_output=True, text=True, check=True, env=environment()
    )
    first, second, third = map(json.loads, ran.stderr.splitlines())
    about = {"process": "work-1", "release_id": "r1"}
    assert datetime.fromisoformat(first.pop("at")).utcoffset() == timedelta(0)
    assert first == {
        "level": "warning",
        "logger": "aiokafka",
        "message": "Kafka is away",
        "broker": 3,
        **about,
    }
    assert second["message"] == "Olá"
    assert second["exception"].endswith("ZeroDivisionError: division by zero")
    assert about.items() <= second.items()
    assert third.keys() == {"at", "level", "logger", "message"}


TEXT = """
import logging
from structlog.contextvars import bound_contextvars
from consumers.runtime.log import log_lines
log_lines()
with bound_contextvars(process="work-1", release_id="r1"):
    logging.warning("Redis is away")
    logging.info("release r1: 3 pages")
"""


def test_lines_of_text_say_what_they_are_about_where_the_message_does_not() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", TEXT], capture_output=True, text=True, check=True, env=environment()
    )
    first, second = ran.stderr.splitlines()
    assert first.endswith("Redis is away release_id=r1")
    assert second.endswith("release r1: 3 pages")
