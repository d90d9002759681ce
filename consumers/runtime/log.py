"""A process's log: a line for each event, as text or, for what gathers logs, as JSON.

What a line is about, beside its message, is bound where it is known
(``with bound_contextvars(release_id="r1"):``), and is in every line that is logged within, whoever logs it.
"""

from __future__ import annotations

import logging
import os
import sys
from datetime import datetime

from structlog import contextvars, processors, stdlib

__all__ = ["log_json", "log_lines"]

DIM, RED, YELLOW, PLAIN = "\033[2m", "\033[31m", "\033[33m", "\033[0m"
PROCESS = "process"  # the name of who logs; a line of text stands in the log of one process
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
        message = record.getMessage()
        if self._coloured:
            at, level = f"{DIM}{at}{PLAIN}", f"{COLOURS.get(record.levelno, '')}{level}{PLAIN}"
        about = contextvars.get_contextvars()
        message += "".join(
            f" {name}={value}"
            for name, value in about.items()
            if name != PROCESS and str(value) not in message
        )
        line = f"{at} {level} {_printable(message)}"
        if not record.exc_info:
            return line
        return "\n".join([line, *map(_printable, self.formatException(record.exc_info).split("\n"))])


def _printable(text: str) -> str:
    r"""Return a text with what a terminal would obey, in place of showing it, as Python writes it.

    Examples
    --------
    >>> print(_printable("Olá\n\x1b[2J"))
    Olá\n\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in text)


def _json() -> logging.Formatter:
    """Return what makes JSON of lines, those of libraries too, with what they are about."""
    return stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            contextvars.merge_contextvars,
            processors.TimeStamper("iso", utc=True, key="at"),
            stdlib.add_log_level,
            stdlib.add_logger_name,
            stdlib.ExtraAdder(),
        ],
        processors=[
            stdlib.ProcessorFormatter.remove_processors_meta,
            processors.format_exc_info,
            processors.EventRenamer("message"),
            processors.JSONRenderer(ensure_ascii=False, default=str),
        ],
    )


def log_lines() -> None:
    """Let everything logged from here on go to standard error as text, coloured where that is a terminal.

    Where a log is set up already, by `log_json` or by a program that runs a process within it, that stays.
    """
    _log(_Text(coloured=sys.stderr.isatty() and not os.environ.get("NO_COLOR")))


def log_json() -> None:
    """Let everything logged from here on go to standard error as JSON."""
    _log(_json())


def _log(formatter: logging.Formatter) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
