"""Who has just clicked: their traits are computed again within seconds."""

from __future__ import annotations

import asyncio
import itertools
import logging
import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol

from consumers.runtime.reader_lag import ReaderLag, in_hand
from consumers.runtime.rests import Rests
from models.listener import Click
from stream.stores.heartbeats import Heartbeat
from stream.wire.consumer import Consumer
from stream.wire.parsing import parse_clicks
from stream.wire.record import Record

__all__ = ["Clicked"]

logger = logging.getLogger(__name__)

CHUNK = 500  # listeners
READ = 10_000  # clicks read at once
SCORE_SECONDS = 1.0
SHARE = 0.5  # of a core, at most: who clicks during a rest is scored once for all their clicks
PATIENCE = 60.0  # seconds that a click is waited for to be in its listener's record
BEHIND = (
    100_000  # clicks not read yet of which all but the last `READ` are passed over: rounds meet everybody
)
MOST = 25_000  # listeners who wait to be scored; who clicks beyond is left to the rounds, too

Roots = Callable[[Collection[str]], Awaitable[Mapping[str, str]]]
"""Returns for each id that is part of a listener who that is (`stream.stores.merges.Merges.roots`)."""


class Scores(Protocol):
    """What scores listeners (`consumers.traits.scorer.Scorer`)."""

    async def score(self, users: Sequence[str]) -> dict[str, float]: ...


class Clicked:
    """Reads clicks to know who is active, and scores them once a second.

    A click may be read here before the ingester has applied it. A listener whose record does not know of it
    yet is scored again, until it does or `PATIENCE` is over. Of a click that comes after a later one, the
    record does not say whether it knows: such a listener is scored once more when `PATIENCE` is over.

    A click under an id that is part of a listener is the listener's. Who has just got a part, or was one,
    is scored when `PATIENCE` is over, without a click.

    While more click than can be scored, as when years are replayed, `MOST` are noted and no more.

    Parameters
    ----------
    clock
        Unix seconds.
    """

    def __init__(
        self,
        scorer: Scores,
        roots: Roots,
        heartbeat: Heartbeat,
        stop: asyncio.Event,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._scorer = scorer
        self._roots = roots
        self._heartbeat = heartbeat
        self._stop = stop
        self._clock = clock
        self._clicked: dict[str, tuple[float, float]] = {}  # the click's time, and when it was read
        # Who has a click that came after a later one, and when it was read; whose record is changing.
        self._late: dict[str, float] = {}
        self._full = False
        self._rests = Rests(SHARE)

    async def read(self, consumer: Consumer) -> None:
        """Note who clicks, until asked to stop."""
        lag = ReaderLag(self._heartbeat, "clicks")
        try:
            while not self._stop.is_set():
                await consumer.pass_over(BEHIND, READ)
                found = await lag.read(consumer, timeout_ms=500, max_records=READ)
                now = self._clock()
                # What is no click, the ingester sends to the dead letters.
                clicks, _ = parse_clicks(map(Record.of, itertools.chain.from_iterable(found.values())), now)
                self.note(clicks)
                lag.done(in_hand(found))
                self._heartbeat.add("clicks", len(clicks))
        finally:
            lag.forget()  # whoever leads now reads them

    def note(self, clicks: Sequence[Click]) -> None:
        """Note who is to be scored."""
        now = self._clock()
        for click in clicks:
            if not self._has_room(self._clicked, click.user_id):
                self._say_full()
                continue
            ts, _ = self._clicked.get(click.user_id, (-math.inf, now))
            if click.ts < ts and self._has_room(self._late, click.user_id):
                self._late[click.user_id] = now
            self._clicked[click.user_id] = max(ts, click.ts), now

    def look_again(self, users: Iterable[str]) -> None:
        """Note who is to be scored when `PATIENCE` is over, without a click: their record is changing."""
        now = self._clock()
        for user in users:
            if self._has_room(self._late, user):
                self._late[user] = now

    @staticmethod
    def _has_room(held: Collection[str], user: str) -> bool:
        return len(held) < MOST or user in held

    def _say_full(self) -> None:
        if not self._full:
            logger.warning("more than %d listeners wait to be scored: rounds meet the others", MOST)
        self._full = True

    async def score(self) -> None:
        """Score who has clicked, again and again, until asked to stop."""
        while not self._stop.is_set():
            began = time.monotonic()
            scored = await self.score_noted()
            await asyncio.sleep(max(SCORE_SECONDS, self._rests.after(time.monotonic() - began, scored)))

    async def score_noted(self) -> int:
        """Score those whose turn it is; return how many they are."""
        clicked, self._clicked = self._clicked, {}
        self._full = self._full and len(clicked) >= MOST
        now = self._clock()
        for user in [user for user, read_at in self._late.items() if now - read_at >= PATIENCE]:
            clicked.setdefault(user, (-math.inf, self._late.pop(user)))
        clicked = await self._whose(clicked)
        users = list(clicked)
        for at in range(0, len(users), CHUNK):
            seen = await self._scorer.score(users[at : at + CHUNK])
            self._wait_for(clicked, seen)
        return len(users)

    async def _whose(self, clicked: dict[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
        """Let clicks of all ids of a listener be the listener's."""
        roots = await self._roots(clicked)
        found: dict[str, tuple[float, float]] = {}
        for user, (ts, read_at) in clicked.items():
            root = roots.get(user, user)
            if root not in found:
                found[root] = ts, read_at
                continue
            last, last_read_at = found[root]
            found[root] = max(ts, last), max(read_at, last_read_at)
            # The record that knows of the later click may not know of the other.
            if ts != last and self._has_room(self._late, root):
                self._late[root] = found[root][1]
        return found

    def _wait_for(self, clicked: dict[str, tuple[float, float]], seen: dict[str, float]) -> None:
        """Take those once more whose record does not know of their click yet."""
        now = self._clock()
        for user, last in seen.items():
            ts, read_at = clicked[user]
            if last > ts > -math.inf and self._has_room(self._late, user):
                self._late[user] = max(self._late.get(user, -math.inf), read_at)
            waits = not last >= ts and now - read_at < PATIENCE
            if waits and user not in self._clicked and len(self._clicked) < MOST:
                self._clicked[user] = ts, read_at
