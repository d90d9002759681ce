"""What a person says about files of history: each field is an option of the commands that read them.

The command line is made of these fields (`consumers.commands.options`); a `Flag` says how each is given.
Nothing here imports more than the standard library, so that ``--help`` is quick.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias

from stream.errors import WrongUse
from stream.files.sources import files_of

__all__ = [
    "ActionRule",
    "Condition",
    "FileOptions",
    "Flag",
    "Format",
    "Kind",
    "Layout",
    "Order",
    "RowOptions",
    "Sign",
    "columns",
    "factors",
    "pairs",
    "patterns",
    "replacements",
]

Kind: TypeAlias = Literal[
    "clicks", "songs", "releases", "feedback", "impressions", "labels", "merges", "artist-aliases"
]
Format: TypeAlias = Literal["csv", "tsv", "jsonl", "json", "parquet", "profiles"]

Sign: TypeAlias = Literal["=", "!=", "<", "<=", ">", ">="]

ROWS = "The rows"
EVENTS = "What becomes of a row"
TIMES = "Times"
SONGS = "Songs beside the clicks"


class Flag(NamedTuple):
    """How a field is given on the command line.

    Attributes
    ----------
    name
        As it is typed, with its dashes.
    help, metavar
        What ``--help`` says of it, and how it calls the value.
    panel
        The group of options that it stands in.
    parse
        Makes the field's value of the text that was given, or of all of them where `repeated`.
    repeated
        Whether it may be given several times.
    least, most
        Bounds of a number.
    """

    name: str
    help: str
    metavar: str | None = None
    panel: str | None = None
    parse: Callable[[Any], Any] | None = None
    repeated: bool = False
    least: float | None = None
    most: float | None = None


_CONDITION = re.compile(r"([^=<>]+?)(!=|<=|>=|=|<|>)(.*)", re.DOTALL)


@dataclass(frozen=True)
class Condition:
    """One ``--where``: a column's text is, or is not, `value`; or its number is less, or more."""

    column: str
    value: str
    sign: Sign = "="

    @property
    def compares_numbers(self) -> bool:
        """Whether `value` and what the column holds are compared as numbers."""
        return self.sign[0] in "<>"

    @classmethod
    def parse(cls, text: str, option: str = "--where") -> Condition:
        """Read ``column=value``, ``column!=value``, ``column>=number`` and so on.

        Examples
        --------
        >>> Condition.parse("page!=NextSong")
        Condition(column='page', value='NextSong', sign='!=')
        >>> Condition.parse("ms_played >= 30000")
        Condition(column='ms_played', value='30000', sign='>=')
        """
        found = _CONDITION.fullmatch(text)
        if not found or not found[1].strip(" !"):
            raise WrongUse(
                f"{option} {text!r}: write column=value, column!=value or column>=number (also <, <=, >)"
            )
        column, sign, value = found.groups()
        condition = cls(column, value, sign)  # type: ignore[arg-type]  # the pattern has no other signs
        return condition if not condition.compares_numbers else cls._of_numbers(condition, text, option)

    @classmethod
    def _of_numbers(cls, condition: Condition, text: str, option: str) -> Condition:
        try:
            finite = math.isfinite(float(condition.value))
        except ValueError:
            finite = False
        if not finite:
            raise WrongUse(
                f"{option} {text!r}: {condition.sign} compares numbers; {condition.value!r} is none"
            )
        return cls(condition.column.strip(), condition.value.strip(), condition.sign)


class ActionRule(NamedTuple):
    """One ``--action``: what a click is where a condition holds."""

    action: str
    when: Condition

    @classmethod
    def parse(cls, text: str) -> ActionRule:
        """Read ``action:condition``.

        Examples
        --------
        >>> ActionRule.parse("skip:skipped=true")
        ActionRule(action='skip', when=Condition(column='skipped', value='true', sign='='))
        """
        action, colon, condition = text.partition(":")
        if not colon:
            raise WrongUse(f"--action {text!r}: write ACTION:COLUMN=VALUE, as skip:skipped=true")
        return cls(action.strip(), Condition.parse(condition, "--action"))


