"""Which events a replay sends, and in which order."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stream.errors import BadFile, WrongUse
from stream.files.credits import Credits
from stream.files.kinds import KINDS
from stream.files.options import FileOptions, Kind, Order
from stream.files.profiles import ProfileTable
from stream.files.reading import Reading, Tally
from stream.files.recipe import Recipe
from stream.files.songs import SongFile
from stream.files.spool import Spool
from stream.files.tables import Table
from stream.files.times import seconds_of, span, zone

if TYPE_CHECKING:
    from consumers.replay.summary import Pair

__all__ = ["Plan", "Progress", "in_order", "preview"]


@dataclass(frozen=True)
class Plan:
    """Which events there are, and in which order: what makes a replay the same or another one.

    Attributes
    ----------
    kind
        Which events they are.
    files, options
        What is read, and how rows become events.
    order
        In which order, and with which times, events are sent.
    without_times
        Whether events are to have no times, whatever columns there are.

    Raises
    ------
    WrongUse
        Where the options do not go with the kind, or with each other.
    """

    kind: Kind
    files: tuple[Path, ...]
    options: FileOptions = field(default_factory=FileOptions)
    order: Order = field(default_factory=Order)
    without_times: bool = False

    def __post_init__(self) -> None:
        options = self.options
        if not options.songs and (options.songs_map or options.songs_on or options.songs_columns):
            raise WrongUse(
                "--songs-map, --songs-on and --songs-columns say how to read files: name them with --songs"
            )
        if self.options.songs and self.kind != "clicks":
            raise WrongUse("--songs says which artists made what was clicked: it goes with clicks")
        if options.format == "profiles" and self.kind not in ("clicks", "labels"):
            raise WrongUse(f"profiles become clicks and labels, not {self.kind}")
        self._recipe(since=0.0 if self.options.since else None)

    def _recipe(self, since: float | None) -> Recipe:
        return Recipe(self.kind, self.options, bool(self.order.spread) or self.without_times, since)

    @property
    def topic(self) -> str:
        """Where the events go."""
        return KINDS[self.kind].topic

    @property
    def identity(self) -> str:
        """Everything that decides on events and their order, apart from the files."""
        return repr((self.kind, replace(self.options, songs=(), known_artists=None), self.order))

    @property
    def selection(self) -> str:
        """Which rows of the files are meant, and as which events.

        A file may well be replayed as one label and as another: both are sent. With another order, or
        another time zone, the same events would be sent twice.
        """
        options = self.options
        fields = (sorted(options.mapping.items()), sorted(options.constants.items()))
        return repr((self.kind, options.records, options.member, options.where, fields))

    @property
    def waits(self) -> bool:
        """Whether all events have to be read before the first one goes."""
        several_rows = self._recipe(None).gathers  # a song or a release may go on in the last row
        return several_rows or self.order.shuffle is not None or bool(self.order.spread)

    def reading(
        self,
        now: float,
        spare: Path | None,
        *,
        show: int = 0,
        most: int | None = None,
        only: Path | None = None,
        first: bool = False,
    ) -> Reading:
        """Open all files, or one of them.

        Parameters
        ----------
        now
            Unix seconds, what `since` and `spread` count from, and what times in the future are ahead of.
        spare
            The folder for side files of bad rows that cannot stand beside their file; None: no side files.
        show, most
            How many rows are kept to be shown, and how many are read at most.
        only
            The file that is meant; None: all of them.
        first
            Whether the beginning of a packed archive is enough (`stream.files.tables.Table.all_of`).
        """
        options = self.options
        since = seconds_of(options.since, now, zone(options.timezone)) if options.since else None
        files = self.files if only is None else [only]
        tables = [table for path in files for table in self._tables(path, now, first=first)]
        recipe = replace(self._recipe(since), now=now)
        return Reading(tables, recipe, self._songs, spare, show, most, self._splitter)

    def without_files(self) -> Plan:
        """Return it for another process, where `reading` is told of one file at a time.

        What splits credits goes with it, as that is learned from all files: they are read for it here.
        """
        plan = replace(self, files=())
        vars(plan)["_splitter"] = self._splitter
        return plan

    @cached_property
    def _songs(self) -> SongFile | None:
        """The songs beside the clicks, read once however often the clicks are."""
        options = self.options
        if not options.songs:
            return None
        tables = [table for path in options.songs for table in Table.all_of(path, options.songs_layout)]
        return SongFile(tables, options.songs_map, options.songs_on, options.separator)

    @cached_property
    def _splitter(self) -> Credits | None:
        """What splits credits: the files are read once before, for the names in them."""
        options = self.options
        if not options.split_artists:
            return None
        splitter = Credits(_names(options.known_artists), everywhere=options.split_artists == "all")
        recipe = self._recipe(None)
        tables = (table for path in self.files for table in self._tables(path, time.time()))
        clicked = (name for table in tables for name in recipe.credited(table))
        splitter.learn(itertools.chain(clicked, self._songs.credited() if self._songs else ()))
        return splitter

    def _tables(self, path: Path, now: float, *, first: bool = False) -> list[Table]:
        if self.options.format != "profiles":
            return Table.all_of(path, self.options.layout, first=first)
        kind: Literal["clicks", "labels"] = "labels" if self.kind == "labels" else "clicks"
        return [ProfileTable(path, self.options.layout, kind, now)]

    def stamp(self, count: int, now: float) -> Callable[[int, bytes], bytes]:
        """Return what gives the events, by their number of `count`, their times, evenly over the span."""
        begin, end = span(self.order.spread, now, zone(self.options.timezone))
        step = (end - begin) / max(count, 1)
        return lambda number, value: b'%s,"ts":%.3f}' % (value[:-1], begin + (number + 0.5) * step)


def _names(file: Path | None) -> list[str]:
    """Read names, one a line."""
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines() if file else []
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"{file} cannot be read: {error}", hint="Names stand one a line, in UTF-8.") from error
    return [line.strip() for line in lines if line.strip()]


@dataclass
class Progress:
    """How far a replay is, for those who watch.

    Attributes
    ----------
    reading
        What is read.
    waiting
        Events set aside so far, while none goes yet; None when they go.
    total
        How many there are, where that is known.
    sent
        Events sent.
    """

    reading: Reading
    waiting: int | None = None
    total: int | None = None
    sent: int = 0


def preview(plan: Plan, count: int) -> tuple[list[Pair], Tally]:
    """Return the first events of a plan as they would go, key and value. Nothing is sent or written."""
    now = time.time()
    reading = plan.reading(now, None)
    with ExitStack() as stack:
        events = in_order(plan, reading, now, Progress(reading), lambda: None, stack)
        return list(itertools.islice(filter(None, events), count)), reading.tally


def in_order(
    plan: Plan,
    reading: Reading,
    now: float,
    progress: Progress,
    watch: Callable[[], object],
    stack: ExitStack,
) -> Iterator[Pair | None]:
    """Return the events of a plan one by one, in the order in which they go; None: the next takes long."""
    if not plan.waits:
        return _first(reading.pairs_and_turns(), plan.options.limit)
    spool = stack.enter_context(Spool(plan.order.shuffle))
    progress.waiting = 0
    for number, event in enumerate(reading.events(watch)):
        spool.put(event)
        if number % 1000 == 0:
            progress.waiting = len(spool)
            watch()
    progress.waiting, progress.total = None, min(len(spool), plan.options.limit or len(spool))
    events = itertools.islice(spool, progress.total)
    if not plan.order.spread:
        return events
    stamp = plan.stamp(progress.total, now)
    return ((key, stamp(number, value)) for number, (key, value) in enumerate(events))


def _first(pairs: Iterator[Pair | None], most: int | None) -> Iterator[Pair | None]:
    """Go through so many events, and what is none between them."""
    count = 0
    for pair in pairs:
        yield pair
        count += pair is not None
        if count == most:
            return
