"""Who was told of a release and what they did, listener by listener, read piece by piece."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["Did", "ReleaseListeners", "ToldOf"]

SCAN = 1000


class ToldOf(NamedTuple):
    """A listener of a release.

    Attributes
    ----------
    part
        As `stream.stores.keys.release_parts` has it; "" for the first wave and the usual policy.
    control
        Whether they were drawn for comparison, and are not told.
    """

    user_id: str
    cohort_id: str
    part: str
    control: bool


class Did(NamedTuple):
    """What a listener did when told of a release.

    Attributes
    ----------
    implied
        Whether it is known only from what follows it: who clicked was sent it.
    """

    user_id: str
    kind: str
    implied: bool


class ReleaseListeners:
    """The listeners of releases. Large hashes are scanned, so that Redis is never held up."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def told(self, release_id: str) -> AsyncIterator[list[ToldOf]]:
        """Go through who was told of a release, and who was not for comparison; some may come twice."""
        async for pairs in self._pieces(keys.release_told(release_id)):
            users = [user for user, _ in pairs]
            parts = await self._redis.hmget(keys.release_parts(release_id), users)
            yield [
                ToldOf(user, cohort, (part or b"").decode(), control=False)
                for (user, cohort), part in zip(pairs, parts, strict=True)
            ]
        async for pairs in self._pieces(keys.release_control(release_id)):
            yield [ToldOf(user, cohort, "", control=True) for user, cohort in pairs]

    async def did(self, release_id: str) -> AsyncIterator[list[Did]]:
        """Go through what listeners did when told; some may come twice."""
        async for pairs in self._pieces(keys.release_seen(release_id)):
            yield [
                Did(user, kind, place.startswith("!"))
                for field, place in pairs
                for user, _, kind in [field.rpartition("}")]
            ]

    async def _pieces(self, key: str) -> AsyncIterator[list[tuple[str, str]]]:
        """Go through a hash, some thousand fields at a time."""
        cursor: int | None = None
        while cursor != 0:
            cursor, found = await self._redis.hscan(key, cursor or 0, count=SCAN)
            if found:
                yield [(field.decode(), value.decode()) for field, value in found.items()]
