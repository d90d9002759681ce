"""What is said where a temporary file cannot be written: a full disk, mostly."""

from __future__ import annotations

import sqlite3

from stream.errors import NotWritten

__all__ = ["no_room"]


def no_room(error: OSError | sqlite3.Error) -> NotWritten:
    """Return the error that a user meets.

    Examples
    --------
    >>> str(no_room(OSError(28, "No space left on device")))
    'a temporary file cannot be written: No space left on device'
    """
    return NotWritten(
        f"a temporary file cannot be written: {getattr(error, 'strerror', None) or error}",
        hint="Make room, or set TMPDIR to a folder that has it; a replay of files goes on with --resume.",
    )
