"""Every event on the wire: what it must hold, and what becomes of one that does not.

The JSON Schemas in ``docs/schemas/`` are generated from here (``python -m stream.wire.events docs/schemas``).
"""

from __future__ import annotations

import json
import re
import sys
from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Required, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypedDict

from models.listener import Click, OffsetSource
from models.traits.lifecycle import STAGES
from models.traits.where import NUMBERS, SEGMENT, STAGE, Where
from stream.wire.composed import nfc
from stream.wire.where import parse_where, read_where, where_json

__all__ = [
    "EVENTS",
    "FUTURE_SECONDS",
    "MAX_DEAD_LETTER",
    "MAX_EVENT_BYTES",
    "NO_SONG",
    "ArtistAlias",
    "Click",
    "ClickEvent",
    "CohortChange",
    "DeadLetter",
    "Feedback",
    "Headers",
    "Label",
    "Merge",
    "Page",
    "Reason",
    "Record",
    "Release",
    "Song",
    "StageChange",
    "Summary",
    "Undecodable",
    "encode",
    "headers_of_producer",
    "is_framed",
    "json_schemas",
    "lacks_song",
    "parse",
    "parse_clicks",
    "why",
]

MAX_EVENT_BYTES = 64 * 1024
"""A larger event is a mistake: no field of any event needs so much."""

FUTURE_SECONDS = 300.0
"""How far ahead of the clock a click may be: under forward decay a click from far ahead outweighs a life."""

MOST_MS = 2**53
"""Milliseconds played: what is more is no time, and no number that every reader of JSON holds."""

MAX_ID_BYTES = 256

MAX_ARTISTS = 32
"""Of one song, release or click."""

MAX_DEAD_LETTER = 2 * 1024 * 1024
"""Bytes: what was too large for its reader still fits into ``dead-letters``, with headers that say why."""

HEADERS_BYTES = 4096
HEADER_BYTES = 20
"""Of one header beside its name and value: their lengths, at most."""

PRODUCERS_HEADERS_BYTES = 64 * 1024
"""Of the producer's own headers in a dead letter: trace ids and the like, not a second value."""

OUR_HEADERS = frozenset({"reason", "detail", "topic", "partition", "offset", "last_offset"})

FRAME_BYTES = 5
"""Before a value that a serializer of Confluent's Schema Registry wrote: 0, and four bytes of schema id."""

QUOTED = 80  # characters of a value that a reason quotes


class Reason(StrEnum):
    """Why an event cannot be used: the closed list in the header ``reason`` of a dead letter."""

    NOT_JSON = "not-json"
    MISSING_FIELD = "missing-field"
    BAD_ID = "bad-id"
    BAD_TIME = "bad-time"
    BAD_VALUE = "bad-value"
    FUTURE = "too-far-in-the-future"
    UNKNOWN_SONG = "unknown-song"
    TOO_LARGE = "too-large"
    UNDECODABLE = "undecodable-batch"
    SCHEMA_REGISTRY = "schema-registry"
    UNDELIVERED = "undelivered"


CONTROLS = r"\x00-\x1f\x7f-\x9f{}"
BLANKS = (
    r" \u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0"
)
"""What nobody sees: an id of these alone names nothing. Spelled out: engines differ on what is blank."""
BLANK = re.compile(f"[{BLANKS}]+")
ID_PATTERN = f"^[^{CONTROLS}]*[^{CONTROLS}{BLANKS}][^{CONTROLS}]*$"

MAX_EXACT = 2**53
"""Beyond it a float may stand for several integers, so for several ids."""


def _composed_and_short_enough(value: str) -> str:
    if value.isascii():
        return value
    value = nfc(value)
    if len(value.encode()) > MAX_ID_BYTES:
        raise ValueError(f"an id has at most {MAX_ID_BYTES} bytes of UTF-8")
    return value


def _text_of_float(value: Any) -> str:
    if type(value) is float and value.is_integer() and abs(value) <= MAX_EXACT:
        return str(int(value))
    raise ValueError("neither text nor an integer")


Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_ID_BYTES,
        pattern=ID_PATTERN,
        description=(
            f"1 to {MAX_ID_BYTES} bytes of UTF-8 without control characters and braces, and not blank; "
            "read in the composed form, NFC"
        ),
    ),
    AfterValidator(_composed_and_short_enough),
]
"""An id as Refrain writes it."""

COMPOSED = AfterValidator(nfc)
Name = Annotated[str, COMPOSED]
"""What people read: a title, a name, a genre."""

