"""Listeners who want to hear of no release, or of none of an artist."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import numpy as np

from models.names import hashes
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scan import members, with_key

__all__ = ["OptedOut"]

SCAN = 1000
AT_ONCE = 1000  # entries of the stream
KEPT = 10_000  # entries of the stream, at least: many times what comes between two looks
LOOKS = 10  # in a row at which more are in the set than in the copy, before the set is read again


class OptedOut:
    """The set of listeners who opted out, in Redis, and a copy of it in memory; others by artist.

    Whoever opts out is entered into the set, then announced in a stream that copies follow. So a copy holds
    nobody who is not in the set, but for whom an operator's hand takes out of it: one of the same size is up
    to date, and of one that is smaller by n at most n listeners are missing.

    Attributes
    ----------
    held
        The copy, as of the last `refresh`.
    hashes
        The `models.names.hashes` of those in it, rising.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._place: str | None = None  # in the stream; None: nothing is read yet
        self._looks = 0
        self.held: set[str] = set()
        self.hashes = hashes(self.held)

    async def add(self, user_ids: Sequence[str]) -> None:
        """Remember that listeners opted out."""
        if not user_ids:
            return
        await self._redis.sadd(keys.OPTED_OUT, *user_ids)
        # Only now, and also of those who were there before: whoever entered them may have died here.
        pipeline = self._redis.pipeline(transaction=False)
        for user in user_ids:
            pipeline.xadd(keys.OPTED_OUT_LATELY, {"id": user}, maxlen=KEPT, approximate=True)
        await pipeline.execute()

    async def forget(self, user_ids: Collection[str]) -> None:
        """Erase that listeners were announced who are in the set no more."""
        for place, fields in await self._redis.xrange(keys.OPTED_OUT_LATELY):
            if fields[b"id"].decode() in user_ids:
                await self._redis.xdel(keys.OPTED_OUT_LATELY, place)

    async def add_of_artists(self, artists_of: Mapping[str, Collection[str]]) -> None:
        """Remember that listeners want to hear of no release of some artists; listener -> artists."""
        pipeline = self._redis.pipeline(transaction=False)
        for user, artists in artists_of.items():
            if artists:  # first: whoever joins two ids of a listener finds artists here
                pipeline.sadd(keys.user_opted_out(user), *artists)
            for artist in artists:
                pipeline.sadd(keys.artist_opted_out(artist), user)
        if artists_of:
            await pipeline.execute()

    async def join(self, user_id: str, into: str) -> None:
        """Let a listener have opted out of whatever another id of theirs has; may be repeated."""
        if await self.among([user_id]):
            await self.add([into])
        artists = [artist.decode() for artist in await self._redis.smembers(keys.user_opted_out(user_id))]
        if artists:
            await self.add_of_artists({into: artists})

    async def artists_of(self, user_ids: Sequence[str]) -> dict[str, set[str]]:
        """Return of which artists listeners want to hear of no release."""
        pipeline = self._redis.pipeline(transaction=False)
        for user in user_ids:
            pipeline.smembers(keys.user_opted_out(user))
        found = await pipeline.execute() if user_ids else []
        return {
            user: {artist.decode() for artist in artists}
            for user, artists in zip(user_ids, found, strict=True)
        }

    async def of_artists(self, artists: Collection[str]) -> frozenset[str]:
        """Return the listeners who want to hear of no release of one of the artists."""
        sets = await asyncio.gather(
            *(self._redis.smembers(keys.artist_opted_out(artist)) for artist in set(artists))
        )
        return frozenset(user.decode() for users in sets for user in users)

    def everybody(self) -> AsyncIterator[list[str]]:
        """Go through the listeners who want to hear of no release; who opts out meanwhile may be missed."""
        return members(self._redis, keys.OPTED_OUT, SCAN)

    def of_some(self) -> AsyncIterator[list[str]]:
        """Go through the listeners who want to hear of no release of some artist; one may be met twice."""
        return with_key(self._redis, keys.user_opted_out)

    async def count(self) -> int:
        """Return how many opted out."""
        return int(await self._redis.scard(keys.OPTED_OUT))

    async def among(self, user_ids: Sequence[str]) -> set[str]:
        """Return those of the listeners who opted out, as Redis has it now."""
        if not user_ids:
            return set()
        flags = await self._redis.smismember(keys.OPTED_OUT, list(user_ids))
        return {user for user, flag in zip(user_ids, flags, strict=True) if flag}

    async def refresh(self) -> bool:
        """Read who has opted out since the last time; say whether anything was read.

        The whole set is read the first time, and where the sizes differ after that: at once where the copy
        has more, as somebody was taken out of the set; else when others have had the time to announce whom
        they have entered. Until then the sizes tell planners to ask Redis.
        """
        if self._place is None:
            await self._read_all()
            return bool(self.held)
        came = await self._follow()
        more = await self.count() - len(self.held)
        self._looks = self._looks + 1 if more > 0 else 0
        if more >= 0 and self._looks < LOOKS:
            return came
        await self._read_all()
        return True

    async def _follow(self) -> bool:
        """Enter into the copy whom the stream announces; say whether there was anybody new."""
        announced: list[str] = []
        async for entries in self._entries(self._place or ""):
            self._place = entries[-1][0].decode()
            announced += [fields[b"id"].decode() for _, fields in entries]
        new = [user for user in dict.fromkeys(announced) if user not in self.held]
        if new:
            numbers = np.sort(hashes(new))
            self.hashes = np.insert(self.hashes, np.searchsorted(self.hashes, numbers), numbers)
            self.held.update(new)
        return bool(new)

    async def _read_all(self) -> None:
        """Read the set; whoever comes meanwhile is announced behind the place from which to go on."""
        place, held, numbers = "", set[str](), [hashes(())]
        async for entries in self._entries(place):
            place = entries[-1][0].decode()
        async for users in self.everybody():
            new = [user for user in dict.fromkeys(users) if user not in held]
            held.update(new)
            numbers.append(hashes(new))
            await asyncio.sleep(0)  # releases go before
        self.held, self.hashes = held, np.sort(np.concatenate(numbers))
        self._place, self._looks = place, 0

    async def _entries(self, after: str) -> AsyncIterator[list[tuple[bytes, dict[bytes, bytes]]]]:
        """Go through the stream, some entries at a time, from behind a place on; "": from the first on."""
        while found := await self._redis.xrange(
            keys.OPTED_OUT_LATELY, f"({after}" if after else "-", count=AT_ONCE
        ):
            yield found
            if len(found) < AT_ONCE:
                return
            after = found[-1][0].decode()
