"""How far topics were when history was loaded from files: which clicks may be in both."""

from __future__ import annotations

from collections.abc import Mapping

from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["History"]


class History:
    """The store of that.

    A click of Kafka that came before the load, and is not later than the last click that files had of its
    listener (the offset of `models.listener.HISTORY` in their record), was in the files.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def begin(self, ends: Mapping[str, int]) -> None:
        """Note that a load begins.

        Parameters
        ----------
        ends
            Source (`models.listener.OffsetSource`) -> the offset that the next click in it gets.
        """
        if ends:
            await self._redis.hset(keys.HISTORY, mapping=dict(ends))

    async def ends(self) -> dict[str, int]:
        """Return for each source the offset before which a click may have been in files."""
        found = await self._redis.hgetall(keys.HISTORY)
        return {source.decode(): int(end) for source, end in found.items()}
