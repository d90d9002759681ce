"""Which listeners to learn from: those who click, and while nobody does, those who clicked lately."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping

from aiokafka import ConsumerRecord

from consumers.runtime.reader_lag import ReaderLag, in_hand
from models.affinity import ACTION_WEIGHTS
from models.listener import HEARD, Click, Rules, is_short
from models.song_learner import Play
from stream.connect import AnyRedis
from stream.retry import Retry
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.heartbeats import BEAT_SECONDS, heartbeats
from stream.wire.consumer import Consumer
from stream.wire.parsing import parse_clicks
from stream.wire.record import Record

__all__ = ["SAMPLE", "ActiveListeners", "RecentListeners"]

SAMPLE = 512  # listeners learned from at once
READ = 10_000  # clicks looked at for a sample: the faster they come, the smaller the share of them
BEHIND = 50_000  # clicks not read yet of which the trainer passes over all but the last `READ`
RECENT = 50_000  # listeners remembered, to learn from again while nobody clicks
REPEATS = 3  # times that each of them is learned from again
UNASSIGNED_SECONDS = 0.2

ENDED = 2 * BEAT_SECONDS  # seconds without progress after which ingesters have no more to do

Added = Mapping[str, Mapping[str, float]]
Roots = Callable[[Collection[str]], Awaitable[Mapping[str, str]]]
"""Returns for each id that is part of a listener who that is (`stream.stores.merges.Merges.roots`)."""


class ActiveListeners:
    """Reads clicks, and says who of their listeners to learn from.

    Clicks only say who is active; what is learned from is the listener's own row in Redis. Any partition is
    a uniform sample of listeners, so clicks may be passed over; what counts is that nobody is passed over
    for good.

    Attributes
    ----------
    clicks
        Read, or passed over, so far.
    play_now
        The stored weight of one play at the time of the newest click, of those that were looked at and those
        that Redis knew when the trainer began to lead.
    passed_over
        Those of them that were not looked at, because more had come than could be. Their listeners are
        asked of Redis while nobody clicks, where ingesters have written them by then.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        rules: Rules,
        recent: RecentListeners,
        retry: Retry,
        aliases: ArtistAliases,
        roots: Roots,
        lag: ReaderLag,
    ) -> None:
        self.clicks = self.passed_over = 0
        self.play_now = 0.0
        self._made_up_for, self._remembered_at = 0, -1  # clicks passed over; clicks applied
        self._catalogue = catalogue
        self._rules = rules
        self._recent = recent
        self._retry = retry
        self._aliases = aliases
        self._roots = roots
        self._lag = lag
        self._random = random.Random(0)  # noqa: S311 - a sample, not a secret

    def artist_of(self, artist: str) -> str:
        """Return the artist that an id stands for by now, mostly itself."""
        return self._aliases.of(artist)

    async def next(self, consumer: Consumer) -> tuple[list[str], Added, list[Play]]:
        """Return listeners to learn from, what the clicks read just now add to artists, and plays of these.

        The listeners are those who clicked just now; where nobody did, some of the recent ones again.
        """
        added, plays = await self._clicked(consumer)
        if added:
            return list(added), added, plays
        again = await self._retry("looking how far ingesters are", self._again)
        return again, {}, []

    def end(self) -> None:
        """Note that another may read clicks from now on."""
        self._lag.forget()

    async def _clicked(self, consumer: Consumer) -> tuple[Added, list[Play]]:
        if not consumer.assignment():
            # It would wait until Kafka has given up on a trainer that died; there is enough to learn from.
            await asyncio.sleep(UNASSIGNED_SECONDS)
            return {}, []
        # Where the trainer is far behind: it needs a sample, and the newest clicks.
        passed_over = await consumer.pass_over(BEHIND, READ)
        self.clicks += passed_over
        self.passed_over += passed_over
        found = await self._lag.read(consumer, timeout_ms=200, max_records=READ)
        records = [record for records in found.values() for record in records]
        self.clicks += len(records)
        clicks = await self._whose(self._sampled(records))
        self._recent.add(click.user_id for click in clicks)
        added = await self._added(clicks)
        self._lag.done(in_hand(found))
        return added

    async def _again(self) -> list[str]:
        await self._recent.look()
        if self.passed_over > self._made_up_for:
            await self._make_up()
        return self._recent.again()

    async def _make_up(self) -> None:
        """Take in those who were passed over: when twice as many may be written, and when all are."""
        ended, applied = self._recent.quiet >= ENDED, self._recent.applied
        if applied != self._remembered_at and (ended or applied >= 2 * self._remembered_at):
            await self._recent.remember()
            self._remembered_at = applied
        if ended and applied > 0:  # with none applied, ingesters have not begun
            self._made_up_for, self._remembered_at = self.passed_over, -1

    def _sampled(self, records: list[ConsumerRecord]) -> list[Click]:
        if len(records) > 4 * SAMPLE:
            self.passed_over += len(records) - 4 * SAMPLE
            records = self._random.sample(records, 4 * SAMPLE)
        # What is no click, the ingester sends to the dead letters.
        clicks, _ = parse_clicks(map(Record.of, records), time.time())
        return clicks

    async def _whose(self, clicks: list[Click]) -> list[Click]:
        """Let clicks under an id that is part of a listener be the listener's, as they count."""
        ids = {click.user_id for click in clicks}
        roots = await self._retry("asking whose clicks these are", self._roots, ids)
        return [click._replace(user_id=roots.get(click.user_id, click.user_id)) for click in clicks]

    async def _added(self, clicks: list[Click]) -> tuple[Added, list[Play]]:
        # As the ingester counts them: what adds to no affinity is no discovery, and no play of a song either.
        least = self._rules.least_ms_played
        clicks = [
            click._replace(song_id="", artist_ids=()) if is_short(click, least) else click
            for click in self._catalogue.without_length(clicks)
        ]
        songs = {click.song_id for click in clicks if not click.artist_ids and click.song_id}
        known = await self._retry("asking for songs", self._catalogue.named_by, songs)
        added: dict[str, dict[str, float]] = {}
        newest = max((click.ts for click in clicks), default=-math.inf)
        self.play_now = max(self.play_now, self._rules.decay.stored(1.0, newest))
        plays = []
        for click in clicks:
            named = click.artist_ids or known.get(click.song_id, ())
            if click.action in HEARD and click.song_id:
                # By the ids named: what these stand for may be another artist when a song model is made.
                plays.append(Play(click.user_id, click.song_id, named))
            if click.user_id in added or len(added) < SAMPLE:
                theirs = added.setdefault(click.user_id, {})
                weight = self._rules.decay.stored(ACTION_WEIGHTS[click.action], click.ts)
                for artist in dict.fromkeys(map(self._aliases.of, named)):
                    theirs[artist] = theirs.get(artist, 0.0) + weight
        return added, plays


