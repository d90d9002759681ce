"""Clicks made of whole columns where their cells are as they should be, as most are."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from pydantic import TypeAdapter
from pydantic_core import to_json

from stream.files.fields import Note, Source
from stream.files.kinds import ID_LISTS
from stream.files.plain import ByColumn, Texts, cells, remembered
from stream.files.rows import Block
from stream.wire.events import ClickEvent

__all__ = ["BlockClicks", "Clicks", "Field", "Pairs", "PlainClicks", "plain_clicks"]

Pairs: TypeAlias = list[tuple[bytes, bytes]]
"""Keys and values of events."""

NEEDED = frozenset({"user_id", "song_id", "ts"})
"""A row without one of them has to be looked at: a search needs no song."""

BARE = frozenset({"ts", "ms_played"})
"""Fields whose text is their JSON."""

CHECK: Callable[[Any], Any] = TypeAdapter(ClickEvent).validate_python


def plain_clicks(
    sources: Mapping[str, Source],
    constants: Mapping[str, Any],
    earliest: float,
    latest: float,
    *,
    strip: bool,
) -> PlainClicks | None:
    """Return what makes clicks of whole columns; None where a field is not from the cells of one of them.

    Parameters
    ----------
    sources, constants, strip
        As of `PlainClicks`, but any.
    earliest, latest
        Unix seconds: another time that is the same for all has to be looked at.
    """
    of_file = {name: each.same for name, each in sources.items() if each.same is not None}
    sources = {name: each for name, each in sources.items() if name not in of_file}
    constants = {**constants, **of_file}
    if not {*sources, *constants} >= NEEDED or any(each.place is None for each in sources.values()):
        return None
    try:
        of_all = CHECK({"user_id": "u", "ts": earliest, **constants})
    except ValueError:
        return None
    if not earliest <= of_all["ts"] <= latest:
        return None
    return PlainClicks(sources, {name: of_all[name] for name in constants}, strip=strip)


class Field(NamedTuple):
    """A field of clicks: the column it is from, what reads that, and its JSON around a value's text.

    Attributes
    ----------
    is_json
        Whether a text is JSON as it is: else it is a text without its quotes, or a list of such from behind
        its first quote up to its last.
    """

    name: str
    place: int
    read: ByColumn
    before: str
    after: str
    is_json: bool


class BlockClicks:
    """The clicks of all rows of a block, also of those that have to be looked at instead.

    Attributes
    ----------
    of
        What made them.
    size
        How many there are.
    texts
        Of each of the `PlainClicks.fields`.
    """

    def __init__(self, of: PlainClicks, size: int, texts: Sequence[Texts]) -> None:
        self.of = of
        self.size = size
        self.texts = texts

    @cached_property
    def pairs(self) -> Pairs:
        """Their keys and values."""
        users: Iterable[str] = itertools.repeat(self.of.user, self.size)
        between, parts = "\n{", list[Iterable[str]]()
        found = iter(self.texts)
        for field in self.of.layout:
            if isinstance(field, str):
                between += field
                continue
            texts, _, has_gaps, end = next(found)
            if field.name == "user_id":
                users = [text and json.loads(text) for text in texts] if field.is_json else texts
            if has_gaps and field.name not in NEEDED:
                parts += [itertools.repeat(between, self.size)]
                parts += [[text and f"{field.before}{text}{end}{field.after}" for text in texts]]
                between = ""
            else:
                parts += [itertools.repeat(between + field.before, self.size), texts]
                between = end + field.after
        parts += [itertools.repeat(f"{between}}}\n", self.size)]
        # One text of all: what makes a text of each row, and bytes of each of these, takes twice as long.
        text = "".join(itertools.chain.from_iterable(zip(users, *parts, strict=True)))
        lines = text.encode().split(b"\n")
        return list(zip(lines[::2], lines[1::2], strict=False))


@dataclass(frozen=True, eq=False, slots=True)
class Clicks:
    """Clicks that follow each other in a block: those from `start` on, up to `end`."""

    block: BlockClicks
    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def pairs(self) -> Pairs:
        """Their keys and values."""
        return self.block.pairs[self.start : self.end]


class PlainClicks:
    r"""Makes the very clicks that the check of each row gives, of the columns of many rows.

    A row of which that check would have anything to say is left to it: a value that is refused or remarked
    on, an odd time.

    Parameters
    ----------
    sources
        Where each field comes from: each from the cells of one column alone.
    constants
        Fields that are the same for all. There are ``user_id``, ``song_id`` and ``ts`` in these or in
        `sources`.
    strip
        Whether blanks around a cell are no part of it.

    Attributes
    ----------
    constants
        As the check of a click gives them.
    fields
        The others, those that there are.
    layout
        The JSON of constants, and the other fields, in the order in which they come in a click.
    user
        The listener, where it is the same for all.

    Examples
    --------
    >>> from stream.files.plain import plain_ids, plain_times
    >>> ids, times = plain_ids(frozenset()), plain_times(float, 1577836800.0, 1600000000.0, are_seconds=True)
    >>> read = [("user_id", ids), ("song_id", ids), ("ts", times)]
    >>> sources = {name: Source(name, None, None, place, read) for place, (name, read) in enumerate(read)}
    >>> clicks = PlainClicks(sources, {"action": "like"}, strip=True)
    >>> made, odd = clicks(Block(2, [["u1", "u2 "], ["s1", "7.0"], ["1577836800", "1577836801"]]))
    >>> made.pairs[0], odd
    ((b'u1', b'{"user_id":"u1","song_id":"s1","ts":1577836800.0,"action":"like"}'), {1})
    >>> [found.texts[0] for found in made.texts]
    ['u1', 's1', '1577836800']
    """

    def __init__(self, sources: Mapping[str, Source], constants: Mapping[str, Any], *, strip: bool) -> None:
        self._strip = strip
        self.user = str(constants.get("user_id", ""))
        self.constants = constants
        self.layout = list[Field | str]()
        for name in ClickEvent.__annotations__:
            source = sources.get(name)
            if name in constants:
                self.layout.append(_before(name) + to_json(constants[name]).decode())
            elif source and source.place is not None:
                self.layout.append(_field(name, source, source.place))
        self.fields = [field for field in self.layout if isinstance(field, Field)]

    def __call__(self, block: Block) -> tuple[BlockClicks, set[int]]:
        """Return the clicks of rows, and which of these have to be looked at instead."""
        texts, odd = list[Texts](), set[int]()
        for field in self.fields:
            found = field.read(cells(block.columns[field.place], strip=self._strip))
            odd |= found.odd
            if found.has_gaps and field.name in NEEDED:
                odd.update(at for at, text in enumerate(found.texts) if not text)
            texts.append(found)
        return BlockClicks(self, len(block), texts), odd


def _before(name: str) -> str:
    """Return what stands before a field's value; ``user_id`` is the first of all."""
    return f'"{name}":' if name == "user_id" else f',"{name}":'


def _field(name: str, source: Source, place: int) -> Field:
    before = _before(name)
    if source.by_column is None:
        return Field(name, place, remembered(_one(name, source, place)), before, "", is_json=True)
    if name in BARE:
        return Field(name, place, source.by_column, before, "", is_json=True)
    begin, end = ('["', '"]') if name in ID_LISTS else ('"', '"')
    return Field(name, place, source.by_column, before + begin, end, is_json=False)


def _one(name: str, source: Source, place: int) -> Callable[[Any], str | None]:
    """Return what gives the JSON of a cell's value: "" of nothing, None where its row has to be looked at."""

    def read(cell: Any) -> str | None:
        notes: list[Note] = []
        try:
            value = source.read({place: cell, source.column: cell}, notes)  # a list of cells, or an object
            if value is not None:
                value = CHECK({"user_id": "u", "ts": 0.0, name: value})[name]
        except (ValueError, OverflowError):  # a ValidationError is a ValueError
            return None
        if notes:
            return None
        return "" if value is None else to_json(value).decode()

    return read
