"""How a row of a file becomes an event: what the options of `refrain replay` say, made ready for a table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from stream.errors import WrongUse
from stream.files.columns import SCALES, column, id_of, is_missing, list_of, wanted
from stream.files.gathered import Part, together
from stream.files.impressions import Impression
from stream.files.options import Kind, RowOptions
from stream.files.songs import Join, SongFile
from stream.files.tables import Bad, Column, Row, Table
from stream.files.times import time_reader, zone
from stream.wire.events import (
    FUTURE_SECONDS,
    MAX_EVENT_BYTES,
    NO_SONG,
    ClickEvent,
    Feedback,
    Label,
    Reason,
    Release,
    Song,
    lacks_song,
    why,
)

__all__ = ["KINDS", "Event", "LeftOut", "Recipe"]


class _Shape(NamedTuple):
    model: Any
    key: str
    fields: frozenset[str]
    topic: str


KINDS: dict[str, _Shape] = {
    "clicks": _Shape(ClickEvent, "user_id", frozenset(ClickEvent.__annotations__), "clicks"),
    "songs": _Shape(Song, "song_id", frozenset(Song.model_fields), "songs"),
    "releases": _Shape(Release, "release_id", frozenset(Release.model_fields), "releases"),
    "feedback": _Shape(Feedback, "user_id", frozenset(Feedback.model_fields), "feedback"),
    "labels": _Shape(Label, "user_id", frozenset(Label.model_fields), "labels"),
    "impressions": _Shape(Impression, "user_id", frozenset(Impression.model_fields), "feedback"),
}
"""What each kind of event is, which of its fields is the key, which fields it has, and where it goes."""

GATHERED = frozenset({"songs", "releases"})
LISTS = frozenset({"artist_ids", "artist_names", "genres", "featuring", "similar_to"})
TIMES = frozenset({"ts", "released_at"})


class Event(NamedTuple):
    """An event ready to go: so many times. Where times are spread, its ``ts`` is not in it yet."""

    key: bytes
    value: bytes
    copies: int = 1


class LeftOut(NamedTuple):
    """A row that was not asked for (``--where``, ``--since``, repeated 0 times)."""

    line: int


@dataclass(frozen=True)
class Recipe:
    """How the rows of any table become events of a kind.

    Attributes
    ----------
    kind
        Which events the rows become.
    options
        How they become such.
    spread
        Whether events get their ``ts`` later.
    since
        Events before it (Unix seconds) are left out.

    Raises
    ------
    WrongUse
        Where the options do not go with the kind, or with each other.
    """

    kind: Kind
    options: RowOptions = field(default_factory=RowOptions)
    spread: bool = False
    since: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise WrongUse(f"there are no {self.kind!r} to replay; there are {', '.join(KINDS)}")
        fields = KINDS[self.kind].fields
        for name in (*self.options.mapping, *self.options.constants):
            if name not in fields:
                raise WrongUse(f"{self.kind} have no field {name!r}; they have {', '.join(sorted(fields))}")
        if twice := sorted(set(self.options.mapping) & set(self.options.constants)):
            raise WrongUse(f"{twice[0]} has both a column and a constant: leave one of them out")
        if self.spread and ("ts" not in fields or "ts" in {*self.options.mapping, *self.options.constants}):
            raise WrongUse(
                "--spread gives events their ts: it needs a kind that has one, and none from a column"
            )
        if self.since is not None and (self.spread or "ts" not in fields):
            raise WrongUse(
                "--since goes by the events' own ts: it needs a kind that has one, and no --spread"
            )

    @property
    def gathers(self) -> bool:
        """Whether several rows may make one event: a song or a release that has a row for each artist."""
        return self.kind in GATHERED

    def together(self, parts: Sequence[Part]) -> Event | list[Bad]:
        """Return the one event of several rows, or each row as a bad one where it cannot be."""
        if len(parts) == 1:
            return Event(parts[0].key, parts[0].value)
        raw = together(part.value for part in parts)
        try:
            return Event(parts[0].key, _finisher(KINDS[self.kind], self.spread)(raw))
        except _Unreadable as bad:
            detail = f"{bad.detail} (with the other rows of {parts[0].key.decode()})"
            return [Bad(part.line, bad.reason, detail, json.loads(part.value)) for part in parts]

    def ready(self, table: Table, songs: SongFile | None = None) -> Callable[[Row], Event | LeftOut | Bad]:
        """Return what makes an event of each row of a table.

        Raises
        ------
        WrongUse
            Where a column that is named is not there.
        """
        shape = KINDS[self.kind]
        fields = {name: self._field(name, table) for name in self.options.mapping}
        for name in shape.fields - set(self.options.mapping) - set(self.options.constants):
            if table.has(name) and not (self.spread and name == "ts"):
                fields[name] = self._field(name, table)
        return _Maker(
            key=shape.key,
            fields=fields,
            constants={name: self._constant(name, value) for name, value in self.options.constants.items()},
            wanted=wanted(table, self.options.where),
            repeat=self.options.repeat,
            copies=self._copies(table),
            join=songs.ready(table) if songs else None,
            since=self.since,
            finish=_finisher(shape, self.spread),
        )

    def _field(self, name: str, table: Table) -> Column:
        get = column(table, self.options.mapping.get(name, name))
        if name in TIMES:
            read = time_reader(self.options.time_format, zone(self.options.timezone))
            return lambda values: None if is_missing(value := get(values)) else read(value)
        return self._typed(name, get)

    def _typed(self, name: str, get: Column) -> Column:
        if name in LISTS:
            return lambda values: list_of(get(values), self.options.separator)
        return (lambda values: id_of(get(values))) if name.endswith("_id") else get

    def _constant(self, name: str, value: str) -> Any:
        if name in TIMES:
            try:
                return time_reader(self.options.time_format, zone(self.options.timezone))(value)
            except ValueError as error:
                raise WrongUse(f"--set {name}={value}: {error}") from error
        return self._typed(name, lambda _: value)(None)

    def _copies(self, table: Table) -> Callable[[Any], int] | None:
        if not self.options.repeat:
            return None
        get, times = column(table, self.options.repeat), SCALES[self.options.scale]
        return lambda values: times(get(values))


class _Unreadable(Exception):
    """A column does not hold what its field needs."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class _Maker:
    key: str
    fields: Mapping[str, Column]
    constants: Mapping[str, Any]
    wanted: Callable[[Any], bool]
    repeat: str
    copies: Column | None
    join: Join | None
    since: float | None
    finish: Callable[[dict[str, Any]], bytes]

    def __call__(self, row: Row) -> Event | LeftOut | Bad:
        if not self.wanted(row.values):
            return LeftOut(row.line)
        try:
            event = self._read(row.values)
            copies = self._times(row.values)
            if copies <= 0 or (self.since is not None and event.get("ts", self.since) < self.since):
                return LeftOut(row.line)
            self._complete(event, row.values)
            value = self.finish(event)
        except _Unreadable as bad:
            return Bad(row.line, bad.reason, bad.detail, row.values)
        return Event(event[self.key].encode(), value, copies)

    def _read(self, values: Any) -> dict[str, Any]:
        event, name = dict(self.constants), ""
        try:
            for name, get in self.fields.items():
                value = get(values)
                if not is_missing(value):
                    event[name] = value
        except (ValueError, OverflowError) as error:
            raise _Unreadable(Reason.BAD_TIME, f"{name}: {error}") from error
        return event

    def _complete(self, event: dict[str, Any], values: Any) -> None:
        if self.join and (missing := self.join(event, values)):
            raise _Unreadable(Reason.UNKNOWN_SONG, missing)

    def _times(self, values: Any) -> int:
        try:
            return self.copies(values) if self.copies else 1
        except (ValueError, OverflowError) as error:
            raise _Unreadable(Reason.BAD_VALUE, f"{self.repeat}: {error}") from error


