"""One row of a table, as an event, or why it is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import to_json

from stream.files.credits import Credits
from stream.files.fields import Note, Remark, Source
from stream.files.impressions import Impression
from stream.files.kinds import ID_LISTS, TIMES, Shape, is_id
from stream.files.plain_clicks import Clicks, PlainClicks
from stream.files.songs import Join
from stream.files.tables import Bad, Block, Column, Row
from stream.files.times import utc_text
from stream.wire.dead_letter import Reason
from stream.wire.events import NO_SONG, ClickEvent, lacks_song
from stream.wire.parsing import FUTURE_SECONDS, MAX_EVENT_BYTES, why

__all__ = ["EARLY", "Event", "Finish", "LeftOut", "RowEvents", "Unreadable", "finisher"]

EARLY = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
"""Unix seconds: what is before is rather a number that was no time, or a clock that was never set."""


class Event(NamedTuple):
    """An event ready to go: so many times. Where times are spread, its ``ts`` is not in it yet.

    `notes` is what a person should know of its row.
    """

    key: bytes
    value: bytes
    copies: int = 1
    notes: Sequence[Note] = ()


class LeftOut(NamedTuple):
    """A row that was not asked for (``--where``, ``--since``, repeated 0 times)."""

    line: int


class Unreadable(Exception):
    """A column does not hold what its field needs."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason, self.detail = reason, detail


Finish = Callable[[dict[str, Any], list[Note]], bytes]
"""Checks an event by the rules of the wire and gives its JSON; raises `Unreadable`."""


@dataclass(frozen=True)
class RowEvents:
    """Makes events of the rows of one table.

    Attributes
    ----------
    shape
        What kind of events.
    sources, constants
        Where each field comes from, and fields that are the same for all.
    wanted
        Which rows are asked for; None: all.
    actions
        What a click is where a condition holds: of the first that does.
    repeat, copies
        The column that says how often it happened, and what reads it.
    join
        Completes a click from files of songs.
    splitter
        Says who the artists in a credit are; None: it is one artist.
    since
        Unix seconds: what was before is left out.
    finish
        Checks an event and gives its JSON.
    plain
        Makes most clicks of a block sooner; None where nothing does.
    """

    shape: Shape
    sources: Mapping[str, Source]
    constants: Mapping[str, Any]
    wanted: Callable[[Any], bool] | None
    actions: Sequence[tuple[str, Callable[[Any], bool]]]
    repeat: str
    copies: Column | None
    join: Join | None
    splitter: Credits | None
    since: float | None
    finish: Finish
    plain: PlainClicks | None = None

    def __call__(self, row: Row) -> Event | LeftOut | Bad:
        """Return the event of a row."""
        if self.wanted and not self.wanted(row.values):
            return LeftOut(row.line)
        notes: list[Note] = []
        try:
            event = self._read(row.values, notes)
            copies = self._times(row.values)
            if copies <= 0 or (self.since is not None and event.get("ts", self.since) < self.since):
                return LeftOut(row.line)
            self._complete(event, row.values)
            if self.splitter:
                _split(event, self.splitter, notes)
            value = self.finish(event, notes)
        except Unreadable as bad:
            return Bad(row.line, bad.reason, bad.detail, row.values)
        return Event(event[self.shape.key].encode(), value, copies, notes)

    def of_block(self, block: Block) -> Iterator[Clicks | Row]:
        """Go through the clicks of rows, and rows that take a call of their own, in their order."""
        if self.plain is None:
            yield from block.rows()
            return
        made, odd = self.plain(block)
        if self.wanted:
            odd.update(at for at, row in enumerate(block.rows()) if not self.wanted(row.values))
        start = 0
        for at in sorted(odd):
            if start < at:
                yield Clicks(made, start, at)
            yield block.row(at)
            start = at + 1
        if start < made.size:
            yield Clicks(made, start, made.size)

    def column(self, field: str) -> str:
        """Return which column, or option, a field comes from; "" where from none."""
        if source := self.sources.get(field):
            return source.column
        if field in self.constants:
            return "--set"
        return "--songs" if self.join and field in ("song_id", "artist_ids") else ""

    def raw(self, field: str, values: Any) -> tuple[str, Any]:
        """Return which column, or option, a field comes from, and what a row has there; "" and None: none."""
        source = self.sources.get(field)
        return self.column(field), source.raw(values) if source else self.constants.get(field)

    def _read(self, values: Any, notes: list[Note]) -> dict[str, Any]:
        event = dict(self.constants)
        for name, source in self.sources.items():
            try:
                value = source.read(values, notes)
            except (ValueError, OverflowError) as error:
                if name not in self.shape.droppable:
                    raise Unreadable(_reason(name), f"{name}: {error}") from error
                notes.append(Note(Remark.DROPPED, name, f"{name}: {error}"))
                continue
            if value is not None:
                event[name] = value
        for action, holds in self.actions:
            if holds(values):
                event["action"] = action
                break
        return event

    def _complete(self, event: dict[str, Any], values: Any) -> None:
        if self.join and (missing := self.join(event, values)):
            raise Unreadable(Reason.UNKNOWN_SONG, missing)

    def _times(self, values: Any) -> int:
        try:
            return self.copies(values) if self.copies else 1
        except (ValueError, OverflowError) as error:
            raise Unreadable(Reason.BAD_VALUE, f"{self.repeat}: {error}") from error


