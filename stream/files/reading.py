"""All files in a row: the events in them, and what happened to the rows that became none."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from stream.errors import BadFile
from stream.files.bad_rows import BadRows
from stream.files.columns import quoted
from stream.files.credits import Credits
from stream.files.distinct import Distinct
from stream.files.gathered import Gathered, Part
from stream.files.hints import field_of, hint_for
from stream.files.no_room import no_room
from stream.files.plain_clicks import Clicks
from stream.files.recipe import Event, LeftOut, Recipe
from stream.files.shown import ShownRow, shown
from stream.files.songs import SongFile
from stream.files.tables import Bad, Block, Row, Table
from stream.files.tally import Finding, Tally
from stream.wire.dead_letter import Reason

__all__ = ["Reading", "Tally"]

GIVE_UP = 1000
"""So many bad rows from the start, and not a good one: the options are wrong, not the rows."""

WATCH_EVERY = 1000  # rows

PASSED = 10_000
"""After so many rows that become no event whoever sends has a turn: some tenths of a second."""


class Reading:
    """Reads tables, one after the other; each time the same events in the same order.

    Parameters
    ----------
    tables
        The files.
    recipe, songs, splitter
        How their rows become events.
    spare
        The folder for side files where a file's own cannot be written to.
    show
        How many of the first rows that become events are kept, to be shown.
    most
        Rows that are read at most, however many of them cannot be used; None: all of them, unless it turns
        out that none can be used.

    Attributes
    ----------
    tally
        What became of the rows, of the latest `events` or `first_rows`.
    shown, refused
        The first rows that became events, and the first that cannot be used.

    Raises
    ------
    WrongUse
        Where a file does not have a column that the recipe names.
    """

    def __init__(
        self,
        tables: Sequence[Table],
        recipe: Recipe,
        songs: SongFile | None,
        spare: Path | None = None,
        show: int = 0,
        most: int | None = None,
        splitter: Credits | None = None,
    ) -> None:
        self._recipe = recipe
        self._parts = [(table, recipe.ready(table, songs, splitter)) for table in tables]
        self._spare = spare
        self._show, self._most = show, most
        self._at = 0, 0  # number of the file, and line, of the last row that was looked at
        self.tally = Tally()
        self.shown: list[ShownRow] = []
        self.refused: list[Finding] = []

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(table.size for table, _ in self._parts)

    @property
    def read(self) -> int:
        """Bytes read so far."""
        return sum(table.read for table, _ in self._parts)

    def first_rows(self, number: int) -> Tally:
        """Return what becomes of the first rows of each file; nothing is written.

        Raises
        ------
        BadFile
            Where a file breaks off.
        """
        self.tally = Tally()
        for file, (table, _) in enumerate(self._parts):
            for row in itertools.islice(table.rows(), number):
                self._event(file, row, None)
        return self.tally

    def events(self, watch: Callable[[], object] = lambda: None) -> Iterator[Event]:
        """Go through the events; bad rows go to a side file of their own, which is overwritten.

        Of songs and releases several rows may make one event: then all are read before the first event.

        Parameters
        ----------
        watch
            Is told now and then, while rows are read before the first event.

        Raises
        ------
        BadFile
            Where a file breaks off, or nothing in it can be used.
        NotWritten
            Where there is no room for what waits in a temporary file.
        """
        return self._each(self._made(watch))

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        """Go through the keys and values of the events, each as often as its row says: faster than `events`.

        Raises
        ------
        BadFile, NotWritten
            As of `events`.
        """
        return filter(None, self.pairs_and_turns())

    def pairs_and_turns(self) -> Iterator[tuple[bytes, bytes] | None]:
        """Go through what `pairs` gives, and None, for something else's turn, after many rows of no event.

        Raises
        ------
        BadFile, NotWritten
            As of `events`.
        """
        for made in self._made(lambda: None):
            if isinstance(made, Event):
                yield from itertools.repeat((made.key, made.value), made.copies)
                continue
            if made is None:
                yield None
                continue
            tally = self.tally
            for pair in made.pairs:
                tally.rows += 1
                yield pair

    def events_and_columns(self) -> Iterator[Event | Clicks]:
        """Go through the events, those that are made of whole columns as these: faster than `pairs`.

        Raises
        ------
        BadFile, NotWritten
            As of `events`.
        """
        for made in self._made(lambda: None):
            if isinstance(made, Clicks):
                self.tally.rows += len(made)
            if made is not None:
                yield made

    def _each(self, made: Iterable[Event | Clicks | None]) -> Iterator[Event]:
        for part in made:
            if isinstance(part, Event):
                yield part
            elif part is not None:
                for key, value in part.pairs:
                    self.tally.rows += 1
                    yield Event(key, value)

    def _made(self, watch: Callable[[], object]) -> Iterator[Event | Clicks | None]:
        """Go through the events; rows of those that come as columns are not counted yet.

        None is a turn for something else.
        """
        self.tally, self.shown, self.refused = Tally(), [], []
        with contextlib.ExitStack() as stack:
            sides = [
                stack.enter_context(
                    BadRows(table.path, table.bad_rows, self._spare, self.tally.unwritten.append)
                )
                for table, _ in self._parts
            ]
            rows = self._rows(sides)
            try:
                if self._recipe.gathers:
                    yield from self._gathered(self._each(rows), sides, watch)
                elif self._recipe.distinct:
                    yield from self._distinct(rows, stack.enter_context(Distinct()))
                else:
                    yield from rows
            except sqlite3.Error as error:
                raise no_room(error) from error

    def _distinct(self, made: Iterator[Event | Clicks | None], distinct: Distinct) -> Iterator[Event | None]:
        """Go through the events that are not the same click as an earlier one."""
        for part in made:
            if part is None:
                yield None
            for event in self._each([part]):
                if distinct.is_first(event.value):
                    yield event
                    continue
                self.tally.repeated += 1
                if self.tally.repeated % PASSED == 0:
                    yield None

    def _gathered(
        self, events: Iterator[Event], sides: Sequence[BadRows], watch: Callable[[], object]
    ) -> Iterator[Event]:
        """Go through events of several rows each."""
        with Gathered() as gathered:
            for number, event in enumerate(events):
                gathered.put(Part(event.key, event.value, *self._at))
                if number % WATCH_EVERY == 0:
                    watch()
            for parts in gathered:
                made = self._recipe.together(parts)
                if isinstance(made, Event):
                    self.tally.joined += len(parts) - 1
                    yield made
                    continue
                for part, bad in zip(parts, made, strict=True):
                    self._count_bad(part.file, bad, sides[part.file], bad.row.get(self._field(bad)))

    def _rows(self, sides: Sequence[BadRows]) -> Iterator[Event | Clicks | None]:
        """Go through the rows, and return the event of each that is one."""
        good = False
        hopeless = passed = 0
        for file, ((table, _), side) in enumerate(zip(self._parts, sides, strict=True)):
            for row in self._known(file):
                if isinstance(row, Clicks):
                    good = True
                    yield row
                    continue
                if self.tally.rows == self._most:
                    return
                made = self._event(file, row, side)
                if isinstance(made, Event):
                    good = True
                    self._at = file, row.line
                    yield made
                    continue
                if isinstance(made, Bad):
                    hopeless += made.reason is not Reason.UNKNOWN_SONG  # a short file of songs is none
                    if not good and self._most is None and hopeless == GIVE_UP:
                        raise _hopeless(table, made, self.tally)
                passed += 1
                if passed % PASSED == 0:
                    yield None

    def _known(self, file: int) -> Iterator[Clicks | Row | Bad]:
        """Go through the rows of a file, or the clicks of those that need no look at each of them."""
        table, event_of = self._parts[file]
        looks_at_all = self._most is not None or self._show > 0
        for part in table.parts():
            if isinstance(part, Block):
                yield from part.rows() if looks_at_all else event_of.of_block(part)
            else:
                yield part

    def _event(self, file: int, row: Row | Bad, side: BadRows | None) -> Event | LeftOut | Bad:
        """Return what a row becomes, and count it."""
        table, event_of = self._parts[file]
        self.tally.rows += 1
        if isinstance(row, Bad):
            self._count_bad(file, row, side, row.row)
            return row
        made = event_of(row)
        if isinstance(made, LeftOut):
            self.tally.left_out += 1
        elif isinstance(made, Bad):
            value = event_of.raw(self._field(made), row.values)[1]
            self._count_bad(file, made, side, value)
        else:
            for note in made.notes:
                value = event_of.raw(note.field, row.values)[1]
                self._count(
                    self.tally.remarks, note.remark.value, note.field, file, row.line, note.detail, value
                )
            if len(self.shown) < self._show:
                self.shown.append(shown(event_of, table.called.name, row, made))
        return made

    def _count_bad(self, file: int, bad: Bad, side: BadRows | None, value: Any) -> None:
        """Count a row that cannot be used, and write it down; `value` is what its field holds."""
        self.tally.bad[bad.reason.value] += 1
        what, field = bad.reason.value, self._field(bad)
        self._count(self.tally.unusable, what, field, file, bad.line, bad.detail, value)
        if len(self.refused) < self._show:
            self.refused.append(self._finding(what, field, file, bad.line, bad.detail, value))
        if side:
            side.write(bad)
            if side.path and side.path not in self.tally.bad_files:
                self.tally.bad_files.append(side.path)

    def _field(self, bad: Bad) -> str:
        return field_of(self._recipe.kind, bad.detail)

    def _count(self, found: dict[tuple[str, str], Finding], what: str, field: str, *example: Any) -> None:
        if (what, field) not in found:
            found[what, field] = self._finding(what, field, *example)
            return
        found[what, field].count += 1

    def _finding(self, what: str, field: str, file: int, line: int, detail: str, value: Any) -> Finding:
        table, event_of = self._parts[file]
        hint = hint_for(self._recipe.kind, what, field, value, event_of.column(field), table.columns)
        return Finding(what, field, detail, table.called.name, line, quoted(value), hint)


def _hopeless(table: Table, bad: Bad, tally: Tally) -> BadFile:
    hint = next(iter(tally.unusable.values())).hint
    return BadFile(
        f"none of the first {GIVE_UP} rows of {table.path} can be used; line {bad.line}, for one, has "
        f"{bad.reason.value} ({bad.detail}). `refrain replay` with the same options and --dry-run shows "
        "what they make of them.",
        hint=f"Try {hint}." if hint else "",
    )
