"""The options that say what files of listening history look like, alike in all commands that read such."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stream.errors import WrongUse

if TYPE_CHECKING:
    from consumers.replay.plan import Plan
    from stream.files.recipe import Kind

__all__ = [
    "Columns",
    "Constants",
    "Delimiter",
    "Encoding",
    "Files",
    "Format",
    "Limit",
    "Mapping",
    "Mend",
    "Repeat",
    "Scale",
    "Separator",
    "Shuffle",
    "Since",
    "Songs",
    "SongsColumns",
    "SongsMap",
    "SongsOn",
    "Spread",
    "TimeFormat",
    "Timezone",
    "Where",
    "named_columns",
    "pairs",
    "plan_of",
]


def rows(name: str, text: str, metavar: str | None = None, **more: Any) -> Any:
    """An option that says what the files look like."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="The rows", **more)


def events(name: str, text: str, metavar: str | None = None) -> Any:
    """An option that says what becomes of a row."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="What becomes of a row")


def times(name: str, text: str, metavar: str | None = None) -> Any:
    """An option about time."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="Times")


def beside(name: str, text: str, metavar: str | None = None, **more: Any) -> Any:
    """An option about the file of songs."""
    return typer.Option(name, help=text, metavar=metavar, rich_help_panel="Songs beside the clicks", **more)


Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE...", help="CSV, TSV or JSON lines, gzipped or not.", exists=True, dir_okay=False
    ),
]
Format = Annotated[
    Literal["csv", "tsv", "jsonl"] | None, rows("--format", "Else by the file's name, or its first line.")
]
Delimiter = Annotated[str, rows("--delimiter", "Between columns, as ';' or '\\t'.", "CHAR")]
Columns = Annotated[str, rows("--columns", "The columns of a file without a header row.", "A,B,...")]
Encoding = Annotated[str, rows("--encoding", "Of the text.")]
Mend = Annotated[bool, rows("--mend-text", "Undo that UTF-8 was read as Latin-1: BjÃ¶rk becomes Björk.")]
Where = Annotated[
    list[str] | None,
    rows("--where", "Only such rows (!= for the others). Repeated: all must hold.", "COLUMN=VALUE"),
]
Mapping = Annotated[
    list[str] | None,
    events(
        "--map",
        "Field from column; a+b puts two columns together. Other fields come from columns of their name.",
        "FIELD=COLUMN,...",
    ),
]
Constants = Annotated[list[str] | None, events("--set", "The same for all. May be repeated.", "FIELD=VALUE")]
Separator = Annotated[str, events("--separator", "Between several ids or names in one column.", "CHAR")]
Repeat = Annotated[str, events("--repeat", "The column that says how often it happened.", "COLUMN")]
Scale = Annotated[
    Literal["linear", "log2"],
    events("--repeat-scale", "For x in that column: x events, or ceil(log2(1 + x))."),
]
Shuffle = Annotated[
    int | None,
    events(
        "--shuffle",
        "In random order, the same for the same seed. Events wait in temporary files; memory holds a 64th.",
        "SEED",
    ),
]
TimeFormat = Annotated[
    str,
    times(
        "--time-format",
        "auto (a number: seconds, from 1e11 on milliseconds; else ISO 8601), seconds, milliseconds, iso, "
        "or a pattern as '%d/%m/%Y %H:%M'.",
        "FORMAT",
    ),
]
Timezone = Annotated[str, times("--timezone", "Of times that name none.", "NAME")]
Spread = Annotated[
    str, times("--spread", "Times evenly over 30d (up to now) or FROM..TO, in the order of sending.", "SPAN")
]
Since = Annotated[
    str, times("--since", "Leave out what was before: a time, or how long ago, as 90d.", "TIME")
]
Songs = Annotated[
    Path | None,
    beside("--songs", "Says which artists made a song. Held in memory.", "FILE", exists=True, dir_okay=False),
]
SongsMap = Annotated[
    list[str] | None, beside("--songs-map", "Its columns of song_id and artist_ids.", "FIELD=COLUMN,...")
]
SongsOn = Annotated[
    list[str] | None,
    beside(
        "--songs-on", "Columns of clicks and songs that are equal; else the song's id.", "CLICKS=SONGS,..."
    ),
]
SongsColumns = Annotated[
    str, beside("--songs-columns", "Its columns, where it has no header row.", "A,B,...")
]
Limit = Annotated[int | None, rows("--limit", "The first N events only.", "N", min=1)]


def plan_of(
    kind: Kind,
    files: Sequence[Path],
    *,
    file_format: Literal["csv", "tsv", "jsonl"] | None,
    delimiter: str,
    columns: str,
    encoding: str,
    mend: bool,
    where: Sequence[str] | None,
    mapping: Sequence[str] | None,
    constants: Sequence[str] | None,
    separator: str,
    repeat: str,
    scale: Literal["linear", "log2"],
    time_format: str,
    timezone: str,
    since: str,
    songs: Path | None,
    songs_map: Sequence[str] | None,
    songs_on: Sequence[str] | None,
    songs_columns: str,
    limit: int | None,
    shuffle: int | None = None,
    spread: str = "",
) -> Plan:
    """Return what the options ask for.

    Raises
    ------
    WrongUse
        Where they cannot be, or not together.
    """
    from consumers.replay.plan import Plan
    from stream.files import Condition, Layout, Recipe

    recipe = Recipe(
        kind,
        mapping=pairs("--map", mapping),
        constants=dict(_pair("--set", text) for text in constants or ()),
        where=tuple(Condition.parse(text) for text in where or ()),
        repeat=repeat,
        scale=scale,
        time_format=time_format,
        timezone=timezone,
        separator=separator,
        spread=bool(spread),
    )
    layout = Layout(
        file_format, delimiter.replace("\\t", "\t") or None, named_columns(columns), encoding, mend
    )
    return Plan(
        recipe,
        tuple(files),
        layout,
        songs,
        Layout(columns=named_columns(songs_columns), encoding=encoding, mend=mend),
        pairs("--songs-map", songs_map),
        pairs("--songs-on", songs_on),
        shuffle,
        spread,
        since,
        limit,
    )


def named_columns(text: str) -> tuple[str, ...]:
    """Return the columns of ``a,b,c``."""
    return tuple(name.strip() for name in text.split(",")) if text else ()


def pairs(option: str, texts: Sequence[str] | None) -> dict[str, str]:
    """Return ``name=value,...``, given once or several times to an option, as a dictionary.

    Raises
    ------
    WrongUse
        Where it is not so written.
    """
    parts: list[str] = []
    for part in ",".join(texts or ()).split(","):
        if "=" in part or not parts:
            parts.append(part)
        else:  # a column's name may have a comma
            parts[-1] += f",{part}"
    return dict(_pair(option, part) for part in parts if part)


def _pair(option: str, text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise WrongUse(f"{option} {text!r}: write NAME=VALUE")
    return name.strip(), value.strip()
