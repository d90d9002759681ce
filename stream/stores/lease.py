"""A lease in Redis: the right to be the only process that trains or sweeps, or the only run of a command."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import uuid4

from stream.connect import REDIS_ERRORS, AnyRedis
from stream.errors import CannotStart
from stream.stores import keys
from stream.stores.scripts import Script

__all__ = ["Lease", "alone"]

COMMAND_SECONDS = 60.0
"""How long a command's lease lasts without being renewed: it may be held up for a while."""
RENEW_SECONDS = 10.0


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

    async def held_by(self) -> str:
        """Return who holds it; "" where nobody does."""
        holder: bytes | None = await self.redis.get(self.key)
        return holder.decode() if holder else ""


@asynccontextmanager
async def alone(redis: AnyRedis, command: str, key: str) -> AsyncIterator[Lease]:
    """Hold the right to be the only run of a command while the block runs.

    A run that stood still for longer than the lease lasts may have lost it to another: `Lease.hold` tells.

    Parameters
    ----------
    command
        As it is typed after `refrain`.
    key
        Where the lease is kept.

    Raises
    ------
    CannotStart
        Where another run is at work.
    """
    holder = f"{command}-{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
    lease = Lease(redis, holder, key, COMMAND_SECONDS)
    while not await lease.hold():
        if other := await lease.held_by():  # else it has ended this very moment
            raise CannotStart(
                f"another `refrain {command}` is at work ({other})",
                hint=f"Wait for it. Where it was killed, its place is free after {COMMAND_SECONDS:g} s.",
            )
    renewing = asyncio.create_task(_renew(lease))
    try:
        yield lease
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        with suppress(*REDIS_ERRORS):  # it comes free by itself
            await lease.free()


async def _renew(lease: Lease) -> None:
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        with suppress(*REDIS_ERRORS):  # the next time is early enough
            await lease.hold()
