"""A wait until Redis keeps what was written, in whose midst something happens to that Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from stream.connect import AnyRedis
from stream.stores.durability import Durability, Primaries

__all__ = ["LosingRedis"]


class LosingRedis(Durability):
    """Waits as any other, but for its first waits: before each of these, something happens."""

    def __init__(self, redis: AnyRedis, *happens: Callable[[], None]) -> None:
        super().__init__(redis, 0)
        self._happens = list(happens)

    async def acknowledged(self, since: Primaries) -> bool:
        if self._happens:
            await asyncio.to_thread(self._happens.pop(0))
        return await super().acknowledged(since)
