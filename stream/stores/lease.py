"""A lease in Redis: the right to be the only process that trains, or that sweeps."""

from __future__ import annotations

from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scripts import Script

__all__ = ["Lease"]


@dataclass
class Lease:
    """The right to be the only one: taken for `seconds`, renewed in time, free again when its holder dies.

    Parameters
    ----------
    redis
        Where it is kept.
    holder
        Who asks: a name no other process has.
    key
        To what; by default, to train.
    seconds
        How long it lasts without being renewed.
    """

    redis: AnyRedis
    holder: str
    key: str = keys.MODEL_LEASE
    seconds: float = 10.0

    def __post_init__(self) -> None:
        self._hold, self._free = Script("hold_lease"), Script("free_lease")

    async def hold(self) -> bool:
        """Take or renew it. False: somebody else holds it."""
        return bool(await self._hold(self.redis, [self.key], self.holder, int(self.seconds * 1000)))

    async def free(self) -> None:
        """Give it back, where it is ours."""
        await self._free(self.redis, [self.key], self.holder)
