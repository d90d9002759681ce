"""A process's log: a line for each event, as text or, for what gathers logs, as JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

__all__ = ["log_json", "log_lines"]

DIM, RED, YELLOW, PLAIN = "\033[2m", "\033[31m", "\033[33m", "\033[0m"
COLOURS = {logging.WARNING: YELLOW, logging.ERROR: RED, logging.CRITICAL: RED}


class _Text(logging.Formatter):
    """``2026-03-01T12:00:00.123+01:00 WARNING message``: a traceback is all that takes further lines.

    Parameters
    ----------
    coloured
        Whether it is for a terminal.
    """

    def __init__(self, *, coloured: bool) -> None:
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        level = f"{record.levelname:<7}"
        message = record.getMessage().replace("\n", "\\n")
        if self._coloured:
            at, level = f"{DIM}{at}{PLAIN}", f"{COLOURS.get(record.levelno, '')}{level}{PLAIN}"
        line = f"{at} {level} {message}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_lines() -> None:
    """Let everything logged from here on go to standard error as text, coloured where that is a terminal.

    Where a log is set up already, by `log_json` or by a program that runs a process within it, that stays.
    """
    _log(_Text(coloured=sys.stderr.isatty() and not os.environ.get("NO_COLOR")))


def log_json() -> None:
    """Let everything logged from here on go to standard error as JSON."""
    _log(_Json())


def _log(formatter: logging.Formatter) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
