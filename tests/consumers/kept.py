"""Snapshots as a test looks at them, and damages them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import redis

from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.snapshots import Snapshots

__all__ = ["DAMAGES", "asked", "heartbeat", "put_damaged"]

T = TypeVar("T")

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "is damaged": lambda good: good[:-100] + b"?!" + good[-98:],
    "checksum is wrong": lambda good: good[: len(good) // 2],
    "Update it": lambda good: good[:7] + bytes([good[7] + 1]) + good[8:],
}
"""What is said of a snapshot -> what was done to it."""


def asked(settings: Settings, question: Callable[[Snapshots], Awaitable[T]]) -> T:
    """Ask, or tell, the store of snapshots."""

    async def ask() -> T:
        client = await open_redis(settings)
        answer = await question(Snapshots(client))
        await client.aclose()
        return answer

    return asyncio.run(ask())


def put_damaged(settings: Settings, damage: Callable[[bytes], bytes]) -> int:
    """Let a damaged copy of the newest snapshot serve; return its version."""
    with redis.Redis.from_url(settings.redis) as client:
        newest = max(int(version) for version in client.zrange("models", 0, -1))
        version = newest + 1
        client.set("model:counter", version)
        client.set(f"model:{version}", damage(client.get(f"model:{newest}")))
        client.zadd("models", {str(version): client.zscore("models", str(newest)) + 1})
        client.set("model:current", version)
    return version


def heartbeat(db: redis.Redis, kind: str = "train") -> dict[str, str]:
    """The sign of life of the one process of a kind, empty where there is none."""
    found = [db.hgetall(f"process:{{{name}}}") for name in db.zrange("processes", 0, -1)]
    return next((process for process in found if process.get("kind") == kind), {})
