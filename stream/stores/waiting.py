"""Clicks that wait for their song, in Redis.

A waiting click is in a hash beside its listener's record: the write that advances the listener's offset adds
it there, and the write that applies it removes it (`stream.stores.listeners`), each atomically. Which
listeners wait for a song is in an index, written before. An entry of the index without a click is harmless.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgpack

from models.listener import Click, OffsetSource
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scan import members
from stream.stores.scripts import Script

__all__ = ["MOST_WAITING", "PUT_BACK", "Waiting", "WaitingClick", "click_of", "pack", "place_of"]

MOST_WAITING = 1000  # clicks of one listener
SCAN = 200
AT_ONCE = 500  # listeners, or songs, that Redis is asked for
SONGS = 5_000  # of the index, read at once
PUT_BACK = ""
"""Stands in the index for the song of clicks put back by `Waiting.put_back`: they need not wait for it."""
PUT_BACK_IN = (keys.user, keys.user_into, keys.user_redriven, keys.user_waiting)

EXPIRED = "expired:"
"""Before the place of a click that has waited for too long: it is not applied any more."""


@dataclass(frozen=True)
class WaitingClick:
    """A click, without its artists where its event names none, and since when it waits in Unix seconds."""

    click: Click
    since: float


def place_of(click: Click) -> str:
    """Return the field of a click: ``SOURCE:OFFSET``, no two clicks have the same.

    Examples
    --------
    >>> place_of(Click("u1", OffsetSource(3, 1), 25, 0.0, "s1", (), "play"))
    '3.1:25'
    """
    return f"{click.partition}:{click.offset}"


def pack(click: Click, since: float) -> bytes:
    """Return the value of a click's field."""
    said = (click.utc_offset_min, click.ms_played, click.city, click.device, click.event_id)
    packed: bytes = msgpack.packb((click.ts, click.song_id, click.action, since, click.artist_ids, *said))
    return packed


def click_of(user_id: str, place: str, packed: bytes) -> WaitingClick:
    """Read a field back; the click is one that has waited."""
    source, _, offset = place.partition(":")
    # Earlier versions end with the artists, or with the device.
    ts, song_id, action, since, artists, *said = msgpack.unpackb(packed)
    partition = OffsetSource.read(source)
    click = Click(user_id, partition, int(offset), ts, song_id, tuple(artists), action, True, *said)
    return WaitingClick(click, since)


