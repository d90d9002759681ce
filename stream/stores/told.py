"""What each listener was told of lately, over all releases: their caps, and how often they click."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple
from zlib import crc32

import msgpack
import numpy as np
import numpy.typing as npt

from models.affinity import DAY
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scripts import Call, Script, call_all

__all__ = ["LATELY", "UNREPORTED", "WEEK", "Caps", "Heed", "Told", "ToldLately"]

Floats = npt.NDArray[np.float64]

SHARDS = 64
"""A page of 1,000 listeners asks each for 16: 64 short scripts instead of 1,000 calls."""

WEEK = 7 * DAY
"""Seconds after which a notification counts for no cap on their number."""

UNREPORTED = DAY / 4
"""Seconds after which a notification counts no more of which nothing was heard."""

LATELY = ("sent", "clicked", "day", "week", "last")
"""Notifications and clicks as stored (they fade by forward decay), notifications in the last 24 hours and 7
days, and when the last was, in Unix seconds; 0: there was none."""

KEPT, MOST_KEPT = 64, 512
"""How many notifications of a listener are kept at least, and at most, whatever the caps are: 4 and 30 kB."""

SENT, CLICKED = 1, 2  # flags of a notification, as mark_told.lua writes them

REASONS = (
    "",
    "told often enough today",
    "told often enough this week",
    "told a moment ago",
    "told of this artist lately",
)


class Caps(NamedTuple):
    """How often a listener is told of releases at most.

    Attributes
    ----------
    a_day, a_week
        Notifications in any 24 hours, and in any 7 days; 0: any number.
    gap
        Seconds between two notifications at least.
    artist_gap
        The same of two that are about the same artist.
    """

    a_day: int = 0
    a_week: int = 0
    gap: float = 0.0
    artist_gap: float = 0.0

    @property
    def span(self) -> float:
        """Seconds after which a notification counts for none of them."""
        return max(WEEK, self.gap, self.artist_gap)

    @property
    def kept(self) -> int:
        """How many notifications of a listener are kept, so that all are found that a cap counts."""
        of_artist = 0
        if self.artist_gap:  # any of those within it may be about the artist
            every = [(self.a_day, DAY), (self.a_week, WEEK), (1 if self.gap else 0, self.gap)]
            of_artist = min(
                (number * ceil(self.artist_gap / seconds) for number, seconds in every if number),
                default=MOST_KEPT,
            )
        return min(max(KEPT, self.a_day, self.a_week, of_artist), MOST_KEPT)


class Heed(NamedTuple):
    """What was heard of a notification to a listener.

    Attributes
    ----------
    at
        When, in Unix seconds.
    weight
        What a sent or a click adds to the counts that fade.
    kinds
        Of `stream.wire.events.Feedback`.
    artists
        Whom the release is by: of one that has no place, as it was reported as not sent before.
    """

    user_id: str
    release_id: str
    at: float
    weight: float
    kinds: Sequence[str]
    artists: Sequence[str] = ()


class ToldLately(NamedTuple):
    """What a listener was told of in the time that caps look back, and how they take notifications.

    Attributes
    ----------
    sent, clicked
        As stored: they fade by forward decay.
    releases
        Release -> when its place was reserved, in Unix seconds; the oldest first.
    sent_of, clicked_of
        Those of them that are reported as sent, and as clicked.
    """

    sent: float = 0.0
    clicked: float = 0.0
    releases: Mapping[str, float] = {}
    sent_of: frozenset[str] = frozenset()
    clicked_of: frozenset[str] = frozenset()


class Told:
    """The store of what listeners were told, in 64 hashes."""

    def __init__(self, redis: AnyRedis, caps: Caps = Caps()) -> None:  # noqa: B008 - a tuple
        self._redis = redis
        self._caps = msgpack.packb([*caps, UNREPORTED, caps.span, caps.kept])
        self._span, self._kept = caps.span, caps.kept
        self._reserve, self._mark = Script("reserve_told"), Script("mark_told")
        self._read, self._join = Script("read_told"), Script("join_told")
        self._drop = Script("drop_told")

    async def reserve(
        self,
        release_id: str,
        artists: Sequence[str],
        users: Sequence[str],
        only_ask: Sequence[bool],
        now: float,
    ) -> list[str]:
        """Reserve a notification of a release for each listener, as far as caps allow; may be repeated.

        Parameters
        ----------
        artists
            Whom the release is by.
        only_ask
            Of whom it is only asked whether there is a place.
        now
            Unix seconds.

        Returns
        -------
        For each "", or why there is no place: one of `REASONS`.
        """

        def asked(places: list[int]) -> list[bytes | str | float]:
            pairs = [part for at in places for part in (users[at], 0 if only_ask[at] else 1)]
            return [release_id, now, self._caps, msgpack.packb(pairs, use_bin_type=False), by]

        by = msgpack.packb(_numbers(artists))
        answers = [""] * len(users)
        for places, found in await self._ask(self._reserve, users, asked):
            for at, answer in zip(places, msgpack.unpackb(found), strict=True):
                answers[at] = REASONS[answer]
        return answers

    async def mark(self, heard: Sequence[Heed]) -> None:
        """Note what was heard of notifications, each kind once; may be repeated while caps count them.

        A click on what was told longer ago may be repeated until the listener's next place is reserved.
        """
        users = [each.user_id for each in heard]
        await self._ask(self._mark, users, lambda places: [_packed([heard[at] for at in places]), self._kept])

    async def of(self, users: Sequence[str]) -> list[ToldLately]:
        """Return what listeners were told lately."""
        rows = _by_shard(users)
        found = await asyncio.gather(
            *(
                self._redis.hmget(keys.told(shard), [users[at] for at in places])
                for shard, places in rows.items()
            )
        )
        told = [ToldLately()] * len(users)
        for places, packed in zip(rows.values(), found, strict=True):
            for at, record in zip(places, packed, strict=True):
                if record:
                    told[at] = _unpacked(record)
        return told

    async def lately(self, users: Sequence[str], now: float) -> Floats:
        """Return the same as numbers, shape (n, 5): columns of `LATELY`; zeros where nothing was told.

        Parameters
        ----------
        now
            Unix seconds: for notifications of the last day and week.
        """
        found = np.zeros((len(users), len(LATELY)))

        def asked(places: list[int]) -> list[bytes | str | float]:
            return [now, msgpack.packb([users[at] for at in places])]

        for places, packed in await self._ask(self._read, users, asked):
            found[places] = np.frombuffer(packed, dtype="<f8").reshape(len(places), -1)
        return found

    async def _ask(
        self,
        script: Script,
        users: Sequence[str],
        arguments: Callable[[list[int]], Sequence[bytes | str | float]],
    ) -> list[tuple[list[int], Any]]:
        """Run a script on each shard that listeners are in; return where these stand, and its answer.

        Parameters
        ----------
        arguments
            What a shard is given, for those of its listeners.
        """
        rows = _by_shard(users)
        if not rows:
            return []
        calls = [Call(script, [keys.told(shard)], arguments(places)) for shard, places in rows.items()]
        return list(zip(rows.values(), await call_all(self._redis, calls), strict=True))

    async def join(self, user_id: str, into: str, token: str) -> None:
        """Let what one id of a listener was told count for the listener; may be repeated.

        Parameters
        ----------
        token
            Names the merge: what was told counts once for each.
        """
        record = await self._redis.hget(keys.told(_shard(user_id)), user_id)
        if record:
            await self._join(self._redis, [keys.told(_shard(into))], into, record, token)
            await self.forget(user_id)

    async def copy(self, user_id: str, to: str) -> None:
        """Let another id, of whom nothing is known, have been told what a listener was, as caps count it.

        Not how often it clicks: that stays with the listener, and would count twice if they were one again.
        """
        record = await self._redis.hget(keys.told(_shard(user_id)), user_id)
        if record:
            _, _, told, *_ = msgpack.unpackb(record, raw=True)
            copied = msgpack.packb((0, 0, told), use_bin_type=False)
            await self._redis.hsetnx(keys.told(_shard(to)), to, copied)

    async def expire(self, users: Sequence[str], now: float) -> dict[str, float]:
        """Erase what listeners were told, but of those whose caps it still counts for.

        Parameters
        ----------
        now
            Unix seconds.

        Returns
        -------
        Listener of whom something is left -> until when it counts, Unix seconds.
        """
        until: dict[str, float] = {}

        def asked(places: list[int]) -> list[bytes | str | float]:
            return [now - self._span, msgpack.packb([users[at] for at in places], use_bin_type=False)]

        for places, found in await self._ask(self._drop, users, asked):
            last = zip(places, msgpack.unpackb(found), strict=True)
            until |= {users[at]: float(at_last) + self._span for at, at_last in last if at_last}
        return until

    async def forget(self, user_id: str) -> bool:
        """Erase what a listener was told; say whether there was anything."""
        return bool(await self._redis.hdel(keys.told(_shard(user_id)), user_id))


def _shard(user_id: str) -> str:
    return f"{crc32(user_id.encode()) % SHARDS:02}"


def _by_shard(users: Sequence[str]) -> dict[str, list[int]]:
    """Return, by shard, where its listeners stand."""
    rows: dict[str, list[int]] = defaultdict(list)
    for at, user in enumerate(users):
        rows[_shard(user)].append(at)
    return rows


def _numbers(artists: Sequence[str]) -> list[int]:
    return [crc32(artist.encode()) for artist in artists]  # two alike: once in 4 billion


def _packed(heard: Sequence[Heed]) -> bytes:
    events: list[list[Any]] = [
        [h.user_id, h.release_id, h.at, h.weight, _numbers(h.artists), *h.kinds] for h in heard
    ]
    packed: bytes = msgpack.packb(events, use_bin_type=False)
    return packed


def _unpacked(record: bytes) -> ToldLately:
    sent, clicked, releases, *_ = msgpack.unpackb(record)
    # An empty table of Lua's is packed as a map; a late click alone is at no time (mark_told.lua).
    told = [each for each in releases or () if each[1]]
    return ToldLately(
        sent,
        clicked,
        {name: at for name, at, *_ in told},
        frozenset(name for name, _, flags, *_ in told if flags & SENT),
        frozenset(name for name, _, flags, *_ in told if flags & CLICKED),
    )
