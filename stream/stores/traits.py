"""Traits of listeners, and who is in which stage."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import compress
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt

from models.traits.lifecycle import STAGES
from models.traits.where import STAGE
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.listeners import Listeners
from stream.stores.scan import with_key
from stream.stores.scripts import Script

__all__ = ["Traits"]

WITH_TRAITS = (keys.user, keys.user_traits)
OF_TRAITS = ":traits"  # what follows a listener in `keys.user_traits`
DORMANT = "dormant"  # field of the note; note_dormant.lua writes it


class Traits:
    """The store of traits. Works on a Redis and on a Redis Cluster.

    A listener's own hash is the truth. Stages' member sets lie in other slots of a cluster: they follow what
    the hash says.
    """

    def __init__(self, redis: AnyRedis, listeners: Listeners) -> None:
        self._redis = redis
        self._listeners = listeners
        self._read, self._write = Script("read_fields"), Script("write_traits")
        self._note = Script("note_dormant")

    async def read(self, user_ids: Sequence[str], fields: Sequence[str]) -> list[list[str]]:
        """Return some fields of listeners' traits, "" for what is not there."""
        found = await self._listeners.ask(self._read, [keys.user_traits], user_ids, OF_TRAITS, *fields)
        return [[(value or b"").decode() for value in values] for values in found]

    async def columns(self, user_ids: Sequence[str], traits: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
        """Return traits of listeners, shape (n,) each: "" or NaN for who has none.

        Some 40 listeners are read in a step, so that nobody else waits for more than that.
        """
        rows = await self._listeners.ask(self._read, [keys.user_traits], user_ids, OF_TRAITS, *traits)
        found: dict[str, npt.NDArray[Any]] = {}
        for at, trait in enumerate(traits):
            if trait == STAGE:
                found[trait] = np.array([row[at] or b"" for row in rows], dtype=bytes).astype(str)
            else:
                values = np.array([row[at] or b"nan" for row in rows], dtype=bytes)
                found[trait] = values.astype(np.float64)
        return found

    async def about(self, user_id: str) -> dict[str, str]:
        """Return all traits of a listener."""
        found = await self._redis.hgetall(keys.user_traits(user_id))
        return {field.decode(): value.decode() for field, value in found.items()}

    async def write(self, rows: Mapping[str, Mapping[str, str | float]]) -> set[str]:
        """Write fields of listeners' traits; return who of them is no more.

        Parameters
        ----------
        rows
            Listener -> field -> value.
        """
        users = [user for user, fields in rows.items() if fields]
        groups = self._listeners.groups(users)
        calls = []
        for group in groups:
            given: list[Any] = []
            for user in (users[at] for at in group):
                given += [user, [str(part) for pair in rows[user].items() for part in pair]]
            named = self._listeners.touched(WITH_TRAITS, [users[at] for at in group])
            calls.append((named, msgpack.packb(given, use_bin_type=False)))
        answers = await self._write.each(self._redis, calls)
        found = zip(groups, answers, strict=True)
        return {users[group[position - 1]] for group, positions in found for position in positions}

    async def drop(self, user_ids: Sequence[str], fields: Sequence[str]) -> int:
        """Erase fields of listeners' traits; return how many listeners had one."""
        pipeline = self._redis.pipeline(transaction=False)
        for user in user_ids:
            pipeline.hdel(keys.user_traits(user), *fields)
        return sum(answer > 0 for answer in await pipeline.execute()) if user_ids else 0

    async def drop_of_all(self, fields: Sequence[str]) -> int:
        """Erase fields of everybody's traits, some hundred listeners at a time; return how many had one."""
        return sum(
            [await self.drop(users, fields) async for users in with_key(self._redis, keys.user_traits)]
        )

    async def dormant(self, user_ids: Sequence[str]) -> list[tuple[int, float] | None]:
        """Return what is noted of listeners: with so many clicks they have been since when, Unix seconds."""
        notes = (row[0].split() for row in await self.read(user_ids, [DORMANT]))
        return [(int(note[0]), float(note[1])) if note else None for note in notes]

    async def note_dormant(self, clicks: Mapping[str, int], now: float) -> None:
        """Note how many clicks listeners have now (Unix seconds), also where Redis is full."""
        users = list(clicks)
        calls = []
        for group in self._listeners.groups(users):
            given = [part for at in group for part in (users[at], f"{clicks[users[at]]} {now!r}")]
            named = self._listeners.touched(WITH_TRAITS, [users[at] for at in group])
            calls.append((named, msgpack.packb(given, use_bin_type=False)))
        await self._note.each(self._redis, calls)

    async def place(self, stage_of: Mapping[str, str]) -> None:
        """Put listeners into the set of their stage and out of all others; may be repeated.

        Parameters
        ----------
        stage_of
            Listener -> stage; "" for none.
        """
        joins: dict[str, list[str]] = defaultdict(list)
        for user, stage in stage_of.items():
            joins[stage].append(user)
        pipeline = self._redis.pipeline(transaction=False)
        for stage, users in joins.items():
            if stage:
                pipeline.sadd(keys.stage_users(stage), *users)
        for stage in STAGES:
            if others := [user for user, theirs in stage_of.items() if theirs != stage]:
                pipeline.srem(keys.stage_users(stage), *others)
        await pipeline.execute()

    async def holding(self, user_ids: Sequence[str]) -> dict[str, set[str]]:
        """Return for each listener the stages whose sets they are in."""
        pipeline = self._redis.pipeline(transaction=False)
        for stage in STAGES:
            pipeline.smismember(keys.stage_users(stage), list(user_ids))
        found: dict[str, set[str]] = {user: set() for user in user_ids}
        for stage, flags in zip(STAGES, await pipeline.execute() if user_ids else (), strict=False):
            for user in compress(user_ids, flags):
                found[user].add(stage)
        return found

    async def sizes(self) -> dict[str, int]:
        """Return how many listeners are in each stage."""
        pipeline = self._redis.pipeline(transaction=False)
        for stage in STAGES:
            pipeline.scard(keys.stage_users(stage))
        return dict(zip(STAGES, await pipeline.execute(), strict=True))

    async def forget(self, user_id: str) -> bool:
        """Erase a listener's traits and take them out of every stage; False: there was nothing."""
        there = await self._redis.delete(keys.user_traits(user_id))
        left = [await self._redis.srem(keys.stage_users(stage), user_id) for stage in STAGES]
        return bool(there or any(left))
