"""A replay from what was asked for to its end: files, the order of events, where it stopped."""

from __future__ import annotations

import asyncio
import itertools
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from consumers.replay.sender import Replay
from stream.errors import Unreachable, WrongUse
from stream.files import Bookmark, Layout, Reading, Recipe, SongFile, Spool, Table, Tally
from stream.files.times import seconds_of, span, zone
from stream.settings import Settings
from stream.wire.topics import create_topics, describe_topics

__all__ = ["Plan", "Progress", "Summary", "carry_out", "preview"]

Pair = tuple[bytes, bytes]


@dataclass(frozen=True)
class Plan:
    """Which events there are, and in which order: what makes a replay the same or another one.

    Attributes
    ----------
    recipe
        How rows become events; its `since` is set when the replay starts.
    files, layout
        What is read, and how it is laid out.
    songs, songs_layout, songs_map, songs_on
        The file of songs beside the clicks, and how it goes with them.
    shuffle
        The seed of a random order; None: the order of the files.
    spread
        The span over which events get their times; empty: they have their own.
    since, limit
        The first moment, and how many events at most.
    """

    recipe: Recipe
    files: tuple[Path, ...]
    layout: Layout = field(default_factory=Layout)
    songs: Path | None = None
    songs_layout: Layout = field(default_factory=Layout)
    songs_map: Mapping[str, str] = field(default_factory=dict)
    songs_on: Mapping[str, str] = field(default_factory=dict)
    shuffle: int | None = None
    spread: str = ""
    since: str = ""
    limit: int | None = None

    def __post_init__(self) -> None:
        if self.songs is None and (self.songs_map or self.songs_on or self.songs_layout.columns):
            raise WrongUse(
                "--songs-map, --songs-on and --songs-columns say how to read a file: name it with --songs"
            )
        if self.songs and self.recipe.kind != "clicks":
            raise WrongUse("--songs says which artists made what was clicked: it goes with clicks")

    @property
    def options(self) -> str:
        """Everything that decides on events and their order, apart from the files."""
        others = [
            repr(getattr(self, entry.name)) for entry in fields(self) if entry.name not in ("files", "songs")
        ]
        return ", ".join(others)

    @property
    def waits(self) -> bool:
        """Whether all events have to be read before the first one goes."""
        return self.shuffle is not None or bool(self.spread)

    def reading(self, now: float, spare: Path | None) -> Reading:
        """Open all files.

        Parameters
        ----------
        now
            Unix seconds, what `since` and `spread` count from.
        spare
            The folder for side files of bad rows that cannot stand beside their file; None: no side files.
        """
        timezone = zone(self.recipe.timezone)
        recipe = replace(self.recipe, since=seconds_of(self.since, now, timezone) if self.since else None)
        songs = None
        if self.songs:
            table = Table(self.songs, self.songs_layout)
            songs = SongFile(table, self.songs_map, self.songs_on, recipe.separator)
        return Reading([Table(path, self.layout) for path in self.files], recipe, songs, spare)

    def stamp(self, count: int, now: float) -> Callable[[int, bytes], bytes]:
        """Return what gives the events, by their number of `count`, their times, evenly over the span."""
        begin, end = span(self.spread, now, zone(self.recipe.timezone))
        step = (end - begin) / max(count, 1)
        return lambda number, value: b'%s,"ts":%.3f}' % (value[:-1], begin + (number + 0.5) * step)


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


@dataclass(frozen=True)
class Summary:
    """What came of a replay.

    Attributes
    ----------
    sent
        Events sent by this run.
    before
        Events that earlier runs had sent.
    finished
        Whether there is nothing left to send.
    seconds
        How long it took to send them.
    tally
        What became of the rows.
    """

    sent: int
    before: int
    finished: bool
    seconds: float
    tally: Tally


def preview(plan: Plan, count: int) -> tuple[list[Pair], Tally]:
    """Return the first events of a plan as they would go, key and value. Nothing is sent or written."""
    now = time.time()
    reading = plan.reading(now, None)
    with ExitStack() as stack:
        events = _in_order(plan, reading, now, Progress(reading), lambda: None, stack)
        return list(itertools.islice(events, count)), reading.tally


def carry_out(
    plan: Plan,
    settings: Settings,
    *,
    resume: bool,
    anew: bool,
    rate: float | None,
    watch: Callable[[Progress], object],
) -> Summary:
    """Send the events of a plan, until they are all sent, or SIGINT or SIGTERM comes.

    Parameters
    ----------
    resume, anew
        What to do where the same replay stopped before: go on, or begin again.
    rate
        Events a second, at most; None: as fast as it goes.
    watch
        Is told now and then.

    Raises
    ------
    RefrainError
        Where it cannot be done. What is in Kafka is noted, and `resume` goes on from there.
    """
    create_topics(settings)
    state = describe_topics(settings)[plan.recipe.kind]
    if state is None:
        raise Unreachable(
            f"Kafka has no topic {plan.recipe.kind} yet, though it was asked to make it: try again"
        )
    folder = settings.data / "replays"
    files = [*plan.files, *([plan.songs] if plan.songs else [])]
    bookmark, old = Bookmark.find(folder, state.topic_id, files, plan.options)
    if old and resume:
        if changed := bookmark.changed:
            raise WrongUse(
                f"{changed} has changed since it was replayed ({bookmark.events:,} events), so this cannot "
                "go on where it was; --anew begins again, and sends those events a second time"
            )
        if bookmark.finished:
            return Summary(0, bookmark.events, True, 0.0, Tally())
    elif old and not anew and not bookmark.finished:
        raise WrongUse(
            f"this replay stopped after {bookmark.events:,} events (or still runs): --resume goes on there, "
            "--anew begins again and sends those a second time"
        )
    else:
        bookmark = bookmark.anew(time.time())

    reading = plan.reading(bookmark.started, folder)
    progress = Progress(reading)

    def told(sent: int) -> None:
        progress.sent = sent
        watch(progress)

    with ExitStack() as stack:
        events = _in_order(plan, reading, bookmark.started, progress, lambda: watch(progress), stack)
        began = time.monotonic()
        replay = Replay(
            settings.kafka, state.topic.name, state.partitions, bookmark, settings.connect_timeout, rate, told
        )
        finished = asyncio.run(_until_told(replay, events))
        seconds = time.monotonic() - began
    before = replay.bookmark.events - replay.sent
    return Summary(replay.sent, before, finished, seconds, reading.tally)


def _in_order(
    plan: Plan,
    reading: Reading,
    now: float,
    progress: Progress,
    watch: Callable[[], object],
    stack: ExitStack,
) -> Iterator[Pair]:
    """Return the events of a plan one by one, in the order in which they go."""
    if not plan.waits:
        copies = ((e.key, e.value) for e in reading.events() for _ in range(e.copies))
        return itertools.islice(copies, plan.limit)
    spool = stack.enter_context(Spool(plan.shuffle))
    for number, event in enumerate(reading.events()):
        spool.put(event)
        if number % 1000 == 0:
            progress.waiting = len(spool)
            watch()
    progress.waiting, progress.total = None, min(len(spool), plan.limit or len(spool))
    events = itertools.islice(spool, progress.total)
    if not plan.spread:
        return events
    stamp = plan.stamp(progress.total, now)
    return ((key, stamp(number, value)) for number, (key, value) in enumerate(events))


async def _until_told(replay: Replay, events: Iterator[Pair]) -> bool:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, replay.stop.set)
    return await replay.run(events)