class Waiting:
    """The store of clicks that wait, and of which songs they wait for."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._expire, self._put_back = Script("expire_waiting"), Script("put_back")

    async def expect(self, clicks: Iterable[Click], now: float) -> None:
        """Enter into the index for whom a song is to come; to be done before their records say so."""
        listeners: dict[str, set[str]] = defaultdict(set)
        for click in clicks:
            listeners[click.song_id].add(click.user_id)
        if not listeners:
            return
        pipeline = self._redis.pipeline(transaction=False)
        for song, users in listeners.items():
            pipeline.sadd(keys.waiting_song(song), *users)
        await pipeline.execute()
        await self._redis.zadd(keys.WAITING, dict.fromkeys(listeners, now))

    async def beyond(self, clicks: Sequence[Click], limit: int) -> list[Click]:
        """Return those of some clicks, by listener in their order, that would be more than may wait."""
        by_user: dict[str, list[Click]] = defaultdict(list)
        for click in clicks:
            by_user[click.user_id].append(click)
        pipeline = self._redis.pipeline(transaction=False)
        for user, own in by_user.items():
            pipeline.hlen(keys.user_waiting(user))
            pipeline.hmget(keys.user_waiting(user), [place_of(click) for click in own])
        answers = await pipeline.execute()
        refused: list[Click] = []
        for own, held, there in zip(by_user.values(), answers[::2], answers[1::2], strict=True):
            new = [click for click, packed in zip(own, there, strict=True) if packed is None]
            refused += new[max(limit - held, 0) :]
        return refused

    async def put_back(self, clicks: Mapping[str, Click], now: float, keep_seconds: float) -> set[str]:
        """Let clicks be applied that were dead letters, each once for all.

        Parameters
        ----------
        clicks
            What identifies each of them for ever -> the click.
        keep_seconds
            For how long it is remembered that it was put back.

        Returns
        -------
        Those that were not put back before; none of who has just become part of another listener.
        """
        if not clicks:
            return set()
        entered = [click._replace(song_id=PUT_BACK) for click in clicks.values()]
        await self.expect(entered, now)
        calls = []
        for name, click in clicks.items():
            values = [name, place_of(click), pack(click, now), int(keep_seconds)]
            named = [key(click.user_id) for key in PUT_BACK_IN]
            calls.append((named, msgpack.packb(values, use_bin_type=False)))
        answers = await self._put_back.each(self._redis, calls)
        # Whoever cleared up the index may have done so in the middle of entering them.
        await self.expect(entered, now)
        await self.come([PUT_BACK])
        return {name for name, new in zip(clicks, answers, strict=True) if new == 1}

    async def were_put_back(self, clicks: Mapping[str, Click]) -> set[str]:
        """Return those of some clicks, by what identifies them, that were put back before."""
        pipeline = self._redis.pipeline(transaction=False)
        for name, click in clicks.items():
            pipeline.sismember(keys.user_redriven(click.user_id), name)
        answers = await pipeline.execute()
        return {name for name, there in zip(clicks, answers, strict=True) if there}

    async def songs(self) -> dict[str, float]:
        """Return the songs that are waited for, and when a click last began to, in Unix seconds.

        They are read some thousand at a time, in the order of that: a song that is waited for again meanwhile
        moves ahead, and is met there.
        """
        found: dict[str, float] = {}
        since, number = float("-inf"), SONGS
        while True:
            some = await self._redis.zrangebyscore(
                keys.WAITING, since, "+inf", start=0, num=number, withscores=True
            )
            found |= {song.decode(): at for song, at in some}
            if len(some) < number:
                return found
            # Those of the last moment come once more; where they are all, more of them are asked for.
            number = 2 * number if some[-1][1] == since else SONGS
            since = some[-1][1]

    async def came(self) -> list[str]:
        """Return the songs that were waited for when they came into the catalogue."""
        return [song.decode() for song in await self._redis.smembers(keys.WAITING_CAME)]

    async def come(self, songs: Collection[str]) -> None:
        """Say of songs that they are in the catalogue: clicks that wait for them are applied."""
        if songs:
            await self._redis.sadd(keys.WAITING_CAME, *songs)

    async def done(self, song: str) -> None:
        """Say no longer that a song has come: its clicks are applied."""
        await self._redis.srem(keys.WAITING_CAME, song)

    async def listeners(self, song: str) -> AsyncIterator[list[str]]:
        """Go through those who wait for a song, some hundred at a time."""
        async for users in members(self._redis, keys.waiting_song(song), SCAN):
            yield users

    async def clicks(self, user_ids: Sequence[str]) -> dict[str, list[WaitingClick]]:
        """Return what waits of listeners; nothing of those of whom nothing does."""
        found = await self._fields(user_ids)
        waiting = {
            user: [
                click_of(user, place, packed)
                for place, packed in held.items()
                if not place.startswith(EXPIRED)
            ]
            for user, held in found.items()
        }
        return {user: sorted(own, key=_order) for user, own in waiting.items() if own}

    async def expire(self, user_id: str, clicks: Sequence[Click]) -> None:
        """Let clicks wait no longer, in one step: from then on they are `expired`, and never applied."""
        await self._expire(self._redis, [keys.user_waiting(user_id)], EXPIRED, *map(place_of, clicks))

    async def expired(self, user_ids: Sequence[str]) -> list[Click]:
        """Return the clicks of listeners that have waited for too long and are not dropped yet."""
        found = await self._fields(user_ids)
        return [
            click_of(user, place.removeprefix(EXPIRED), packed).click
            for user, held in found.items()
            for place, packed in held.items()
            if place.startswith(EXPIRED)
        ]

    async def drop_expired(self, clicks: Iterable[Click]) -> None:
        """Erase clicks that have waited for too long."""
        pipeline = self._redis.pipeline(transaction=False)
        for click in clicks:
            pipeline.hdel(keys.user_waiting(click.user_id), EXPIRED + place_of(click))
        await pipeline.execute()

    async def forget_song(self, song: str, since: float | None = None) -> None:
        """Take a song out of the index: no click waits for it, and none has begun to for a while.

        Parameters
        ----------
        since
            When a click last began to, as `songs` said; where another has by now, the song stays.
        """
        if since is not None and await self._redis.zscore(keys.WAITING, song) != since:
            return
        await self._redis.delete(keys.waiting_song(song))
        await self._redis.zrem(keys.WAITING, song)

    async def forget(self, user_id: str) -> None:
        """Take a listener out of the index; what waits of them goes with their record."""
        songs = list(await self.songs())
        for at in range(0, len(songs), AT_ONCE):
            pipeline = self._redis.pipeline(transaction=False)
            for song in songs[at : at + AT_ONCE]:
                pipeline.srem(keys.waiting_song(song), user_id)
            await pipeline.execute()

    async def count(self, songs: Collection[str]) -> tuple[int, int]:
        """Return how many clicks wait for some songs, and for how many of them."""
        users: set[str] = set()
        for song in songs:
            async for some in self.listeners(song):
                users.update(some)
        clicks, counted, asked = 0, set[str](), sorted(users)
        for at in range(0, len(asked), AT_ONCE):
            for held in (await self._fields(asked[at : at + AT_ONCE])).values():
                waited_for = [
                    _song_of(packed) for place, packed in held.items() if not place.startswith(EXPIRED)
                ]
                counted_here = [song for song in waited_for if song in songs]
                clicks += len(counted_here)
                counted.update(counted_here)
        return clicks, len(counted)

    async def _fields(self, user_ids: Sequence[str]) -> Mapping[str, dict[str, bytes]]:
        pipeline = self._redis.pipeline(transaction=False)
        for user in user_ids:
            pipeline.hgetall(keys.user_waiting(user))
        answers = await pipeline.execute() if user_ids else []
        return {
            user: {place.decode(): packed for place, packed in held.items()}
            for user, held in zip(user_ids, answers, strict=True)
            if held
        }


def _song_of(packed: bytes) -> str:
    song: str = msgpack.unpackb(packed)[1]
    return song


def _order(waiting: WaitingClick) -> tuple[str, int]:
    return waiting.click.partition, waiting.click.offset
