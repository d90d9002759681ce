"""Listeners who want to hear of no release, or of none of an artist."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from models.names import hashes
from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["OptedOut"]

SCAN = 1000


class OptedOut:
    """The set of listeners who opted out, in Redis, and a copy of it in memory; others by artist.

    Nobody leaves the set but by an operator's hand. So a copy of the same size is up to date, and of one that
    is smaller by n at most n listeners are missing.

    Attributes
    ----------
    held
        The copy, as of the last `refresh`.
    hashes
        The `models.names.hashes` of those in it, rising.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self.held: frozenset[str] = frozenset()
        self.hashes = hashes(self.held)

    async def add(self, user_ids: Sequence[str]) -> None:
        """Remember that listeners opted out."""
        if user_ids:
            await self._redis.sadd(keys.OPTED_OUT, *user_ids)

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
        """Read the copy again where its size is another than the set's; say whether it was read."""
        if await self.count() == len(self.held):
            return False
        self.held = frozenset(
            [user.decode() async for user in self._redis.sscan_iter(keys.OPTED_OUT, count=SCAN)]
        )
        self.hashes = np.sort(hashes(self.held))
        return True
