"""Who has a key of a kind: found by going through all keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from stream.connect import AnyRedis

__all__ = ["with_key"]

AT_ONCE = 500  # listeners
LOOKED_AT = 1000  # keys a step


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