def _finisher(shape: _Shape, spread: bool) -> Callable[[dict[str, Any]], bytes]:
    """Return what checks an event by the rules of the wire, and gives its JSON."""
    validate: Callable[[Any], Any] = TypeAdapter(shape.model).validate_python
    without = {"ts"} if spread else None
    is_click = shape.model is ClickEvent

    def finish(raw: dict[str, Any]) -> bytes:
        if spread:
            raw["ts"] = 0.0
        try:
            event = validate(raw)
        except ValidationError as error:
            raise _Unreadable(*why(error)) from error
        if is_click and lacks_song(event):
            raise _Unreadable(Reason.MISSING_FIELD, NO_SONG)
        if isinstance(event, Impression):
            event = event.feedback()
        if isinstance(event, BaseModel):
            value = event.model_dump_json(exclude_none=True, exclude=without, by_alias=True).encode()
        else:
            if spread:
                del event["ts"]
            value = to_json(event)
        if len(value) > MAX_EVENT_BYTES:
            raise _Unreadable(Reason.TOO_LARGE, f"{len(value)} bytes; an event has at most {MAX_EVENT_BYTES}")
        if is_click and not spread and event["ts"] > (now := time.time()) + FUTURE_SECONDS:
            ahead = f"ts {event['ts']:.0f} is {event['ts'] - now:.0f} s ahead of the clock"
            raise _Unreadable(Reason.FUTURE, ahead)
        return value

    return finish