@dataclass(frozen=True)
class Layout:
    """How a file is laid out, as far as its name and its first line do not say so.

    Attributes
    ----------
    format
        None: by the file's name (a ``.gz``, ``.zip`` and the like apart), else by its first line.
    delimiter
        Between columns. Empty: what the first lines show.
    columns
        The names of the columns, where the file has no header row.
    encoding
        Of the text; ``auto``: UTF-8, or UTF-16 and UTF-32 by their first bytes.
    skip
        Lines before the first row, or the header.
    header
        What the line with the names of the columns begins with, where others may stand before it.
    comment
        What a line begins with that is no row.
    records
        Where in one JSON text the rows are: a path to a list, or to an object of rows by their ids.
    member
        Of an archive: patterns of the names of the files that are meant; none: all of them.
    mend
        Whether to undo that text was UTF-8 and was read as Latin-1 before it came into the file.
    """

    format: Format | None = None
    delimiter: str = ""
    columns: tuple[str, ...] = ()
    encoding: str = "auto"
    mend: bool = False
    skip: int = 0
    comment: str = ""
    records: str = ""
    member: tuple[str, ...] = ()
    header: str = ""


def columns(text: str) -> tuple[str, ...]:
    """Return the columns of ``a,b,c``.

    Examples
    --------
    >>> columns("user, song")
    ('user', 'song')
    """
    return tuple(name.strip() for name in text.split(",")) if text else ()


def pairs(option: str) -> Callable[[Iterable[str]], dict[str, str]]:
    """Return what reads the ``name=value,...`` given, once or several times, to an option.

    Examples
    --------
    >>> pairs("--map")(["user_id=user,ts=day, at", "song_id=song"])
    {'user_id': 'user', 'ts': 'day, at', 'song_id': 'song'}
    """

    def read(texts: Iterable[str]) -> dict[str, str]:
        parts: list[str] = []
        for part in ",".join(texts).split(","):
            if "=" in part or not parts:
                parts.append(part)
            else:  # a column's name may have a comma
                parts[-1] += f",{part}"
        return dict(_pair(option, part) for part in parts if part)

    return read


