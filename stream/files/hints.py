"""What to try where a row cannot be used, or only in part."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from datetime import UTC
from typing import Any

from stream.files.columns import is_missing, plain
from stream.files.fields import Remark
from stream.files.kinds import CHOICES, KINDS, LISTS, TIMES
from stream.files.options import Kind
from stream.files.times import MILLISECONDS_FROM, PATTERNS, time_reader
from stream.wire.dead_letter import Reason

__all__ = ["field_of", "hint_for"]

WRONG_CLOCK = (
    "--time-format says what the numbers are (seconds, milliseconds), --spread 30d gives times instead, "
    "--where leaves such rows out"
)
_UNDECODED = re.compile("[\udc80-\udcff]")  # what stands for a byte that is no UTF-8
HINTS: dict[str, str] = {
    Reason.NOT_JSON: "--format csv or tsv, where it is no JSON lines",
    Reason.TOO_LARGE: "map fewer fields",
    Reason.UNKNOWN_SONG: "add the song to the file of --songs, or say who made it: --map artist_ids=COLUMN",
    Reason.FUTURE: WRONG_CLOCK,
    Remark.EARLY: WRONG_CLOCK,
    Remark.LATE: WRONG_CLOCK,
    Remark.SPLIT: "--known-artists FILE with names that are not to be split",
    Remark.FLOAT_ID: "write the column as whole numbers or text, if ids end in .0 on purpose",
}
"""By reason or remark, where the field does not matter."""


def field_of(kind: Kind, detail: str) -> str:
    """Return the field that a reason's detail begins with; "" where it is about the whole row.

    Examples
    --------
    >>> field_of("clicks", "artist_ids.0: 7.5 is no id"), field_of("clicks", "3 columns, not 4")
    ('artist_ids', '')
    """
    name = detail.partition(":")[0].partition(".")[0].partition(" ")[0]
    return name if name in KINDS[kind].fields else ""


def hint_for(kind: Kind, what: str, field: str, value: Any, column: str, columns: Sequence[str] = ()) -> str:
    """Return what to try; "" where nothing is to be done.

    Parameters
    ----------
    what
        The reason that a row cannot be used, or the remark on it.
    field, value, column
        The field that it is about, what stands there, and the column it comes from ("": none).
    columns
        Those of the file, where its rows do not name their own.

    Examples
    --------
    >>> hint_for("feedback", "bad-value", "kind", "open", "kind")
    '--value kind:open=MEANING, one of sent, not_sent, opened, clicked, dismissed, opted_out, played'
    >>> hint_for("clicks", "bad-time", "ts", "31/12/2023 14:00", "day")
    "--time-format '%d/%m/%Y %H:%M'"
    >>> hint_for("clicks", "bad-time", "ts", "01/02/2023", "day")
    "--time-format '%d/%m/%Y' or --time-format '%m/%d/%Y'"
    """
    if isinstance(value, str) and not value.isascii() and _UNDECODED.search(value):
        hint = "--encoding, as --encoding cp1252: it is no UTF-8"
    elif what in HINTS:
        hint = HINTS[what]
    elif what == Reason.MISSING_FIELD:
        hint = _for_missing(kind, field, column, columns)
    elif field in TIMES:
        hint = _for_time(value)
    elif field in CHOICES:
        word = shlex.quote(f"{field}:{plain(value) or 'VALUE'}=MEANING")
        hint = f"--value {word}, one of {', '.join(CHOICES[field])}"
    elif what == Reason.BAD_ID or field in LISTS:
        hint = _for_id(field, value)
    elif field:
        hint = f"--map {field}=COLUMN, where another column has it"
    else:
        hint = "--delimiter, where columns are not told apart"
    return hint


def _for_missing(kind: Kind, field: str, column: str, columns: Sequence[str]) -> str:
    if not column:
        there = f" (there are {', '.join(filter(None, columns))})" if columns else ""
        ways = [f"--map {field}=COLUMN says which column it is{there}"]
        if any(map(_is_value, columns)):
            ways.append("--columns A,B,... names them, where the first line is a row")
    else:
        ways = [
            f"--where {shlex.quote(column + '!=')} leaves such rows out",
            f"--map {field}=COLUMN takes another column",
        ]
    if field == "ts":
        ways += ["--ts-from-name, where the file's name says when", "--spread 30d, where nothing does"]
    if kind == "labels" and field == "ts":
        ways = ["--set ts=2026-05-01 says when labels were given", *ways[:1]]
    if kind == "merges" and field == "ts":
        ways = ["--set ts=2026-05-01 says when it became known", *ways[:1]]
    if field == "song_id" and kind == "clicks":
        ways.append("--set action=search, where they are searches")
    if field not in ("ts", "song_id"):
        ways.append(f"--set {field}=VALUE gives all the same")
    return "; ".join(ways)


def _is_value(name: str) -> bool:
    """Say whether what a column is called is rather a value: a number, or a day."""
    return name[:1].isdecimal() and not name.strip("0123456789.:-/ ")


def _for_time(value: Any) -> str:
    written = [pattern for pattern in PATTERNS if _is_written(pattern, value)]
    if written:
        return " or ".join(f"--time-format {pattern!r}" for pattern in written[:2])
    number = value if isinstance(value, int | float) else None
    if number is not None and abs(number) >= MILLISECONDS_FROM:
        return "--time-format milliseconds"
    return "--time-format says how times are written, as '%d/%m/%Y %H:%M'"


def _is_written(pattern: str, value: Any) -> bool:
    try:
        time_reader(pattern, UTC)(value)
    except (ValueError, OverflowError):
        return False
    return True


def _for_id(field: str, value: Any) -> str:
    if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value)):
        return f"--map {field}=COLUMN.ENTRY takes one entry of an object, as artist.id"
    if isinstance(value, str) and "%" in value:
        return f"--percent-decode {field}, where it is written as in a URL"
    if isinstance(value, list) and field not in LISTS:
        return f"--map {field}=COLUMN of a column with one id"
    if is_missing(value):
        return f"--map {field}=COLUMN says which column it is"
    return "an id has 1 to 256 bytes, no braces and no control characters; --where leaves such rows out"
