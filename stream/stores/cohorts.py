"""Member sets and sizes of cohorts: they follow what listeners' own records say."""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence

import msgpack
import numpy as np
import numpy.typing as npt

from models.cohort_map import cohort_map
from models.listener import Move, last_move
from models.model import Model
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.cohort_history import CohortHistory
from stream.stores.listeners import Listeners
from stream.stores.scan import members
from stream.stores.scripts import Script

__all__ = ["APART", "Cohorts"]

APART = 50
"""How many artists that set a cohort apart are kept."""


def _about(cohort: str) -> tuple[str, str, str]:
    return keys.cohort(cohort), keys.cohort_artists(cohort), keys.cohort_history(cohort)


class Cohorts:
    """The store of cohorts.

    Every listener is a member of exactly one set, that of the cohort in their own record. Sets lie in other
    slots of a cluster than records, so a move is on record first, and the sets follow.
    """

    def __init__(self, redis: AnyRedis, listeners: Listeners) -> None:
        self._redis = redis
        self._listeners = listeners
        self.history = CohortHistory(redis)
        self._drop_member, self._write_scores = Script("drop_member"), Script("write_scores")

    async def follow(self, moves: Sequence[Move]) -> None:
        """Let the member sets follow moves that are on record, and whatever moves come meanwhile."""
        while moves:
            await self.place(moves)
            moves = await self.moved_on(moves)

    async def moved_on(self, moves: Sequence[Move], model: Model | None = None) -> list[Move]:
        """Return who of those moved is elsewhere by now, according to their records, and the way there.

        Two processes may move the same listener one after the other and arrive at the sets the other way
        round. So the record is read again at the end, and where it has moved on, the sets follow once more.
        """
        last = {move.user_id: move.to for move in moves}
        placed = await self._listeners.placed(list(last))
        # Forgotten, or part of another listener, meanwhile: in no set any more.
        for listener in placed:
            if not listener.rev:
                await self.leave(last[listener.user_id], [listener.user_id])
        return [
            last_move(listener, model)._replace(origin=last[listener.user_id])
            for listener in placed
            if listener.rev and listener.cohort != last[listener.user_id]
        ]

    async def place(self, moves: Sequence[Move]) -> None:
        """Put listeners where their last move goes, and out of what their moves left. May be repeated."""
        left: dict[str, set[str]] = defaultdict(set)
        now: dict[str, str] = {}
        for move in moves:
            left[move.user_id] |= {move.origin, move.to}
            now[move.user_id] = move.to
        joins: dict[str, list[str]] = defaultdict(list)
        leaves: dict[str, list[str]] = defaultdict(list)
        for user, cohort in now.items():
            joins[cohort].append(user)
            for other in left[user] - {cohort}:
                leaves[other].append(user)
        # In before out: whatever happens in between, nobody is in no set at all.
        pipeline = self._redis.pipeline(transaction=False)
        for cohort, users in joins.items():
            pipeline.sadd(keys.cohort_users(cohort), *users)
        await pipeline.execute()
        if leaves:
            pipeline = self._redis.pipeline(transaction=False)
            for cohort, users in leaves.items():
                pipeline.srem(keys.cohort_users(cohort), *users)
            await pipeline.execute()
        await self.resize([*joins, *leaves])

    async def resize(self, cohorts: Sequence[str]) -> None:
        """Write the sizes of these cohorts, until what is written is what the sets hold."""
        pending = [cohort for cohort in dict.fromkeys(cohorts) if cohort]
        written: dict[str, int] = {}
        while pending:
            pipeline = self._redis.pipeline(transaction=False)
            for cohort in pending:
                pipeline.scard(keys.cohort_users(cohort))
            sizes = dict(zip(pending, await pipeline.execute(), strict=True))
            pending = [cohort for cohort in pending if written.get(cohort) != sizes[cohort]]
            pipeline = self._redis.pipeline(transaction=False)
            for cohort in pending:
                written[cohort] = sizes[cohort]
                pipeline.zadd(keys.COHORTS, {cohort: sizes[cohort]})
                pipeline.hset(keys.cohort(cohort), "size", sizes[cohort])
            if pending:
                await pipeline.execute()

    async def describe(self, model: Model, tops: Sequence[Mapping[str, float]], keep_seconds: float) -> None:
        """Write what a new model's cohorts are called, what sets each apart, and what has become of them.

        With it goes where each is on the map.

        What is known of cohorts that the model no longer has is kept for `keep_seconds` more.
        """
        sizes = await self.sizes()
        await self.history.record(model, sizes)
        places = await self._places(model)
        pipeline = self._redis.pipeline(transaction=False)
        for dead in sizes.keys() - set(model.cohort_ids):
            for key in _about(dead):
                pipeline.expire(key, int(keep_seconds))
        for row, cohort in enumerate(model.cohort_ids):
            about = {
                "label": model.labels[row],
                "born": float(model.born[row]),
                "parent": model.parents[row],
                "model_version": model.version,
                "map_x": float(places[row, 0]),
                "map_y": float(places[row, 1]),
            }
            pipeline.hset(keys.cohort(cohort), mapping=about)
            pipeline.hsetnx(keys.cohort(cohort), "size", 0)
            pipeline.zadd(keys.COHORTS, {cohort: 0}, nx=True)
            pipeline.delete(keys.cohort_artists(cohort))
            if tops[row]:
                pipeline.zadd(keys.cohort_artists(cohort), dict(tops[row]))
            for key in _about(cohort):  # an older model may have brought it back
                pipeline.persist(key)
        await pipeline.execute()

    async def _places(self, model: Model) -> npt.NDArray[np.float64]:
        """Return where a model's cohorts are on the map, shape (k, 2), which begins with where they were."""
        pipeline = self._redis.pipeline(transaction=False)
        for cohort in model.cohort_ids:
            pipeline.hmget(keys.cohort(cohort), ["map_x", "map_y"])
        found = await pipeline.execute()
        before = np.array([[float(place or "nan") for place in places] for places in found])
        return await asyncio.to_thread(cohort_map, model.centers, before)

    async def listeners(self, cohorts: Sequence[str] | None = None) -> int:
        """Return how many listeners are in some cohorts, or in all sets: those who wait and bots included."""
        pipeline = self._redis.pipeline(transaction=False)
        for cohort in await self.all() if cohorts is None else cohorts:
            pipeline.scard(keys.cohort_users(cohort))
        return sum(await pipeline.execute())

    async def sizes(self) -> dict[str, int]:
        """Return the living cohorts and their sizes, the largest first."""
        found = await self._redis.zrange(keys.COHORTS, 0, -1, desc=True, withscores=True)
        return {cohort.decode(): int(size) for cohort, size in found}

    async def sample(self, number: int) -> list[str]:
        """Return some `number` listeners at random, from every set alike."""
        cohorts = await self.all()
        found: list[str] = []
        for cohort in cohorts:
            members = await self._redis.srandmember(keys.cohort_users(cohort), max(number // len(cohorts), 1))
            found += [user.decode() for user in members]
        return found

    async def some(self, cohort: str, number: int) -> list[str]:
        """Return at most `number` members of a cohort, drawn at random; all where they are fewer."""
        members = await self._redis.srandmember(keys.cohort_users(cohort), number)
        return [user.decode() for user in members]

    async def drawn(self, number: int) -> list[str]:
        """Return some `number` listeners, drawn so that each is as likely as any other."""
        cohorts = await self.all()
        pipeline = self._redis.pipeline(transaction=False)
        for cohort in cohorts:
            pipeline.scard(keys.cohort_users(cohort))
        sizes = np.array(await pipeline.execute(), dtype=np.int64)
        if not sizes.sum():
            return []
        many = np.random.default_rng().multivariate_hypergeometric(sizes, min(number, int(sizes.sum())))
        pipeline = self._redis.pipeline(transaction=False)
        for cohort, each in zip(cohorts, many.tolist(), strict=True):
            pipeline.srandmember(keys.cohort_users(cohort), each)
        return [user.decode() for members in await pipeline.execute() for user in members]

    async def leave(self, cohort: str, users: Sequence[str]) -> None:
        """Take listeners who are no more out of a set."""
        if users:
            await self._redis.srem(keys.cohort_users(cohort), *users)
            await self.resize([cohort])

    async def about(self, cohort: str) -> dict[str, str]:
        """Return the cohort's hash, empty where there is no such cohort."""
        (found,) = await self.about_each([cohort])
        return found

    async def about_each(self, cohorts: Sequence[str]) -> list[dict[str, str]]:
        """Return the hashes of cohorts, empty where there is no such cohort."""
        pipeline = self._redis.pipeline(transaction=False)
        for cohort in cohorts:
            pipeline.hgetall(keys.cohort(cohort))
        found = await pipeline.execute() if cohorts else []
        return [{field.decode(): value.decode() for field, value in fields.items()} for fields in found]

    async def apart(self, cohort: str, top: int) -> list[tuple[str, float]]:
        """Return the `top` artists that set a cohort apart, and how many times more it plays them."""
        found = await self._redis.zrange(keys.cohort_artists(cohort), 0, top - 1, desc=True, withscores=True)
        return [(artist.decode(), ratio) for artist, ratio in found]

    async def unplaced(self) -> int:
        """Return how many listeners are in no cohort: those who wait for one, and bots."""
        return int(await self._redis.scard(keys.cohort_users("")))

    async def holding(self, user_ids: Sequence[str]) -> dict[str, list[str]]:
        """Return for each listener the cohorts whose sets they are in."""
        found: dict[str, list[str]] = {user: [] for user in user_ids}
        cohorts = await self.all()
        pipeline = self._redis.pipeline(transaction=False)
        for cohort in cohorts:
            pipeline.smismember(keys.cohort_users(cohort), list(user_ids))
        for cohort, flags in zip(cohorts, await pipeline.execute() if user_ids else (), strict=False):
            for user in itertools.compress(user_ids, flags):
                found[user].append(cohort)
        return found

    async def drop(self, user_ids: Sequence[str]) -> dict[str, list[str]]:
        """Take listeners who are no more out of every set; return which these were.

        Works on a Redis that is full, too, and may be repeated: sizes that an attempt before left wrong are
        mended. Who is back meanwhile is to be put where their record says.
        """
        found = await self.holding(user_ids)
        members: dict[str, list[str]] = defaultdict(list)
        for user, cohorts in found.items():
            for cohort in cohorts:
                members[cohort].append(user)
        for cohort, users in members.items():
            if cohort:
                await self._drop_member(self._redis, [keys.cohort_users(cohort), keys.cohort(cohort)], *users)
            else:
                await self._redis.srem(keys.cohort_users(cohort), *users)  # those in no cohort have no size
        await self._mend_sizes()
        return found

    async def forget(self, user_id: str) -> list[str]:
        """Take a listener out of every set, also of those where a move has not been followed yet.

        May be repeated (`drop`). A listener whom a click brings back meanwhile stays a member of what their
        new record says.

        Returns
        -------
        The cohorts that the listener was taken out of.
        """
        left = await self.drop([user_id])
        (now,) = await self._listeners.placed([user_id])
        if now.rev:
            await self.follow([last_move(now)])
        return left[user_id]

    async def _mend_sizes(self) -> None:
        """Write the sizes that are not what the sets hold, until they are."""
        while True:
            sizes = await self.sizes()
            pipeline = self._redis.pipeline(transaction=False)
            for cohort in sizes:
                pipeline.scard(keys.cohort_users(cohort))
            held = dict(zip(sizes, await pipeline.execute() if sizes else (), strict=True))
            wrong = {cohort: size for cohort, size in held.items() if size != sizes[cohort]}
            if not wrong:
                return
            packed = msgpack.packb([part for pair in wrong.items() for part in pair], use_bin_type=False)
            await self._write_scores(self._redis, [keys.COHORTS], packed)

    async def all(self) -> list[str]:
        """Return the ids of all sets there are: "" for those who wait, then every cohort that lives."""
        return ["", *(cohort.decode() for cohort in await self._redis.zrange(keys.COHORTS, 0, -1))]

    async def bury(self, living: Collection[str]) -> None:
        """Take cohorts that the model no longer has, and nobody is in, off the list of the living."""
        for cohort in (await self.all())[1:]:
            if cohort not in living and not await self._redis.scard(keys.cohort_users(cohort)):
                await self._redis.zrem(keys.COHORTS, cohort)

    async def everyone(self, cohorts: Sequence[str]) -> dict[str, list[str]]:
        """Return all members of some cohorts at once."""
        pipeline = self._redis.pipeline(transaction=False)
        for cohort in cohorts:
            pipeline.smembers(keys.cohort_users(cohort))
        found = await pipeline.execute() if cohorts else []
        return {
            cohort: [user.decode() for user in users] for cohort, users in zip(cohorts, found, strict=True)
        }

    async def members(self, cohort: str) -> AsyncIterator[list[str]]:
        """Go through the members some hundred at a time; all who stay throughout are met at least once."""
        async for users in members(self._redis, keys.cohort_users(cohort)):
            yield users
