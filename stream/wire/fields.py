"""The fields of events: how each is read, and how it stands in a JSON Schema."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    TypeAdapter,
)
from pydantic_core import CoreSchema, core_schema

from models.traits.lifecycle import STAGES
from models.traits.where import NUMBERS, SEGMENT, STAGE, Where
from stream.wire.composed import nfc
from stream.wire.where import parse_where, read_where, where_json

__all__ = [
    "BLANK",
    "COMPOSED",
    "MAX_ARTISTS",
    "OF_UNION",
    "Id",
    "IsoTime",
    "LabelValue",
    "Name",
    "Seconds",
    "SegmentName",
    "Text",
    "Time",
    "Undo",
    "WireWhere",
    "seconds",
]

MAX_ID_BYTES = 256

MAX_ARTISTS = 32
"""Of one song, release or click."""

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


def _said_or_not(value: object) -> object:
    """Read a yes or no as tables have it: no, and nothing, is not said."""
    word = value.strip().casefold() if isinstance(value, str) else value
    if word in ("true", "1", 1):
        return True
    return None if word in ("", "false", "0", 0) else value


Undo = Annotated[Literal[True] | None, BeforeValidator(_said_or_not)]
"""Whether an event takes back what another said; None where it does not say so."""


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


SegmentName = Annotated[Id, AfterValidator(_without_colon)]
