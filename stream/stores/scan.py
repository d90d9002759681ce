"""Listeners, some hundred at a time: who has a key of a kind, who is in a set."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from stream.connect import AnyRedis

__all__ = ["members", "with_key"]

AT_ONCE = 500  # listeners
LOOKED_AT = 1000  # keys a step


async def members(redis: AnyRedis, key: str, at_once: int = AT_ONCE) -> AsyncIterator[list[str]]:
    """Go through a set of listeners; all who stay in it throughout are met at least once."""
    cursor = None
    while cursor != 0:
        cursor, found = await redis.sscan(key, cursor or 0, count=at_once)
        yield [user.decode() for user in found]


async def with_key(redis: AnyRedis, key: Callable[[str], str]) -> AsyncIterator[list[str]]:
    """Go through the listeners who have a key, some hundred at a time; who has it throughout is met.

    On a cluster all primaries are gone through. A listener may be met twice.

    Parameters
    ----------
    key
        Listener -> key; one of those of `stream.stores.keys` that begin with ``user:``.
    """
    before, _, behind = key("*").partition("*")
    users: list[str] = []
    async for found in redis.scan_iter(match=key("*"), count=LOOKED_AT):
        users.append(found.decode().removeprefix(before).removesuffix(behind))
        if len(users) == AT_ONCE:
            yield users
            users = []
    if users:
        yield users
