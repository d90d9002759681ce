"""A process's log as JSON, one object a line, for what gathers logs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

__all__ = ["log_json"]


class _Line(logging.Formatter):
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


def log_json() -> None:
    """Let everything logged from here on go to standard error as JSON lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Line())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
