"""The time in a file's name, as of logs that are written a day each."""

from __future__ import annotations

import re
from datetime import tzinfo
from pathlib import PurePath

from stream.errors import WrongUse
from stream.files.times import time_reader

__all__ = ["time_in_name"]

_DIGITS = {"Y": r"\d{4}", "j": r"\d{3}", "f": r"\d{1,6}"} | dict.fromkeys("mdHIMSyUW", r"\d\d")
_NAMES = dict.fromkeys("aAbBpZ", r"[^\W\d_]+") | {"z": r"[+-]\d\d:?\d\d"}
_PART = re.compile(r"%(.)|(\*)|([^%*]+)", re.DOTALL)


def time_in_name(path: PurePath, pattern: str, timezone: tzinfo) -> float:
    """Return the moment that a file's name says, in Unix seconds.

    Parameters
    ----------
    path
        The file. As many of its folders are looked at as the pattern has; what stands behind the pattern is
        no matter where that begins with a dot, as ``.gz``.
    pattern
        As of ``strptime``; ``*`` stands for anything.
    timezone
        Of a name that names none.

    Raises
    ------
    WrongUse
        Where the name is not so, or the pattern can be of no name.

    Examples
    --------
    >>> from datetime import UTC
    >>> time_in_name(PurePath("logs/20170301_play.log.gz"), "%Y%m%d_play.log", UTC)
    1488326400.0
    >>> time_in_name(PurePath("clicks/day=2017-03-01/part-0.csv"), "day=%Y-%m-%d/*", UTC)
    1488326400.0
    """
    looked_at = "/".join(path.parts[-1 - pattern.count("/") :])
    expression, directives = _expression(pattern)
    found = re.fullmatch(rf"{expression}(?:\.\w+)*", looked_at)
    hint = "%Y, %m and %d are year, month and day, * is anything: --ts-from-name '%Y%m%d_play.log'."
    if not found:
        raise WrongUse(f"--ts-from-name {pattern!r}: the file {looked_at} is not named so", hint=hint)
    try:
        return time_reader(" ".join(directives), timezone)(" ".join(found.groups()))
    except (ValueError, OverflowError) as error:
        raise WrongUse(
            f"--ts-from-name {pattern!r}: {looked_at} has no such time: {error}", hint=hint
        ) from error


def _expression(pattern: str) -> tuple[str, list[str]]:
    """Return the regular expression of a pattern, with a group for each of its directives."""
    expression, directives = "", []
    for directive, anything, text in _PART.findall(pattern):
        if directive == "%" or text:
            expression += re.escape(text or "%")
        elif anything:
            expression += "[^/]*"
        elif part := (_DIGITS | _NAMES).get(directive):
            expression += f"({part})"
            directives.append(f"%{directive}")
        else:
            raise WrongUse(f"--ts-from-name {pattern!r}: %{directive} is not known here")
    if not directives:
        raise WrongUse(f"--ts-from-name {pattern!r} has no time in it: write it as '%Y%m%d_play.log'")
    return expression, directives