def _pair(option: str, text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise WrongUse(f"{option} {text!r}: write NAME=VALUE")
    return name.strip(), value.strip()


def replacements(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """Read ``field:from=to,from=to``, given once or several times: field -> {from, in lower case: to}.

    Examples
    --------
    >>> replacements(["kind:Open=opened,unsubscribe=opted_out", "action:like=like"])
    {'kind': {'open': 'opened', 'unsubscribe': 'opted_out'}, 'action': {'like': 'like'}}
    """
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        name, colon, rest = text.partition(":")
        if not (colon and name.strip() and rest.strip()):
            raise WrongUse(f"--value {text!r}: write FIELD:VALUE=MEANING, as kind:open=opened")
        for given, meant in pairs("--value")([rest]).items():
            found.setdefault(name.strip(), {})[given.casefold()] = meant
    return found


def patterns(texts: Iterable[str]) -> dict[str, str]:
    """Read ``field:pattern``, given once or several times: field -> regular expression.

    Examples
    --------
    >>> patterns(["artist_ids:^(.+?) - "])
    {'artist_ids': '^(.+?) - '}
    """
    found = {}
    for text in texts:
        name, pattern = _of_field("--extract", text, "PATTERN, as artist_ids:'^(.+?) - '")
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            raise WrongUse(f"--extract {text!r}: {error}") from error
        if groups > 1:
            raise WrongUse(
                f"--extract {text!r} has {groups} groups: of which one is the value? (?:...) is none"
            )
        found[name] = pattern
    return found


def factors(texts: Iterable[str]) -> dict[str, float]:
    """Read ``field:factor``, given once or several times.

    Examples
    --------
    >>> factors(["ms_played:1000"])
    {'ms_played': 1000.0}
    """
    found = {}
    for text in texts:
        name, factor = _of_field("--multiply", text, "FACTOR, as ms_played:1000")
        try:
            found[name] = float(factor)
        except ValueError:
            found[name] = math.nan
        if not math.isfinite(found[name]):
            raise WrongUse(f"--multiply {text!r}: {factor!r} is no number")
    return found


def _of_field(option: str, text: str, example: str) -> tuple[str, str]:
    name, _, rest = text.partition(":")
    if not (name.strip() and rest.strip()):
        raise WrongUse(f"{option} {text!r}: write FIELD:{example}")
    return name.strip(), rest


def _constants(texts: Iterable[str]) -> dict[str, str]:
    return dict(_pair("--set", text) for text in texts)


def _conditions(texts: Iterable[str]) -> tuple[Condition, ...]:
    return tuple(Condition.parse(text) for text in texts)


def _action_rules(texts: Iterable[str]) -> tuple[ActionRule, ...]:
    return tuple(ActionRule.parse(text) for text in texts)


def _delimiter(text: str) -> str:
    return text.replace("\\t", "\t")


@dataclass(frozen=True)
class RowOptions:
    """What files of history look like, and how their rows become events.

    Times (`since`) are as a person types them: a time, or how long ago.
    """

    preset: Annotated[
        str,
        Flag(
            "--preset",
            "An export that `refrain presets` lists; found by itself where it is unmistakable, unless none.",
            "NAME",
            ROWS,
        ),
    ] = ""
    format: Annotated[
        Format | None, Flag("--format", "Else by the file's name, or its first line.", panel=ROWS)
    ] = None
    delimiter: Annotated[
        str, Flag("--delimiter", "Between columns, as ';' or '\\t'.", "CHAR", ROWS, _delimiter)
    ] = ""
    columns: Annotated[
        tuple[str, ...],
        Flag("--columns", "The columns of a file without a header row.", "A,B,...", ROWS, columns),
    ] = ()
    skip: Annotated[int, Flag("--skip", "Lines before the header, or the first row.", "N", ROWS, least=0)] = 0
    header: Annotated[
        str,
        Flag(
            "--header",
            "The line that names the columns begins so; those before it are no rows.",
            "TEXT",
            ROWS,
        ),
    ] = ""
    comment: Annotated[
        str,
        Flag(
            "--comment",
            "Lines that begin so are no rows; the last before the rows may name them.",
            "CHAR",
            ROWS,
        ),
    ] = ""
    records: Annotated[
        str,
        Flag(
            "--records",
            "Where in one JSON text the rows are: scrobbles, recenttracks.track, * for rows by their ids.",
            "PATH",
            ROWS,
        ),
    ] = ""
    member: Annotated[
        tuple[str, ...],
        Flag("--member", "Of a zip or a tar: only the files named so.", "PATTERN,...", ROWS, columns),
    ] = ()
    encoding: Annotated[
        str, Flag("--encoding", "Of the text; auto: UTF-8, or UTF-16 by its first bytes.", panel=ROWS)
    ] = "auto"
    mend: Annotated[
        bool, Flag("--mend-text", "Undo that UTF-8 was read as Latin-1: BjÃ¶rk becomes Björk.", panel=ROWS)
    ] = False
    where: Annotated[
        tuple[Condition, ...],
        Flag(
            "--where",
            "Only such rows (!= for the others; <, <=, >, >= for numbers). Repeated: all must hold.",
            "COLUMN=VALUE",
            ROWS,
            _conditions,
            repeated=True,
        ),
    ] = ()
    limit: Annotated[int | None, Flag("--limit", "The first N events only.", "N", ROWS, least=1)] = None
    mapping: Annotated[
        Mapping[str, str],
        Flag(
            "--map",
            "Field from column; a+b puts two together, a|b is b where a is empty. Other fields come from "
            "columns of their name.",
            "FIELD=COLUMN,...",
            EVENTS,
            pairs("--map"),
            repeated=True,
        ),
    ] = field(default_factory=dict)
    constants: Annotated[
        Mapping[str, str],
        Flag("--set", "The same for all. May be repeated.", "FIELD=VALUE", EVENTS, _constants, repeated=True),
    ] = field(default_factory=dict)
    values: Annotated[
        Mapping[str, Mapping[str, str]],
        Flag(
            "--value",
            "What a field's values mean, as kind:open=opened,unsubscribe=opted_out; in any case. May be "
            "repeated.",
            "FIELD:VALUE=MEANING,...",
            EVENTS,
            replacements,
            repeated=True,
        ),
    ] = field(default_factory=dict)
    percent_encoded: Annotated[
        tuple[str, ...],
        Flag("--percent-decode", "Fields written as in URLs: %C3%A9 is é.", "FIELD,...", EVENTS, columns),
    ] = ()
    extracts: Annotated[
        Mapping[str, str],
        Flag(
            "--extract",
            "The part of a column that a regular expression's group takes, as artist_ids:'^(.+?) - '. May be "
            "repeated.",
            "FIELD:PATTERN",
            EVENTS,
            patterns,
            repeated=True,
        ),
    ] = field(default_factory=dict)
    factors: Annotated[
        Mapping[str, float],
        Flag(
            "--multiply",
            "A column's number times a factor, rounded, as ms_played:1000 of seconds. May be repeated.",
            "FIELD:FACTOR",
            EVENTS,
            factors,
            repeated=True,
        ),
    ] = field(default_factory=dict)
    separator: Annotated[
        str, Flag("--separator", "Between several ids or names in one column.", "CHAR", EVENTS)
    ] = ""
    repeat: Annotated[
        str, Flag("--repeat", "The column that says how often it happened.", "COLUMN", EVENTS)
    ] = ""
    scale: Annotated[
        Literal["linear", "log2"],
        Flag("--repeat-scale", "For x in that column: x events, or ceil(log2(1 + x)).", panel=EVENTS),
    ] = "linear"
    time_format: Annotated[
        str,
        Flag(
            "--time-format",
            "auto (20180801: a day; other numbers: seconds, from 1e11 on milliseconds, 1e14 microseconds, "
            "1e17 nanoseconds; else ISO 8601), seconds, milliseconds, iso, or a pattern as "
            "'%d/%m/%Y %H:%M'.",
            "FORMAT",
            TIMES,
        ),
    ] = "auto"
    time_in_name: Annotated[
        str,
        Flag(
            "--ts-from-name",
            "The time is in the file's name, as '%Y%m%d_play.log' or 'day=%Y-%m-%d/*'.",
            "PATTERN",
            TIMES,
        ),
    ] = ""
    timezone: Annotated[
        str, Flag("--timezone", "Of times that name none: a name, or +05:30.", "NAME", TIMES)
    ] = "UTC"
    timezone_column: Annotated[
        str, Flag("--timezone-column", "The column with each row's time zone.", "COLUMN", TIMES)
    ] = ""
    since: Annotated[
        str, Flag("--since", "Leave out what was before: a time, or how long ago, as 90d.", "TIME", TIMES)
    ] = ""

    @property
    def layout(self) -> Layout:
        """How the files are laid out."""
        return Layout(
            self.format,
            self.delimiter,
            self.columns,
            self.encoding,
            self.mend,
            self.skip,
            self.comment,
            self.records,
            self.member,
            self.header,
        )


@dataclass(frozen=True)
class FileOptions(RowOptions):
    """The same of clicks, which may have a file of songs beside them."""

    actions: Annotated[
        tuple[ActionRule, ...],
        Flag(
            "--action",
            "What a click is where a condition holds, as skip:skipped=true. Repeated: the first that holds.",
            "ACTION:CONDITION",
            EVENTS,
            _action_rules,
            repeated=True,
        ),
    ] = ()
    distinct: Annotated[
        bool,
        Flag("--distinct", "The same listener, song and time once. Kept in a temporary file.", panel=EVENTS),
    ] = False
    split_artists: Annotated[
        Literal["known", "all"] | None,
        Flag(
            "--split-artists",
            "'A & B feat. C' is three artists; known: where the file knows A and B by themselves, too.",
            panel=EVENTS,
        ),
    ] = None
    known_artists: Annotated[
        Path | None, Flag("--known-artists", "Names that are never split, one a line.", "FILE", EVENTS)
    ] = None
    songs: Annotated[
        tuple[Path, ...],
        Flag(
            "--songs",
            "Says which artists made a song. Held in memory. May be repeated, or a pattern.",
            "FILE",
            SONGS,
            files_of,
            repeated=True,
        ),
    ] = ()
    songs_map: Annotated[
        Mapping[str, str],
        Flag(
            "--songs-map",
            "Their columns of song_id and artist_ids.",
            "FIELD=COLUMN,...",
            SONGS,
            pairs("--songs-map"),
            repeated=True,
        ),
    ] = field(default_factory=dict)
    songs_on: Annotated[
        Mapping[str, str],
        Flag(
            "--songs-on",
            "Columns of clicks and songs that are equal; else the song's id.",
            "CLICKS=SONGS,...",
            SONGS,
            pairs("--songs-on"),
            repeated=True,
        ),
    ] = field(default_factory=dict)
    songs_columns: Annotated[
        tuple[str, ...],
        Flag("--songs-columns", "Their columns, where they have no header row.", "A,B,...", SONGS, columns),
    ] = ()

    @property
    def songs_layout(self) -> Layout:
        """How the files of songs are laid out."""
        return Layout(columns=self.songs_columns, encoding=self.encoding, mend=self.mend)


@dataclass(frozen=True)
class Order:
    """In which order events are sent, and over which span: empty, as they come and with their own times."""

    shuffle: Annotated[
        int | None,
        Flag(
            "--shuffle",
            "In random order, the same for the same seed. Events wait in temporary files; memory holds a "
            "64th.",
            "SEED",
            EVENTS,
        ),
    ] = None
    spread: Annotated[
        str,
        Flag(
            "--spread",
            "Times evenly over 30d (up to now) or FROM..TO, in the order of sending.",
            "SPAN",
            TIMES,
        ),
    ] = ""
