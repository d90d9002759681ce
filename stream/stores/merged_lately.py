"""Ids that have just become part of a listener, followed in memory: nobody is told under two ids."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection, Iterable, Sequence

from stream.connect import AnyRedis
from stream.retry import Clock
from stream.stores import keys
from stream.stores.merges import Merges

__all__ = ["MergedLately"]

KEPT_SECONDS = 3600.0
"""Longer than any list of members in memory is behind."""

AT_ONCE = 10_000

Entry = tuple[bytes, dict[bytes, bytes]]


class MergedLately:
    """The ids that became part of a listener within the last hour, as a stream in Redis, and a copy of it.

    A stream's entries have one order, whoever adds them: who reads on from the last entry seen misses none.

    Attributes
    ----------
    into
        Id -> whose part it is, as of the last `refresh`.
    """

    def __init__(self, redis: AnyRedis, clock: Clock = time.time) -> None:
        self._redis = redis
        self._clock = clock
        self._merges = Merges(redis)
        self._last = ""
        self.into: dict[str, str] = {}
        self._since: dict[str, float] = {}

    async def announce(self, user_id: str, into: str) -> None:
        """Say that an id is, or is about to be, part of a listener; "": of none."""
        before = int(1000 * (self._clock() - 2 * KEPT_SECONDS))
        await self._redis.xadd(keys.MERGED_LATELY, {"id": user_id, "into": into}, minid=before)

    async def refresh(self) -> set[str]:
        """Read what has come since the last time; in one round trip where that is not much.

        Returns
        -------
        Whom that is about: the ids, whose part they are, and whose they were, if that is in memory.
        """
        now = self._clock()
        about: set[str] = set()
        first = f"({self._last}" if self._last else str(int(1000 * (now - KEPT_SECONDS)))
        async for entries in self._entries(first):
            for place, fields in entries:
                self._last = place.decode()
                user, into = fields[b"id"].decode(), fields[b"into"].decode()
                self._since.pop(user, None)
                about |= {user, into, self.into.pop(user, "")}
                if into:
                    self.into[user], self._since[user] = into, now
        for user in [user for user, since in self._since.items() if since < now - KEPT_SECONDS]:
            del self.into[user], self._since[user]
        return about - {""}

    async def announced(self, before: float) -> list[str]:
        """Return the ids that were announced before a time (Unix seconds), each once, the earliest first."""
        found: dict[str, None] = {}
        async for entries in self._entries(last=str(int(1000 * before))):
            found |= dict.fromkeys(fields[b"id"].decode() for _, fields in entries)
        return list(found)

    async def forget(self, user_ids: Collection[str]) -> None:
        """Erase all that is said of some ids."""
        erased = {user.encode() for user in user_ids}
        async for entries in self._entries():
            places = [place for place, fields in entries if erased & {fields[b"id"], fields[b"into"]}]
            if places:
                await self._redis.xdel(keys.MERGED_LATELY, *places)

    async def _entries(self, first: str = "-", last: str = "+") -> AsyncIterator[Sequence[Entry]]:
        """Go through a stretch of the stream, some thousand at a time."""
        while True:
            found: Sequence[Entry] = await self._redis.xrange(keys.MERGED_LATELY, first, last, count=AT_ONCE)
            if found:
                yield found
            if len(found) < AT_ONCE:
                return
            first = f"({found[-1][0].decode()}"

    def person(self, user_id: str) -> str:
        """Return who an id is part of, itself where that is nobody."""
        passed = {user_id}
        while (other := self.into.get(user_id)) and other not in passed:
            passed.add(other)
            user_id = other
        return user_id

    def persons(self, user_ids: Iterable[str]) -> set[str]:
        """Return who some ids are part of, or are."""
        return {self.person(user) for user in user_ids}

    async def roots(self, user_ids: Collection[str]) -> dict[str, str]:
        """Return who some ids are part of by now, however long since; nothing of all others."""
        return await self._merges.roots(user_ids)