OF_UNION = ""
"""Stands in the place of an error for the way in which an id was tried to be read."""


class _IdOfWire:
    """Makes ``Annotated[str, _IdOfWire()]``: an id as it is read; an integer is its text.

    The text comes first and succeeds first: ids that are texts do not pay for those that are numbers.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        digits = core_schema.str_schema(coerce_numbers_to_str=True, max_length=MAX_ID_BYTES)
        ways = [
            handler.generate_schema(Text),
            core_schema.chain_schema([core_schema.int_schema(strict=True), digits]),
            core_schema.no_info_plain_validator_function(_text_of_float),
        ]
        return core_schema.union_schema([(way, OF_UNION) for way in ways], mode="left_to_right")

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        text = TypeAdapter(Text).json_schema()
        return {"anyOf": [text, {"type": "integer", "description": "the same as its text"}]}


Id = Annotated[str, _IdOfWire()]


class _IsoOfWire:
    """Makes ``Annotated[datetime, _IsoOfWire()]``: ISO 8601 with an offset, and nothing else.

    pydantic's own datetime also takes numbers, in text too, and guesses whether they are milliseconds.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        # A chain stays inside pydantic's compiled core; a Python validator on every click does not.
        date_first = core_schema.str_schema(pattern=r"^\d{4}-\d\d-\d\d[Tt _]", strict=True)
        return core_schema.chain_schema([date_first, handler(AwareDatetime)])

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "format": "date-time", "description": "ISO 8601 with an offset"}


IsoTime = Annotated[datetime, _IsoOfWire()]
Seconds = Annotated[float, Field(strict=True, allow_inf_nan=False, description="Unix seconds")]
WireTime = Seconds | IsoTime


def seconds(value: float | datetime) -> float:
    """Return a time of the wire as Unix seconds.

    Examples
    --------
    >>> seconds(datetime.fromisoformat("2020-01-01T01:00:00+01:00"))
    1577836800.0
    """
    return value.timestamp() if isinstance(value, datetime) else float(value)


class _SecondsOfWire:
    """Makes ``Annotated[float, _SecondsOfWire()]``: read as `WireTime`, held as seconds."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(Annotated[WireTime, AfterValidator(seconds)])


Time = Annotated[float, _SecondsOfWire()]


def _where(given: Any) -> Where:
    if isinstance(given, Where):
        return given
    if isinstance(given, str):
        return parse_where(given)
    if isinstance(given, dict):
        return read_where(given)
    raise ValueError(
        'conditions are an object, such as {"churn": {"max": 0.8}}, or a text, such as churn<=0.8'
    )


class _WhereOfWire:
    """Makes ``Annotated[Where, _WhereOfWire()]``: conditions as `stream.wire.where` reads and says them."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        said = core_schema.plain_serializer_function_ser_schema(where_json)
        return core_schema.no_info_plain_validator_function(_where, serialization=said)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        bounds = {name: {"type": "number"} for name in ("min", "max", "above", "below")}
        number = {"type": "object", "properties": bounds, "additionalProperties": False, "minProperties": 1}
        stage = {"enum": list(STAGES)}
        conditions = {
            "type": "object",
            "description": "trait -> what it must be: of a stage one or several, of a number its bounds",
            "properties": {
                STAGE: {"anyOf": [stage, {"type": "array", "items": stage, "minItems": 1}]},
                **dict.fromkeys(NUMBERS, number),
            },
            "patternProperties": {f"^{SEGMENT}.": number},
            "additionalProperties": False,
        }
        text = {"type": "string", "description": "the same as a text: churn<=0.8 and stage=regular|fading"}
        return {"anyOf": [conditions, text]}


WireWhere = Annotated[Where, _WhereOfWire()]

Action = Literal["play", "complete", "like", "download", "search", "skip"]


class ClickEvent(TypedDict, total=False):
    """What a listener did with a song. Key: user_id. Unknown fields are ignored.

    A search may come without a song.
    """

    # A dictionary, not a model: it parses in 3 microseconds instead of 8, and clicks are the one event that
    # comes by the ten thousand a second.

    user_id: Required[Id]
    song_id: Id
    ts: Required[Annotated[Seconds, Field(ge=0)] | IsoTime]
    artist_ids: Annotated[list[Id], Field(max_length=MAX_ARTISTS)]
    action: Action
    ms_played: Annotated[int, Field(ge=0, le=MOST_MS)]
    event_id: Id
    city: Annotated[str, Field(max_length=256), COMPOSED]
    utc_offset_min: Annotated[int, Field(ge=-1440, le=1440)]
    device: Annotated[str, Field(max_length=256), COMPOSED]
    query: Annotated[str, Field(max_length=1024), COMPOSED]


