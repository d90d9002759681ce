"""A replay from what was asked for to its end: files, the order of events, where it stopped."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from consumers.replay.options import Sending
from consumers.replay.refused import Sent, find_refused
from consumers.replay.sender import Replay
from consumers.replay.sent_before import refuse_sent_before
from consumers.replay.summary import Pair, Summary
from stream.errors import BadFile, Unreachable, WrongUse
from stream.files.bookmark import Bookmark
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
from stream.settings import Settings
from stream.wire.topics import create_missing, describe_topics, open_admin

__all__ = ["FOLDER", "Plan", "Progress", "carry_out", "in_order", "preview"]

FOLDER = "replays"
"""Within the data folder: bookmarks, and what cannot stand beside the files."""


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


def carry_out(
    plan: Plan, settings: Settings, sending: Sending, watch: Callable[[Progress], object]
) -> Summary:
    """Send the events of a plan, until they are all sent, or SIGINT or SIGTERM comes.

    Parameters
    ----------
    sending
        How fast, and what to do where the same replay stopped before.
    watch
        Is told now and then.

    Raises
    ------
    WrongUse
        Where it is to go on, and cannot without sending events a second time.
    RefrainError
        Where it cannot be done. What is in Kafka is noted, and `resume` goes on from there.
    """
    with open_admin(settings) as admin:
        create_missing(admin, settings)
        state = describe_topics(admin, settings)[plan.topic]
    if state is None:
        raise Unreachable(
            f"Kafka has no topic {plan.topic} yet, though it was asked to make it", hint="Try again."
        )
    folder = settings.data / FOLDER
    known = plan.options.known_artists
    files = [*plan.files, *plan.options.songs, *([known] if known else [])]
    bookmark, old = Bookmark.find(folder, state.topic_id, files, plan.identity, plan.selection)
    if old and sending.resume:
        if changed := bookmark.changed:
            raise WrongUse(
                f"{changed} has changed since it was replayed ({bookmark.events:,} events), so this cannot "
                "go on where it was",
                hint="--anew begins again, and sends those events a second time.",
            )
        if bookmark.finished:
            return Summary(0, bookmark.events, True, 0.0, Tally())
    elif old and not sending.anew and not bookmark.finished:
        raise WrongUse(
            f"this replay stopped after {bookmark.events:,} events (or still runs)",
            hint="--resume goes on there, --anew begins again and sends those a second time.",
        )
    else:
        if sending.resume:
            refuse_sent_before(bookmark, plan.files)
        bookmark = bookmark.anew(time.time())

    reading = plan.reading(bookmark.started, folder)
    progress = Progress(reading)

    def told(sent: int) -> None:
        progress.sent = sent
        watch(progress)

    with ExitStack() as stack:
        events = in_order(plan, reading, bookmark.started, progress, lambda: watch(progress), stack)
        began, began_at = time.monotonic(), time.time()
        replay = Replay(
            settings,
            state.topic.name,
            state.partitions,
            bookmark,
            settings.connect_timeout,
            sending.rate,
            told,
        )
        finished = asyncio.run(_until_told(replay, events))
        seconds = time.monotonic() - began
    before = replay.bookmark.events - replay.sent
    unknown = sending.resume and not old
    summary = Summary(replay.sent, before, finished, seconds, reading.tally, unknown=unknown)
    if not (finished and replay.sent):
        return summary
    sent = Sent(plan.topic, replay.starts, replay.bookmark.offsets, began_at)
    return replace(summary, refused=find_refused(settings, sent))


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


async def _until_told(replay: Replay, events: Iterator[Pair | None]) -> bool:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, replay.stop.set)
    return await replay.run(events)