def _split(event: dict[str, Any], splitter: Credits, notes: list[Note]) -> None:
    """Let lists of artists be of those in each credit."""
    for field in sorted(ID_LISTS & event.keys()):
        given = event[field]
        if not (isinstance(given, list) and all(isinstance(name, str) for name in given)):
            continue  # the check of the event says so
        made = [artist for name in given for artist in splitter.artists(name)]
        if made == given:
            continue
        said = next(name for name in given if splitter.artists(name) != [name])
        notes.append(Note(Remark.SPLIT, field, f"{field}: {said!r} is {' | '.join(splitter.artists(said))}"))
        event[field] = list(dict.fromkeys(made))
        if field == "artist_ids" and "artist_names" in event:
            if event["artist_names"] == given:
                event["artist_names"] = event[field]
            elif len(made) != len(given):
                del event["artist_names"]
                detail = f"artist_names: they are of {len(given)} artists, who are {len(made)} by now"
                notes.append(Note(Remark.DROPPED, "artist_names", detail))


def _reason(field: str) -> Reason:
    if field in TIMES:
        return Reason.BAD_TIME
    return Reason.BAD_ID if is_id(field) else Reason.BAD_VALUE


def finisher(shape: Shape, now: float, *, spread: bool) -> Finish:
    """Return what checks events of a kind at `now`; with `spread` those that get their ``ts`` later."""
    validate = _checker(shape)
    without = {"ts"} if spread else None
    is_click = shape.model is ClickEvent

    def finish(raw: dict[str, Any], notes: list[Note]) -> bytes:
        if spread:
            raw["ts"] = 0.0
        event = validate(raw, notes)
        if is_click and lacks_song(event):
            raise Unreadable(Reason.MISSING_FIELD, NO_SONG)
        if isinstance(event, Impression):
            event = event.feedback()
        if isinstance(event, BaseModel):
            value = event.model_dump_json(exclude_none=True, exclude=without, by_alias=True).encode()
        else:
            if spread:
                del event["ts"]
            value = to_json(event)
        if len(value) > MAX_EVENT_BYTES:
            raise Unreadable(Reason.TOO_LARGE, f"{len(value)} bytes; an event has at most {MAX_EVENT_BYTES}")
        if not spread:
            _check_time(event["ts"] if is_click else getattr(event, "ts", None), now, notes, refuse=is_click)
        return value

    return finish


def _checker(shape: Shape) -> Callable[[dict[str, Any], list[Note]], Any]:
    """Return what parses an event; a field that is of no use, and can be done without, is dropped."""
    parse: Callable[[Any], Any] = TypeAdapter(shape.model).validate_python

    def validate(raw: dict[str, Any], notes: list[Note]) -> Any:
        try:
            return parse(raw)
        except ValidationError as error:
            bad = {str(each["loc"][0]) for each in error.errors(include_url=False) if each["loc"]}
            if not bad & shape.droppable:
                raise Unreadable(*why(error)) from error
        kept = {name: value for name, value in raw.items() if name not in bad & shape.droppable}
        try:
            event = parse(kept)
        except ValidationError as error:
            raise Unreadable(*why(error)) from error
        for name in sorted(bad & shape.droppable):
            notes.append(Note(Remark.DROPPED, name, _fault(parse, kept, name, raw[name])))
        return event

    return validate


def _fault(parse: Callable[[Any], Any], kept: dict[str, Any], name: str, value: Any) -> str:
    """Return what is wrong with one field of an event that is else in order."""
    try:
        parse(kept | {name: value})
    except ValidationError as error:
        return why(error)[1]
    return name


def _check_time(ts: float | None, now: float, notes: list[Note], *, refuse: bool) -> None:
    if ts is None or EARLY <= ts <= now + FUTURE_SECONDS:
        return
    if ts < EARLY:
        notes.append(Note(Remark.EARLY, "ts", f"ts: {ts:.0f} is {utc_text(ts)}"))
        return
    ahead = f"ts {ts:.0f} is {ts - now:.0f} s ahead of the clock"
    if refuse:
        raise Unreadable(Reason.FUTURE, ahead)
    notes.append(Note(Remark.LATE, "ts", f"ts: {ahead[3:]}"))