E = TypeVar("E", bound=BaseModel)


NO_SONG = "song_id: only a search may have none"


def lacks_song(event: ClickEvent) -> bool:
    """Say whether a click names no song, and is no search."""
    return "song_id" not in event and event.get("action") != "search"


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Song(_Event):
    """A song of the catalogue. Key: song_id. `artist_names` stand in the order of `artist_ids`."""

    song_id: Id
    artist_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_ARTISTS)]
    title: Name | None = None
    artist_names: list[Name] = []
    genres: list[Name] = []
    label: Id | None = None
    duration_ms: Annotated[int, Field(ge=0)] | None = None
    released_at: Time | None = None


def _said_or_not(value: object) -> object:
    """Read a yes or no as tables have it: no, and nothing, is not said."""
    word = value.strip().casefold() if isinstance(value, str) else value
    if word in ("true", "1", 1):
        return True
    return None if word in ("", "false", "0", 0) else value


Undo = Annotated[Literal[True] | None, BeforeValidator(_said_or_not)]
"""Whether an event takes back what another said; None where it does not say so."""


class ArtistAlias(_Event):
    """An id of an artist that stands for another one: a name spelt otherwise, an id of before. Key: alias.

    From then on whatever names `alias` is about `artist_id`, which may stand for another itself. `undo`, or
    an event without a value, lets it stand for itself again.
    """

    alias: Id
    artist_id: Id | None = None
    undo: Undo = None

    @model_validator(mode="after")
    def _stands_for_another(self) -> ArtistAlias:
        if self.artist_id is None and not self.undo:
            raise ValueError("artist_id: an alias names the artist that it stands for, or says undo")
        if self.artist_id == self.alias and not self.undo:
            raise ValueError("artist_id: an id cannot be an alias of itself")
        return self


class Release(_Event):
    """A new track, or an announcement of one: asks for the audience to tell. Key: release_id.

    `where`: conditions on listeners' traits, all of which those meet who are told.
    """

    release_id: Id
    artist_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_ARTISTS)]
    song_id: Id | None = None
    title: Name | None = None
    genres: list[Name] = []
    label: Id | None = None
    featuring: list[Id] = []
    similar_to: list[Id] = []
    max_audience: Annotated[int, Field(ge=1)] | None = None
    min_ctr: Annotated[float, Field(ge=0, le=1)] | None = None
    where: WireWhere | None = None
    ts: Time | None = None


class Page(_Event):
    """At most 1,000 listeners to tell of a release, best first, and the cohort of each. Key: release_id.

    `ctrs`: how likely each is to click, once that is learned. `propensities`: how likely each was to be told
    by this wave, as the listeners stood then, 1 for those it was certain of. `wave`: from 1, of a release
    that goes out in waves. `policies`: in an A/B test, by which policy each is told.
    """

    release_id: Text
    page: Annotated[int, Field(ge=0)]
    user_ids: Annotated[list[Text], Field(min_length=1, max_length=1000)]
    cohort_ids: list[Text]
    scores: list[float]
    ctrs: list[float] | None = None
    propensities: list[float] | None = None
    wave: int | None = None
    policies: list[str] | None = None
    model_version: int
    emitted_at: float

    @model_validator(mode="before")
    @classmethod
    def _read_one_cohort(cls, given: Any) -> Any:
        # An earlier version fixed pages of one cohort each; one that is not out yet may wait in Redis.
        if isinstance(given, dict) and "cohort_id" in given and "cohort_ids" not in given:
            return given | {"cohort_ids": [given["cohort_id"]] * len(given.get("user_ids", ()))}
        return given


class Summary(_Event):
    """The last word on a release: how many pages and listeners there were. Key: release_id.

    `left_out`: why others who would have been told are not, and how many. `waves`: how many there were, of a
    release that went out in waves.
    """

    release_id: Text
    done: Literal[True] = True
    pages: int
    users: int
    cohorts: int
    reason: str
    left_out: dict[str, int] | None = None
    waves: int | None = None


