"""A file as clicks in columns: read and checked as a replay does, row by row or by columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from consumers.history.blocks import Gathered
from consumers.history.columns import cut, pack, sampled
from consumers.history.plan import HistoryFile
from models.active_days import KINDS
from stream.files.plain_clicks import Clicks
from stream.files.recipe import Event
from stream.files.tally import Tally
from stream.wire.dead_letter import Reason
from stream.wire.parsing import FUTURE_SECONDS

__all__ = ["FileReader", "Rows"]

TOGETHER = 200_000  # rows, few enough for memory
IN_A_PACKET = 200  # rows, so that the head of a packet is little of it
PLACES = 1 << 40  # rows of a file, at most
PLAYS = np.array([KINDS.index("play"), KINDS.index("complete")])


@dataclass
class Rows:
    """What became of the rows of files.

    Attributes
    ----------
    rows, left_out
        How many were read, and how many of them were not asked for.
    clicks
        Those that are clicks of listeners who are to be loaded.
    unsampled, zero_plays
        Clicks of others, and plays of 0 ms that were to be left out.
    bad, bad_files
        Rows that cannot be used, by reason, and where they were written.
    unwritten
        The files that not all of these could be written to, and why.
    """

    rows: int = 0
    left_out: int = 0
    clicks: int = 0
    unsampled: int = 0
    zero_plays: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    bad_files: list[str] = field(default_factory=list)
    unwritten: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, said: dict[str, Any]) -> Rows:
        """Return what a worker said as JSON."""
        return cls(**{**said, "bad": Counter(said["bad"])})

    def add(self, other: Rows) -> None:
        """Count others' rows, too."""
        for name in [entry.name for entry in fields(self) if entry.type == "int"]:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.bad.update(other.bad)
        self.bad_files += other.bad_files
        self.unwritten += other.unwritten

    def tell(self, tally: Tally) -> None:
        """Take over what a reading has counted."""
        self.rows, self.left_out = tally.rows, tally.left_out
        self.bad.update(tally.bad)
        self.bad_files = [str(path) for path in tally.bad_files]
        self.unwritten = tally.unwritten


@dataclass(frozen=True)
class FileReader:
    """Reads files.

    Parameters
    ----------
    now
        Unix seconds.
    spare
        The folder for side files of bad rows that cannot stand beside their file.
    buckets
        How many parts listeners are cut into.
    share, drop_zero_plays
        As of `consumers.history.options.Loading`.
    """

    now: float
    spare: Path
    buckets: int
    share: float = 1.0
    drop_zero_plays: bool = False

    def packed(self, file: HistoryFile, counted: Rows) -> Iterator[tuple[int, bytes]]:
        """Go through the clicks of a file: bucket, and bytes (`columns.unpack`); count its rows.

        Raises
        ------
        BadFile
            Where it breaks off, or nothing in it can be used.
        """
        reading = file.reading(self.now, self.spare)
        gathered = Gathered(file.number * PLACES, distinct=file.distinct)
        together = max(TOGETHER, IN_A_PACKET * self.buckets)
        for part in _in_pieces(reading.events_and_columns(), together):
            gathered.add(part)
            if len(gathered) >= together:
                yield from self._cut(gathered.taken(), counted)
        if len(gathered):
            yield from self._cut(gathered.taken(), counted)
        counted.tell(reading.tally)

    def _cut(self, clicks: pa.Table, counted: Rows) -> Iterator[tuple[int, bytes]]:
        for bucket, part in cut(self._wanted(clicks, counted), self.buckets):
            counted.clicks += len(part)
            yield bucket, pack(part)

    def _wanted(self, clicks: pa.Table, counted: Rows) -> pa.Table:
        of_all = len(clicks)
        clicks = sampled(clicks, self.share)
        counted.unsampled += of_all - len(clicks)
        in_time = _filtered(clicks, pc.less_equal(clicks["ts"], self.now + FUTURE_SECONDS))
        counted.bad[Reason.FUTURE.value] += len(clicks) - len(in_time)
        if not self.drop_zero_plays:
            return in_time
        played = np.isin(in_time["kind"].to_numpy(), PLAYS) & (in_time["ms_played"].to_numpy() == 0)
        counted.zero_plays += int(played.sum())
        return in_time.filter(pa.array(~played))


def _in_pieces(parts: Iterable[Event | Clicks], most: int) -> Iterator[Event | Clicks]:
    """Go through clicks; an event that comes more often than that (``--repeat``) is several."""
    for part in parts:
        if isinstance(part, Clicks):
            yield part
            continue
        for at in range(0, part.copies, most):
            yield part._replace(copies=min(most, part.copies - at))


def _filtered(clicks: pa.Table, wanted: pa.ChunkedArray) -> pa.Table:
    """Return the clicks that are wanted: mostly all, which need no copy."""
    return clicks if pc.all(wanted).as_py() else clicks.filter(wanted)
