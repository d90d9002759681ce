"""Reads events; one that cannot be used becomes a dead letter, with the reason."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections.abc import Iterable
from functools import cache, partial
from typing import Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from models.listener import Click, OffsetSource
from stream.wire.dead_letter import MAX_DEAD_LETTER, DeadLetter, Reason
from stream.wire.events import NO_SONG, ClickEvent, Page, Summary, lacks_song
from stream.wire.fields import BLANK, OF_UNION, seconds
from stream.wire.record import Framed, Record, Undecodable

__all__ = ["FUTURE_SECONDS", "MAX_EVENT_BYTES", "is_framed", "parse", "parse_audience", "parse_clicks", "why"]

MAX_EVENT_BYTES = 64 * 1024
"""A larger event is a mistake: no field of any event that others write needs so much."""

MAX_OWN_BYTES = MAX_DEAD_LETTER
"""Of an event that Refrain wrote, as much as it sends: a page of 1,000 listeners may have 300 KB and more."""

FUTURE_SECONDS = 300.0
"""How far ahead of the clock a click may be: under forward decay a click from far ahead outweighs a life."""

FRAME_BYTES = 5
"""Before a value that a serializer of Confluent's Schema Registry wrote: 0, and four bytes of schema id."""

QUOTED = 80  # characters of a value that a reason quotes

E = TypeVar("E", bound=BaseModel)

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
        How often the topic has been recreated: its offsets have begun again from 0 as often.

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


def parse(model: type[E], record: Record, most: int = MAX_EVENT_BYTES) -> E | DeadLetter:
    """Parse one event of a kind that comes one at a time.

    Parameters
    ----------
    most
        Bytes that it may have.
    """
    if record.value is None or len(record.value) > most:
        return _unusable(record, most)
    try:
        return model.model_validate_json(record.value)
    except ValidationError as error:
        try:
            return model.model_validate_json(_bare(record.value, error))
        except ValidationError as error:
            return _refused(record, error)


def parse_audience(record: Record) -> Page | Summary | DeadLetter:
    """Parse an event of the topic `audiences`, which Refrain itself writes."""
    page = parse(Page, record, MAX_OWN_BYTES)
    summary = parse(Summary, record, MAX_OWN_BYTES) if isinstance(page, DeadLetter) else page
    return page if isinstance(summary, DeadLetter) else summary


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


def _unusable(record: Record, most: int = MAX_EVENT_BYTES) -> DeadLetter:
    if record.value is None:
        return DeadLetter(record, Reason.NOT_JSON, "the event has no value")
    size = len(record.value)
    return DeadLetter(record, Reason.TOO_LARGE, f"{size} bytes; an event has at most {most}")


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
