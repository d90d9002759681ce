"""Clicks of a file, gathered until there are enough for columns of Arrow: to make these takes a while."""

from __future__ import annotations

import itertools
import json
from array import array
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import json as arrow_json

from consumers.history.columns import EVENTS, lists, of_events
from stream.files.distinct import same_click
from stream.files.plain_clicks import BlockClicks, Clicks, Field, PlainClicks
from stream.files.recipe import Event

__all__ = ["Gathered"]

Ints = npt.NDArray[np.int64]

AT_ONCE = 4_000
"""Rows whose texts are held by Python: of many more the first would be out of the processor's cache again."""

BETWEEN = '","'
"""What stands between the ids of a list, in its text."""

USED = frozenset(EVENTS.names) - {"query"}
PARSE = arrow_json.ParseOptions(explicit_schema=EVENTS, unexpected_field_behavior="error")


class Gathered:
    """Gathers the clicks of a file in their order.

    Parameters
    ----------
    place
        Of the first of them.
    distinct
        Whether those that are the same are to be known as such: this goes by their JSON.
    """

    def __init__(self, place: int, *, distinct: bool) -> None:
        self._place = place
        self._distinct = distinct
        self._lines = list[bytes]()
        self._places = array("q")  # of these
        self._columns = dict[PlainClicks, _Columns]()  # a file may be an archive of several tables
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, part: Event | Clicks) -> None:
        """Take clicks."""
        if isinstance(part, Event):
            number = part.copies
            self._add_lines([part.value] * number)
        else:
            number = len(part)
            if self._distinct:
                self._add_lines([value for _, value in part.pairs])
            else:
                if (of := part.block.of) not in self._columns:
                    self._columns[of] = _Columns(of)
                self._columns[of].add(part, self._place)
        self._place += number
        self._count += number

    def _add_lines(self, lines: Sequence[bytes]) -> None:
        self._lines += lines
        self._places.extend(range(self._place, self._place + len(lines)))

    def taken(self) -> pa.Table:
        """Return the clicks as they are applied (`columns.CLICKS`), in any order, and begin anew."""
        tables = [of_events(each.events(), each.places) for each in self._columns.values()]
        if self._lines:
            same = list(map(same_click, self._lines)) if self._distinct else None
            tables.append(of_events(_parsed(self._lines), np.array(self._places), same))
        self._lines, self._places, self._columns, self._count = [], array("q"), {}, 0
        return pa.concat_tables(tables)


class _Columns:
    """Clicks of one table: the texts of each field, and where they stand."""

    def __init__(self, of: PlainClicks) -> None:
        self._of = of
        self._texts: list[list[str]] = [[] for _ in of.fields]
        self._arrays: list[list[pa.Array]] = [[] for _ in of.fields]  # of the texts before these
        self._since = 0  # how many these are
        self._block: BlockClicks | None = None  # whose texts are not among these yet, and which of its rows
        self._rows = list[slice]()
        self._firsts = list[int]()
        self._sizes = list[int]()

    def add(self, clicks: Clicks, place: int) -> None:
        """Take clicks, the first of which has that place."""
        if clicks.block is not self._block:
            self._end_block()
            self._block = clicks.block
        self._rows.append(slice(clicks.start, clicks.end))
        self._firsts.append(place)
        self._sizes.append(len(clicks))

    def _end_block(self) -> None:
        """Take over the texts of a block: all stretches of its rows at once, as they may be of a row each."""
        if self._block is None:
            return
        chosen = np.zeros(self._block.size, dtype=bool)
        for rows in self._rows:
            chosen[rows] = True
        everything, selectors = bool(chosen.all()), chosen.tolist()
        for held, found in zip(self._texts, self._block.texts, strict=True):
            held.extend(found.texts if everything else itertools.compress(found.texts, selectors))
        self._since += int(chosen.sum())
        self._block = None
        self._rows.clear()
        if self._since >= AT_ONCE:
            self._put_away()

    def _put_away(self) -> None:
        for held, arrays in zip(self._texts, self._arrays, strict=True):
            arrays.append(pa.array(held, pa.string()))
            held.clear()
        self._since = 0

    @property
    def places(self) -> Ints:
        """Of all clicks."""
        sizes = np.array(self._sizes)
        before = np.cumsum(sizes) - sizes
        places: Ints = np.arange(sizes.sum()) + np.repeat(np.array(self._firsts) - before, sizes)
        return places

    def events(self) -> pa.Table:
        """Return them as `columns.EVENTS` has them, as far as that is used."""
        self._end_block()
        self._put_away()
        size = sum(self._sizes)
        columns = {name: pa.nulls(size, EVENTS.field(name).type) for name in USED}
        for name in USED & self._of.constants.keys():
            columns[name] = pa.repeat(pa.scalar(self._of.constants[name], EVENTS.field(name).type), size)
        for field, arrays in zip(self._of.fields, self._arrays, strict=True):
            if field.name in USED:
                columns[field.name] = _values(field, pa.concat_arrays(arrays))
        return pa.table(columns)


def _values(field: Field, texts: pa.StringArray) -> pa.Array:
    """Return what the texts of a field say; null where there is none."""
    wanted = EVENTS.field(field.name).type
    is_number = pa.types.is_integer(wanted) or pa.types.is_floating(wanted)
    if field.is_json and not is_number:
        each = texts.dictionary_encode()  # mostly they are a few
        said = ",".join(text or "null" for text in each.dictionary.to_pylist())
        return pa.array(json.loads(f"[{said}]"), wanted).take(each.indices)
    missing = pc.equal(texts, "")
    if missing.true_count:
        texts = pc.if_else(missing, None, texts)
    if is_number:
        return texts.cast(wanted)
    if not pa.types.is_list(wanted):
        return texts
    if pc.match_substring(texts, BETWEEN).true_count:
        return pc.split_pattern(texts, BETWEEN)
    there = texts.is_valid().to_numpy(zero_copy_only=False)
    return lists(there, texts.drop_null(), texts.is_null() if texts.null_count else None)


def _parsed(lines: Sequence[bytes]) -> pa.Table:
    joined = b"\n".join(lines)
    options = arrow_json.ReadOptions(use_threads=False, block_size=len(joined) + 1)
    table: pa.Table = arrow_json.read_json(pa.BufferReader(joined), options, PARSE)
    return table