class Feedback(_Event):
    """What a listener did when told of a release. Key: user_id. `played` comes from Refrain itself.

    `history`: true where Refrain did not choose who was told, as it was told before. `artist_ids`: with
    opted_out, of whom the listener wants to hear no more; without it they want to hear of no release.
    """

    release_id: Id
    user_id: Id
    kind: Literal["sent", "not_sent", "opened", "clicked", "dismissed", "opted_out", "played"]
    ts: Time
    history: bool | None = None
    artist_ids: Annotated[list[Id], Field(min_length=1, max_length=MAX_ARTISTS)] | None = None

    @model_validator(mode="after")
    def _names_artists_to_opt_out_of(self) -> Feedback:
        if self.artist_ids and self.kind != "opted_out":
            raise ValueError("artist_ids go with the kind opted_out")
        return self


def _label_value(given: Any) -> Any:
    """Read 0 and 1 in whatever way a file or a program writes them; all else stays a class."""
    truth = {"0": 0, "1": 1, "false": 0, "true": 1}
    return truth.get(str(given).lower(), given) if isinstance(given, bool | int | str) else given


LabelValue = Annotated[
    Literal[0, 1]
    | Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f-\x9f{}]+$"), COMPOSED],
    BeforeValidator(_label_value),
]


def _without_colon(value: str) -> str:
    if ":" in value:
        raise ValueError("the name of a segment has no colon: SEGMENT:CLASS is one of its classes")
    return value


class Label(_Event):
    """Whether a listener is in a segment, or of which class: of a survey, a panel. Key: user_id.

    A later one of the same listener and segment, by `ts`, replaces an earlier one.
    """

    user_id: Id
    segment: Annotated[Id, AfterValidator(_without_colon)]
    value: LabelValue
    ts: Time


class Merge(_Event):
    """An id, such as that of an anonymous visitor, turns out to be a known listener. Key: user_id.

    From then on whatever `user_id` does counts for `into`. `undo`, without `into`, makes it a listener of its
    own again; a merge that was undone is not made once more by another event with the same `merge_id`.
    """

    user_id: Id
    into: Id | None = None
    merge_id: Id | None = None
    undo: Undo = None
    ts: Time

    @model_validator(mode="after")
    def _names_another(self) -> Merge:
        if (self.into is None) != bool(self.undo):
            raise ValueError("a merge names the listener (into), or says undo, and not both")
        if self.into == self.user_id:
            raise ValueError("into: an id cannot become part of itself")
        return self


class CohortChange(_Event):
    """A listener has moved from one cohort to another; "" is no cohort. Key: user_id."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    user_id: Text
    origin: Annotated[str, Field(alias="from")]
    to: str
    reason: Literal["click", "refresh", "rebirth", "merge", "dormant"]
    model_version: int
    ts: float


class StageChange(_Event):
    """A listener has gone from one stage of life to another; "" is none. Key: user_id."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    user_id: Text
    origin: Annotated[str, Field(alias="from")]
    to: str
    ts: float


EVENTS: dict[str, tuple[Any, ...]] = {
    "clicks": (ClickEvent,),
    "songs": (Song,),
    "artist-aliases": (ArtistAlias,),
    "releases": (Release,),
    "audiences": (Page, Summary),
    "feedback": (Feedback,),
    "labels": (Label,),
    "merges": (Merge,),
    "cohort-changes": (CohortChange,),
    "stage-changes": (StageChange,),
}
"""The events of each topic."""


Headers = Sequence[tuple[str, bytes | None]]


class Record(NamedTuple):
    """An event as Kafka holds it, with its place."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Framed(bytes):
    """A value that a serializer of a Schema Registry wrote, byte by byte as it came.

    Parameters
    ----------
    json
        The JSON that it stands for.
    fault
        Why there is none.
    """

    json: bytes
    fault: str

    def __new__(cls, value: bytes, json: bytes = b"", *, fault: str = "") -> Framed:
        made = super().__new__(cls, value)
        made.json, made.fault = json, fault
        return made


class Undecodable(bytes):
    """Stands, empty, for the value of the single record that an undecodable batch comes as.

    Parameters
    ----------
    first, last
        The offsets that are lost with it.
    why
        What its decoder says.
    """

    first: int
    last: int
    detail: str

    def __new__(cls, first: int, last: int, why: str) -> Undecodable:
        made = super().__new__(cls)
        made.first, made.last = first, last
        made.detail = f"no record can be read of the batch with offsets {first} to {last}: {why}"
        return made


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that cannot be used, as it came, and why."""

    record: Record
    reason: Reason
    detail: str

    @property
    def value(self) -> bytes:
        """The bytes as they came: none where there were none, the beginning where they are too many."""
        kept = sum(map(_size, self._producers_own()))
        room = MAX_DEAD_LETTER - len(self.record.key or b"") - HEADERS_BYTES - kept
        return (self.record.value or b"")[:room]

    @property
    def headers(self) -> list[tuple[str, bytes | None]]:
        """The headers it carries in the topic ``dead-letters``: the producer's, then ours."""
        topic, partition, offset, _, value, _ = self.record
        headers = self._producers_own()
        headers += [
            ("reason", self.reason.value.encode()),
            ("detail", self.detail.encode()[:1024]),
            ("topic", topic.encode()),
            ("partition", str(partition).encode()),
            ("offset", str(value.first if isinstance(value, Undecodable) else offset).encode()),
        ]
        if isinstance(value, Undecodable):
            headers.append(("last_offset", str(value.last).encode()))
        return headers

    def _producers_own(self) -> list[tuple[str, bytes | None]]:
        own, room = [], PRODUCERS_HEADERS_BYTES
        for header in headers_of_producer(self.record.headers):
            if (size := _size(header)) <= room:
                own.append(header)
                room -= size
        return own


