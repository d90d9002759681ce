"""What a process waits by until Redis keeps what it wrote."""

from __future__ import annotations

from stream.connect import AnyRedis
from stream.stores.durability import Durability

__all__ = ["durable"]


async def durable(redis: AnyRedis) -> Durability:
    """Begin as a process does where no replica is waited for."""
    durability = Durability(redis, 0)
    await durability.begin()
    return durability
