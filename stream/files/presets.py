"""Exports that people have, by their names: the table in presets.toml, as options.

A preset is options and nothing else, the same that a person could type.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from stream.errors import WrongUse
from stream.files.options import FileOptions, Flag, Kind, RowOptions

__all__ = ["NONE", "Preset", "options_of", "over", "presets", "presets_called"]

NONE = "none"
"""Typed for a preset: read it plainly."""

TABLE = Path(__file__).with_name("presets.toml")

T = TypeVar("T", bound=RowOptions)


@dataclass(frozen=True)
class Preset:
    """One layout of an export.

    Attributes
    ----------
    name
        As it is typed. It also stands for all whose names begin with it and a dash.
    what, means
        Which files of which export; where it comes from, and what its columns mean.
    options, with_songs
        How it is read, as typed; and how a file of songs beside it is, where there is one (``--songs``).
    kinds
        What its rows become.
    columns, only
        Columns that a file must have to be one, with ``|`` between those of which one is enough; whether it
        must have no others.
    lines, first
        What half of the first lines, and the first line, must be like: regular expressions.
    read_by
        Options to look at it by, where `options` are not for its rows; "": by `options`.
    found
        Whether a file may be taken for one without being called so.
    """

    name: str
    what: str
    means: str
    options: str
    with_songs: str = ""
    kinds: tuple[Kind, ...] = ("clicks",)
    columns: tuple[str, ...] = ()
    only: bool = False
    lines: str = ""
    first: str = ""
    read_by: str = ""
    found: bool = True

    @cached_property
    def parsed(self) -> FileOptions:
        """All its options."""
        return options_of(f"{self.options} {self.with_songs}")

    @cached_property
    def looked_at(self) -> FileOptions:
        """The options by which its rows are looked at, to say whether a file is one."""
        return options_of(self.read_by) if self.read_by else self.parsed

    def to_json(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "name": self.name,
            "what": self.what,
            "means": self.means,
            "kinds": list(self.kinds),
            "options": shlex.split(self.options),
            "with_songs": shlex.split(self.with_songs),
        }


@cache
def presets() -> tuple[Preset, ...]:
    """Return all, in the order of the table.

    Examples
    --------
    >>> presets()[0].name, presets()[0].parsed.constants
    ('spotify', {'user_id': 'me'})
    """
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["preset"]
    return tuple(Preset(**{name: _plain(value) for name, value in row.items()}) for row in rows)


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(value)
    return " ".join(value.split("\n")) if isinstance(value, str) else value


def presets_called(name: str, kind: Kind) -> list[Preset]:
    """Return those that a name stands for, the one that is called exactly so first.

    Raises
    ------
    WrongUse
        Where there is none for such events.

    Examples
    --------
    >>> [preset.name for preset in presets_called("movielens", "clicks")]
    ['movielens', 'movielens-1m', 'movielens-100k']
    """
    called = [preset for preset in presets() if preset.name == name or preset.name.startswith(f"{name}-")]
    if not called:
        raise WrongUse(
            f"there is no preset {name!r}; there are {', '.join(preset.name for preset in presets())}",
            hint="`refrain presets` shows what each reads.",
        )
    fit = [preset for preset in called if kind in preset.kinds]
    if not fit:
        of = ", ".join(f"{preset.name} ({', '.join(preset.kinds)})" for preset in called)
        raise WrongUse(f"{name} is no preset for {kind}: {of}")
    return fit


def options_of(text: str) -> FileOptions:
    """Return options as they are typed behind a command.

    Raises
    ------
    WrongUse
        Where there is no such option, or its value cannot be read.

    Examples
    --------
    >>> options_of("--skip 2 --map ts=day --map song_id=title --distinct") == FileOptions(
    ...     skip=2, mapping={"ts": "day", "song_id": "title"}, distinct=True
    ... )
    True
    """
    flags = {flag.name: (name, kind, flag) for name, kind, flag in _flags()}
    values: dict[str, Any] = {}
    words = iter(shlex.split(text))
    for word in words:
        if word not in flags:
            raise WrongUse(f"there is no option {word!r} for a file")
        name, kind, flag = flags[word]
        if kind is bool:
            values[name] = True
            continue
        given = next(words, None)
        if given is None:
            raise WrongUse(f"{word} needs a value")
        if flag.repeated:
            values.setdefault(name, []).append(given)
        else:
            values[name] = given if flag.parse else _typed(kind)(given)
    parsers = {name: flag.parse for name, _, flag in flags.values()}
    return FileOptions(
        **{name: parse(value) if (parse := parsers[name]) else value for name, value in values.items()}
    )


def _flags() -> Iterator[tuple[str, Any, Flag]]:
    hints = get_type_hints(FileOptions, include_extras=True)
    for entry in fields(FileOptions):
        kind, *notes = get_args(hints[entry.name])
        yield from ((entry.name, kind, note) for note in notes if isinstance(note, Flag))


def _typed(kind: Any) -> Any:
    return next((each for each in (int, float, Path) if each in (kind, *get_args(kind))), str)


def over(own: T, preset: Preset, *, without_times: bool = False) -> T:
    """Return options with those of a preset where nothing of their own is said.

    A field that has a column, a value or a time of its own has none of the preset's. A condition
    (``--where``) stands for those of the preset on the same column. How a file of songs is read is taken
    where one is named.

    Parameters
    ----------
    without_times
        Whether events get their times otherwise (``--spread``).

    Examples
    --------
    >>> spotify = presets()[0]
    >>> made = over(FileOptions(constants={"user_id": "ann"}, limit=3), spotify)
    >>> made.constants, made.mapping["song_id"], made.limit
    ({'user_id': 'ann'}, 'trackName', 3)
    """
    given = preset.parsed
    said = {*own.mapping, *own.constants}
    if without_times or own.time_in_name:
        said.add("ts")
    changes: dict[str, Any] = {"preset": NONE}
    for entry in fields(own):
        mine, theirs = getattr(own, entry.name), getattr(given, entry.name)
        if entry.name == "where":
            columns = {condition.column.strip() for condition in mine}
            changes["where"] = (*mine, *(each for each in theirs if each.column.strip() not in columns))
        elif entry.name in PER_FIELD:
            changes[entry.name] = {name: value for name, value in theirs.items() if name not in said} | mine
        elif mine == _default(entry):
            changes[entry.name] = theirs
    if "ts" in said:
        changes.pop("time_in_name", None)
    if without_times:
        changes.pop("distinct", None)
    if not getattr(own, "songs", None):
        changes = {name: value for name, value in changes.items() if not name.startswith("songs")}
    return replace(own, **changes | {"preset": NONE})


PER_FIELD = frozenset({"mapping", "constants", "values", "extracts", "factors"})
"""Options that are said of each field of an event by itself."""


def _default(entry: Any) -> Any:
    return entry.default if entry.default is not MISSING else entry.default_factory()