def headers_of_producer(headers: Headers) -> list[tuple[str, bytes | None]]:
    """Return the headers that are not of the names that Refrain gives in a dead letter."""
    return [(name, value) for name, value in headers if name not in OUR_HEADERS]


def _size(header: tuple[str, bytes | None]) -> int:
    return len(header[0].encode()) + len(header[1] or b"") + HEADER_BYTES


_CLICK = TypeAdapter(ClickEvent)
_read_click = _CLICK.validator.validate_json


def parse_clicks(
    records: Iterable[Record], now: float, epoch: int = 0
) -> tuple[list[Click], list[DeadLetter]]:
    """Parse a batch of clicks; a bad one never takes a good one with it.

    Parameters
    ----------
    records
        What Kafka gave, in its order.
    now
        The clock, in Unix seconds: a click more than `FUTURE_SECONDS` ahead of it is not used.
    epoch
        How often the topic has been made anew: its offsets have begun again from 0 as often.

    Returns
    -------
    The clicks, in the same order (their `artist_ids` are empty where the event named none: the catalogue
    knows them), and the dead letters.

    Examples
    --------
    >>> good = Record("clicks", 0, 7, b"u1", b'{"user_id": "u1", "song_id": "s1", "ts": 1.5}')
    >>> clicks, dead = parse_clicks([good, Record("clicks", 0, 8, None, b"{")], now=2.0)
    >>> clicks[0].ts, dead[0].reason.value
    (1.5, 'not-json')
    """
    clicks: list[Click] = []
    dead: list[DeadLetter] = []
    latest = now + FUTURE_SECONDS
    source_of = cache(partial(OffsetSource, epoch=epoch))
    for record in records:
        value = record.value
        if value is None or len(value) > MAX_EVENT_BYTES:
            dead.append(_unusable(record))
            continue
        try:
            event = _read_click(value)
        except ValidationError as error:
            try:
                event = _read_click(_bare(value, error))
            except ValidationError as error:
                dead.append(_refused(record, error))
                continue
        ts = event["ts"]
        ts = ts if isinstance(ts, float) else seconds(ts)
        if ts < 0:
            dead.append(DeadLetter(record, Reason.BAD_TIME, f"ts: {event['ts']} is before 1970"))
            continue
        if lacks_song(event):
            dead.append(DeadLetter(record, Reason.MISSING_FIELD, NO_SONG))
            continue
        if ts > latest:
            dead.append(DeadLetter(record, Reason.FUTURE, _ahead(ts, now)))
            continue
        clicks.append(
            Click(
                event["user_id"],
                source_of(record.partition),
                record.offset,
                ts,
                event.get("song_id", ""),
                tuple(dict.fromkeys(event.get("artist_ids", ()))),
                event.get("action", "play"),
                False,
                event.get("utc_offset_min"),
                event.get("ms_played"),
                event.get("city", ""),
                event.get("device", ""),
                event.get("event_id", ""),
            )
        )
    return clicks, dead


def parse(model: type[E], record: Record) -> E | DeadLetter:
    """Parse one event of a kind that comes one at a time."""
    if record.value is None or len(record.value) > MAX_EVENT_BYTES:
        return _unusable(record)
    try:
        return model.model_validate_json(record.value)
    except ValidationError as error:
        try:
            return model.model_validate_json(_bare(record.value, error))
        except ValidationError as error:
            return _refused(record, error)


