"""All files in a row: the events in them, and what happened to the rows that became none."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from stream.errors import BadFile
from stream.files.gathered import Gathered, Part
from stream.files.recipe import Event, LeftOut, Recipe
from stream.files.songs import SongFile
from stream.files.sources import is_remote
from stream.files.tables import Bad, Table
from stream.wire.events import Reason

__all__ = ["Reading", "Tally"]

GIVE_UP = 1000
"""So many bad rows from the start, and not a good one: the options are wrong, not the rows."""

WATCH_EVERY = 1000  # rows


@dataclass
class Tally:
    """What became of the rows so far.

    Those that `joined` are parts of the event of an earlier row; `first_bad` is the line of the first that
    cannot be used, and what is wrong with it.
    """

    rows: int = 0
    left_out: int = 0
    joined: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    first_bad: str = ""
    bad_files: list[Path] = field(default_factory=list)


class Reading:
    """Reads tables, one after the other; each time the same events in the same order.

    Parameters
    ----------
    tables
        The files.
    recipe, songs
        How their rows become events.
    spare
        The folder for side files where a file's own cannot be written to.

    Raises
    ------
    WrongUse
        Where a file does not have a column that the recipe names.
    """

    def __init__(
        self, tables: Sequence[Table], recipe: Recipe, songs: SongFile | None, spare: Path | None = None
    ) -> None:
        self._recipe = recipe
        self._parts = [(table, recipe.ready(table, songs)) for table in tables]
        self._spare = spare
        self.tally = Tally()

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(table.size for table, _ in self._parts)

    @property
    def read(self) -> int:
        """Bytes read so far."""
        return sum(table.read for table, _ in self._parts)

    def events(self, watch: Callable[[], object] = lambda: None) -> Iterator[Event]:
        """Go through the events; bad rows go to a side file of their own, written anew.

        Of songs and releases several rows may make one event: then all are read before the first event.

        Parameters
        ----------
        watch
            Is told now and then, while rows are read before the first event.

        Raises
        ------
        BadFile
            Where a file breaks off, or nothing in it can be used.
        """
        self.tally = Tally()
        with contextlib.ExitStack() as stack:
            sides = [
                stack.enter_context(_SideFile(table.path, table.bad_rows, self._spare, self.tally))
                for table, _ in self._parts
            ]
            if not self._recipe.gathers:
                yield from (event for _, _, event in self._rows(sides))
                return
            gathered = stack.enter_context(Gathered())
            for number, (file, line, event) in enumerate(self._rows(sides)):
                gathered.put(Part(event.key, event.value, file, line))
                if number % WATCH_EVERY == 0:
                    watch()
            for parts in gathered:
                made = self._recipe.together(parts)
                if isinstance(made, Event):
                    self.tally.joined += len(parts) - 1
                    yield made
                    continue
                for part, bad in zip(parts, made, strict=True):
                    sides[part.file].write(bad)

    def _rows(self, sides: Sequence[_SideFile]) -> Iterator[tuple[int, int, Event]]:
        """Go through the rows: number of the file, line, and the event of each that is one."""
        good = hopeless = 0
        for file, ((table, event_of), side) in enumerate(zip(self._parts, sides, strict=True)):
            for row in table.rows():
                made = row if isinstance(row, Bad) else event_of(row)
                self.tally.rows += 1
                if isinstance(made, Event):
                    good += 1
                    yield file, row.line, made
                elif isinstance(made, LeftOut):
                    self.tally.left_out += 1
                else:
                    side.write(made)
                    hopeless += made.reason is not Reason.UNKNOWN_SONG  # a short file of songs is none
                    if not good and hopeless == GIVE_UP:
                        raise BadFile(_hopeless(table, made))


class _SideFile(contextlib.AbstractContextManager["_SideFile"]):
    """``FILE.bad.jsonl``: made with the first bad row; one of an earlier run does not outlive this one."""

    def __init__(self, path: Path, name: str, spare: Path | None, tally: Tally) -> None:
        beside = [] if is_remote(path) else [path.with_name(name)]  # a store is read, not written
        self._places = [*beside, *([spare / name] if spare else [])]
        self._kept = spare is not None
        self._tally = tally
        self._file: IO[str] | None = None
        with contextlib.suppress(OSError):
            if spare:
                self._places[0].unlink(missing_ok=True)

    def write(self, bad: Bad) -> None:
        """Count a bad row, and write it down."""
        self._tally.bad[bad.reason.value] += 1
        self._tally.first_bad = self._tally.first_bad or f"line {bad.line}: {bad.detail}"
        if not self._kept:
            return
        if self._file is None:
            self._file = self._open()
        entry = {"line": bad.line, "reason": bad.reason.value, "detail": bad.detail, "row": bad.row}
        self._file.write(json.dumps(entry) + "\n")

    def _open(self) -> IO[str]:
        first, last = self._places[0], self._places[-1]
        try:
            file = first.open("w", encoding="utf-8")
        except OSError:
            last.parent.mkdir(parents=True, exist_ok=True)
            file = last.open("w", encoding="utf-8")
        self._tally.bad_files.append(Path(file.name))
        return file

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()


def _hopeless(table: Table, bad: Bad) -> str:
    return (
        f"none of the first {GIVE_UP} rows of {table.path} can be used; line {bad.line}, for one, has "
        f"{bad.reason.value} ({bad.detail}). `refrain replay` with the same options and --dry-run shows "
        "what they make of them."
    )
