"""Goes through the dead letters and puts those back that can be used by now, each once."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence, Set
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from pydantic import BaseModel

from consumers.redrive.letters import Letter, letter_of, name_of
from models.listener import Click, under
from stream.connect import AnyRedis
from stream.errors import CannotStart, Unreachable
from stream.settings import Settings
from stream.stores import keys
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.erased import Erased
from stream.stores.guards import begun
from stream.stores.lease import Lease, alone
from stream.stores.merges import Merges
from stream.stores.redriven import Redriven
from stream.stores.segments import Segments
from stream.stores.waiting import Waiting
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.events import ArtistAlias, Feedback, Label, Merge, Release, Song
from stream.wire.parsing import parse, parse_clicks
from stream.wire.sender import Message, Sender, open_sender

__all__ = ["Redrive", "Summary"]

CHUNK = 1000  # letters at once
SEGMENT_DAYS = 14.0  # that Kafka may keep a letter longer than the topic's retention says, at the most
KINDS: dict[str, type[BaseModel]] = {
    "songs": Song,
    "releases": Release,
    "feedback": Feedback,
    "labels": Label,
    "merges": Merge,
    "artist-aliases": ArtistAlias,
}
SUPERSEDED = "superseded"
"""Why a song is left that the catalogue knows by now, or an alias: what is known may be newer; and a merge,
or its undoing, where a later one has made the id part of a listener."""

TOO_OLD = "too-old"
"""Why a release is left whose letter is older than `Settings.release_age_hours`: it would go out as new."""

MERGED = "merged-meanwhile"
"""Why a click is left whose listener became part of another at this moment: the next run puts it back."""

READ_AGAIN = "read-again"
"""Why a letter is left that is older than the database: its event was read again into this one; of a release
only the database before knew whether it was put back."""

ERASED = "erased"
"""Why an event is left whose listener, or segment, was erased since: it would bring them back."""


@dataclass
class Summary:
    """What has become of the letters, by reason.

    Attributes
    ----------
    letters
        How many were looked at.
    put_back
        By the reason that they had.
    put_back_before
        By an earlier run, by the reason that they had.
    left
        What cannot be used today either, by the reason that it has now; a song or an alias that came
        otherwise, or a merge that a later one has followed, is "superseded", what is about a listener or a
        segment that was erased since "erased", a release that is no news any more "too-old",
        what is older than the database "read-again", and a click whose listener was just becoming part of
        another "merged-meanwhile".
    """

    letters: int = 0
    put_back: Counter[str] = field(default_factory=Counter)
    put_back_before: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)


@dataclass
class Redrive:
    """One run.

    A click is put among those that wait for their song, in one step with a note that it was: so it counts
    once, however often this runs and wherever it is broken off. Other events go to their topic again, where
    whoever reads them knows them by their ids; one that is refused there is put back no more.

    Parameters
    ----------
    reason
        Only letters with this reason; None: all.
    since
        Only letters that came since, Unix seconds; None: all.
    until
        Only letters that came before, Unix seconds; None: all.
    older
        Also letters that are older than the database.
    dry_run
        Put nothing back; say what would be.
    watch
        Is told how many letters were read so far, and of how many.
    """

    settings: Settings
    redis: AnyRedis
    reason: str | None = None
    since: float | None = None
    until: float | None = None
    older: bool = False
    dry_run: bool = False
    watch: Callable[[int, int], object] = lambda done, total: None
    summary: Summary = field(default_factory=Summary)

    def __post_init__(self) -> None:
        self._catalogue, self._waiting = Catalogue(self.redis), Waiting(self.redis)
        self._erased, self._aliases = Erased(self.redis), ArtistAliases(self.redis)
        keep = (2 * self.settings.retention_days + SEGMENT_DAYS) * 86400.0
        self._redriven, self._merges = Redriven(self.redis, keep), Merges(self.redis)
        self._segments = Segments(self.redis)
        self._keep = keep
        self._begun = 0.0
        self._lease: Lease | None = None  # none where nothing is put back

    async def run(self) -> Summary:
        """Go through the letters that there are now.

        Raises
        ------
        CannotStart
            Where another run is at work: both would send what either has not noted yet.
        Unreachable
            Where Kafka does not answer. What is put back is noted: run it again.
        """
        self._begun = await begun(self.redis)
        try:
            async with AsyncExitStack() as stack:
                if not self.dry_run:
                    one = alone(self.redis, "redrive", keys.REDRIVE_LEASE)
                    self._lease = await stack.enter_async_context(one)
                consumer = Consumer(
                    self.settings,
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                )
                stack.push_async_callback(consumer.stop)
                await consumer.start()
                sender = await stack.enter_async_context(open_sender(self.settings))
                await self._all(consumer, sender)
        except KafkaError as error:
            raise Unreachable(
                f"Kafka at {self.settings.kafka} failed: {error}",
                hint="Run it again: what is put back is noted. `refrain doctor` looks why.",
            ) from error
        return self.summary

    async def _all(self, consumer: Consumer, sender: Sender) -> None:
        numbers = await sender.partitions_for("dead-letters")
        places = [TopicPartition("dead-letters", number) for number in sorted(numbers)]
        consumer.assign(places)
        position = dict(await consumer.beginning_offsets(places))
        ends = await consumer.end_offsets(places)
        if self.since is not None:
            found = await consumer.offsets_for_times(dict.fromkeys(places, int(self.since * 1000)))
            position = {place: found[place].offset if found[place] else ends[place] for place in places}
        for place in places:
            consumer.seek(place, position[place])
        total = sum(max(ends[place] - position[place], 0) for place in places)
        done = 0
        async for messages in consumer.read_to(ends, CHUNK):
            letters = [letter_of(message) for message in messages]
            await self._some([each for each in letters if self._is_asked_for(each)], sender)
            done += len(letters)
            self.watch(min(done, total), total)

    def _is_asked_for(self, letter: Letter) -> bool:
        since, until = self.since or -math.inf, math.inf if self.until is None else self.until
        return self.reason in (None, letter.reason) and since <= letter.at < until

    async def _some(self, letters: Sequence[Letter], sender: Sender) -> None:
        if self._lease and not await self._lease.hold():
            raise CannotStart(
                "this run was held up for so long that another `refrain redrive` has begun",
                hint="Run it again once that has ended: what is put back is noted.",
            )
        self.summary.letters += len(letters)
        read = [(letter, _event_of(letter)) for letter in letters]
        gone = await self._gone(read)
        before = await self._redriven.among([e.name for e, event in read if isinstance(event, BaseModel)])
        clicks: list[tuple[Letter, Click]] = []
        others: list[Letter] = []
        for letter, event in read:
            if isinstance(event, str):
                self.summary.left[event] += 1
            elif letter.name in gone:
                self.summary.left[ERASED] += 1
            elif letter.at < self._begun and not self.older:
                self.summary.left[READ_AGAIN] += 1
            elif isinstance(event, Click):
                clicks.append((letter, event))
            elif letter.name not in before and self._is_too_old(letter, event):
                self.summary.left[TOO_OLD] += 1
            elif letter.name not in before and await self._is_superseded(event):
                self.summary.left[SUPERSEDED] += 1
            else:
                others.append(letter)
        await self._clicks(clicks)
        await self._others(others, before, sender)

    async def _gone(self, read: Sequence[tuple[Letter, Click | BaseModel | str]]) -> set[str]:
        """Return the letters, by name, that are about a listener or a segment that was erased since."""
        erased = await self._erased.times({user for _, event in read for user in _about(event)})
        labelled = {event.segment for _, event in read if isinstance(event, Label)}
        forgotten = await self._segments.forgotten_at(labelled)
        gone = set()
        for letter, event in read:
            of_listeners = any(erased.get(user, -math.inf) >= _when(letter, event) for user in _about(event))
            of_segment = isinstance(event, Label) and forgotten.get(event.segment, -math.inf) >= letter.at
            if of_listeners or of_segment:
                gone.add(letter.name)
        return gone

    def _is_too_old(self, letter: Letter, event: BaseModel) -> bool:
        """Say whether a release came so long ago that workers, had they read it then, would tell nobody."""
        most = 3600.0 * self.settings.release_age_hours
        return bool(most and isinstance(event, Release) and time.time() - letter.at > most)

    async def _is_superseded(self, event: BaseModel) -> bool:
        if isinstance(event, Merge):
            there = await self._merges.forward(event.user_id)
            return there is not None and there.at > event.ts
        if isinstance(event, ArtistAlias):
            return bool(await self._aliases.said(event.alias))
        return isinstance(event, Song) and bool(await self._catalogue.artists_of([event.song_id]))

    async def _clicks(self, found: Sequence[tuple[Letter, Click]]) -> None:
        asked = {click.song_id for _, click in found if not click.artist_ids and click.song_id}
        known = await self._catalogue.artists_of(asked)
        usable: dict[str, Click] = {}
        reasons: dict[str, str] = {}
        for letter, click in found:
            if not click.artist_ids and click.song_id and click.song_id not in known:
                self.summary.left[Reason.UNKNOWN_SONG.value] += 1
            elif letter.name not in usable:
                usable[letter.name], reasons[letter.name] = click, letter.reason
            else:
                self.summary.put_back_before[letter.reason] += 1
        roots = await self._merges.roots({click.user_id for click in usable.values()})
        usable = {
            name: under(click, roots.get(click.user_id, click.user_id)) for name, click in usable.items()
        }
        new = (
            usable.keys() - await self._waiting.were_put_back(usable)
            if self.dry_run
            else await self._waiting.put_back(usable, time.time(), self._keep)
        )
        rest = {name: click for name, click in usable.items() if name not in new}
        for name in rest.keys() - await self._waiting.were_put_back(rest) if rest else ():
            self.summary.left[MERGED] += 1
            del reasons[name]
        self._count(reasons, new)

    async def _others(self, letters: Sequence[Letter], before: Set[str], sender: Sender) -> None:
        by_name = {letter.name: letter for letter in letters}
        new = by_name.keys() - before
        if not self.dry_run:
            events = [letter.event for name, letter in by_name.items() if name in new]
            places = await sender.deliver(
                [Message(event.topic, event.key, event.value, event.headers) for event in events]
            )
            # One that is refused again is a letter by another name.
            again = {name_of(e.topic, *at, e.value) for e, at in zip(events, places, strict=True)}
            # Only now: what is sent and not noted is sent again, and known by its ids.
            await self._redriven.add(new | again, time.time())
        self._count({letter.name: letter.reason for letter in letters}, new)

    def _count(self, reasons: dict[str, str], new: set[str]) -> None:
        for name, reason in reasons.items():
            into = self.summary.put_back if name in new else self.summary.put_back_before
            into[reason] += 1


def _event_of(letter: Letter) -> Click | BaseModel | str:
    """Return the event of a letter, or the reason for which it cannot be used today either."""
    if letter.is_lost:
        return letter.reason
    if letter.event.topic == "clicks":
        clicks, dead = parse_clicks([letter.event], time.time())
        return clicks[0] if clicks else dead[0].reason.value
    kind = KINDS.get(letter.event.topic)
    if kind is None:
        return letter.reason  # Refrain's own: others have read it
    event = parse(kind, letter.event)
    return event.reason.value if isinstance(event, DeadLetter) else event


def _when(letter: Letter, event: Click | BaseModel | str) -> float:
    """Return when an event came, at the earliest: its letter may have been written only after an erasure."""
    said: float = getattr(event, "ts", letter.at)
    return min(said, letter.at)


def _about(event: Click | BaseModel | str) -> tuple[str, ...]:
    """Return the listeners of whom an event would leave something that an erasure takes."""
    if isinstance(event, Feedback) and event.kind == "opted_out":
        return ()  # an opt-out is kept of who is erased
    if isinstance(event, Merge):
        return (event.user_id, event.into or event.user_id)
    return (event.user_id,) if isinstance(event, Click | Feedback | Label) else ()
