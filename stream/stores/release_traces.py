"""Erases from releases who was told of them, and what they did."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from typing import get_args

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.decisions import without
from stream.stores.erased import erased_hash
from stream.stores.scripts import Script
from stream.stores.told import Told
from stream.wire.events import Feedback

__all__ = ["ReleaseTraces"]

LOOKED_AT = 1000  # keys a step, or listeners
KINDS: tuple[str, ...] = get_args(Feedback.model_fields["kind"].annotation)
OF_RELEASE = (
    keys.release_told,
    keys.release_seen,
    keys.release_decisions,
    keys.release_control,
    keys.release_counts,
    keys.release_parts,
    keys.release_held,
)
TOLD, SEEN, DECISIONS, CONTROL, COUNTS, PARTS, HELD = (of("").rpartition("}")[2] for of in OF_RELEASE)
"""What stands behind the release in the names of its keys."""


class ReleaseTraces:
    """What is kept of listeners by release."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._told = Told(redis)
        self._drop_control = Script("drop_control")

    async def forget(self, user_ids: Collection[str]) -> Counter[str]:
        """Erase that listeners were told of releases, and what they did then; an opt-out stays.

        Counts stay, too, but for plays of the control group, whose size is how many are left in it.

        Goes once through all keys of the database: the audiences of releases are kept by release.

        Returns
        -------
        Listener -> of how many releases they had been told.
        """
        told, users = Counter[str](), list(dict.fromkeys(user_ids))
        if not users:
            return told
        async for name in self._redis.scan_iter(match=keys.release("*") + ":*", count=LOOKED_AT):
            told.update(await self._forget(name.decode(), users))
        return told

    async def forget_again(self, release_id: str, erased: Collection[str]) -> None:
        """Erase the same of one release, and what they were told lately, of those who were written since.

        Parameters
        ----------
        erased
            Who was erased, as `stream.stores.erased.erased_hash`.
        """
        users = [
            user
            for of in (keys.release_told, keys.release_control, keys.release_held)
            async for user in self._fields(of(release_id))
            if erased_hash(user) in erased
        ]
        if not users:
            return
        for of in OF_RELEASE:
            await self._forget(of(release_id), users)
        for user in users:
            await self._told.forget(user)

    async def _fields(self, key: str) -> AsyncIterator[str]:
        async for field, _ in self._redis.hscan_iter(key, count=LOOKED_AT):
            yield field.decode()

    async def _forget(self, key: str, users: Sequence[str]) -> list[str]:
        """Erase what one key holds of listeners; return those who had been told, where it says so."""
        told: list[str] = []
        kind = key.rpartition("}")[2]
        if kind == TOLD:
            there = await self._redis.hmget(key, users)
            told = [user for user, cohort in zip(users, there, strict=True) if cohort is not None]
        if kind in (CONTROL, SEEN):  # whichever comes first: one says who played of the other
            release = key.removesuffix(kind)
            parts = [release, *(release + part for part in (CONTROL, SEEN, COUNTS))]
            await self._drop_control(self._redis, parts, *users)
        if kind in (TOLD, PARTS, HELD):
            await self._redis.hdel(key, *users)
        elif kind == SEEN:
            await self._redis.hdel(key, *[f"{user}}}{kind}" for user in users for kind in KINDS])
        elif kind == DECISIONS:
            async for page, record in self._redis.hscan_iter(key):
                if (rest := without(record, users)) is not None:
                    await self._redis.hset(key, page, rest)
        return told