class RecentListeners:
    """Listeners who clicked lately, to learn from `REPEATS` times more while nobody clicks.

    Counted from when the ingesters, too, have no more to do: they may be behind, and what is learned from is
    what they write.

    Attributes
    ----------
    applied
        Clicks that the ingesters say they have applied; -1 before they were asked.
    """

    def __init__(self, redis: AnyRedis, cohorts: Cohorts, clock: Callable[[], float]) -> None:
        self.applied = -1
        self._redis = redis
        self._cohorts = cohorts
        self._clock = clock
        self._random = random.Random(0)  # noqa: S311 - a sample, not a secret
        self._recent: OrderedDict[str, None] = OrderedDict()
        self._waiting: list[str] = []
        self._rounds = 0
        self._active_at = clock()

    @property
    def all_learned(self) -> bool:
        """Whether there is nothing left to learn from until somebody clicks."""
        return not self._rounds and not self._waiting and self.quiet >= ENDED

    @property
    def quiet(self) -> float:
        """For how many seconds nobody has clicked, and no ingester has applied anything."""
        return self._clock() - self._active_at

    async def remember(self) -> None:
        """Take in some of the listeners whom Redis knows, to be learned from once."""
        self._recent.update(dict.fromkeys(await self._cohorts.sample(RECENT)))
        self._forget_oldest()
        self._rounds = max(self._rounds, 1)

    def add(self, users: Iterable[str]) -> None:
        """Note that some listeners have clicked."""
        for user in users:
            self._recent[user] = None
            self._recent.move_to_end(user)
            self._active()
        self._forget_oldest()

    async def look(self) -> None:
        """Ask how many clicks the ingesters have applied: while they apply some, it is not quiet."""
        applied = sum(int(ingester.get("clicks", 0)) for ingester in await self.ingesters())
        if applied != self.applied:
            self.applied = applied
            self._active()

    def again(self) -> list[str]:
        """Return some to learn from while nobody clicks; none where all have been learned from."""
        if not self._waiting and self._rounds:
            self._rounds -= 1
            self._waiting = self._random.sample(list(self._recent), len(self._recent))
        users, self._waiting = self._waiting[:SAMPLE], self._waiting[SAMPLE:]
        return users

    async def ingesters(self) -> list[dict[str, str]]:
        """Return what each ingester that lives says of itself."""
        return [state for state in (await heartbeats(self._redis)).values() if state["kind"] == "ingest"]

    def _active(self) -> None:
        self._rounds, self._active_at = REPEATS, self._clock()

    def _forget_oldest(self) -> None:
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)