def encode(event: BaseModel) -> bytes:
    """Return the JSON of an event as it goes to Kafka."""
    return event.model_dump_json(by_alias=True, exclude_none=True).encode()


def _bare(value: bytes, error: ValidationError) -> bytes:
    """Return the JSON without what stands before it; raise the error where nothing does."""
    # Only what could not be read comes here, so that no other event is looked at twice.
    if isinstance(value, Framed) and value.json:
        return value.json
    bare = value[FRAME_BYTES:] if is_framed(value) else value
    bare = bare.removeprefix(BOM_UTF8)
    if len(bare) == len(value):
        raise error
    return bare


def is_framed(value: bytes) -> bool:
    """Say whether a value begins as serializers of Confluent's Schema Registry let it begin."""
    return len(value) > FRAME_BYTES and value[0] == 0


def _refused(record: Record, error: ValidationError) -> DeadLetter:
    if isinstance(record.value, Undecodable):
        return DeadLetter(record, Reason.UNDECODABLE, record.value.detail)
    reason, detail = why(error)
    if isinstance(record.value, Framed) and record.value.fault:
        return DeadLetter(record, Reason.SCHEMA_REGISTRY, record.value.fault)
    if reason is Reason.NOT_JSON and record.value and is_framed(record.value):
        schema = int.from_bytes(record.value[1:FRAME_BYTES], "big")
        detail = (
            f"framed for a Confluent Schema Registry (magic byte 0, schema id {schema}); "
            "what follows is no JSON: Avro or Protobuf? "
            "Set REFRAIN_SCHEMA_REGISTRY_URL to read them, or let the producer write JSON, plain or with the "
            "JSON Schema serializer"
        )
        return DeadLetter(record, Reason.SCHEMA_REGISTRY, detail)
    return DeadLetter(record, reason, detail)


def _unusable(record: Record) -> DeadLetter:
    if record.value is None:
        return DeadLetter(record, Reason.NOT_JSON, "the event has no value")
    size = len(record.value)
    return DeadLetter(record, Reason.TOO_LARGE, f"{size} bytes; an event has at most {MAX_EVENT_BYTES}")


def _ahead(ts: float, now: float) -> str:
    hint = "; milliseconds where seconds are meant?" if ts > now * 100 else ""
    return f"ts {ts:.0f} is {ts - now:.0f} s ahead of the clock{hint}"


def _quoted(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= QUOTED else f"{said[:QUOTED]}..."


def why(error: ValidationError) -> tuple[Reason, str]:
    """Return the reason that an event is refused for, and the detail."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"] if part != OF_UNION)
    field = str(first["loc"][0]) if first["loc"] else ""
    detail = f"{place}: {first['msg']}" if field else first["msg"]
    if first["type"] == "json_invalid":
        return Reason.NOT_JSON, detail
    if first["type"] == "missing":
        return Reason.MISSING_FIELD, detail
    if field in ("ts", "released_at"):
        return (
            Reason.BAD_TIME,
            f"{field}: {first['input']!r} is neither Unix seconds nor ISO 8601 with an offset",
        )
    if first["type"] == "too_long" and field.endswith("_ids"):
        return (
            Reason.BAD_VALUE,
            f"{field}: {len(first['input'])} ids; there may be {first['ctx']['max_length']}",
        )
    if first["type"] == "string_pattern_mismatch":
        fault = "is blank" if BLANK.fullmatch(first["input"]) else "has a control character or a brace in it"
        detail = f"{place}: {first['input']!r} {fault}"
    if OF_UNION in first["loc"] and first["type"] == "string_type":
        detail = f"{place}: {_quoted(first['input'])} is no id, which is text or an integer"
    if field.endswith(("_id", "_ids")) or field in ("featuring", "similar_to", "label"):
        return Reason.BAD_ID, detail
    return Reason.BAD_VALUE, detail


def json_schemas() -> dict[str, str]:
    """Return the JSON Schema of every event, by file name, as ``docs/schemas/`` holds it."""
    schemas = {}
    for topic, kinds in EVENTS.items():
        for kind in kinds:
            name = topic if len(kinds) == 1 else f"{topic}.{kind.__name__.lower()}"
            schema = TypeAdapter(kind).json_schema(by_alias=True)
            schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
            schemas[f"{name}.json"] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    return schemas


def _write_schemas(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in json_schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


def _main(arguments: Sequence[str]) -> None:
    _write_schemas(Path(arguments[0]))


if __name__ == "__main__":
    _main(sys.argv[1:])
