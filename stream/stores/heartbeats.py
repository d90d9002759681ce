"""Signs of life: what each process of Refrain has done so far, in Redis for as long as it lives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from uuid import uuid4

from stream.connect import REDIS_ERRORS, AnyRedis
from stream.stores import keys

__all__ = ["SECONDS", "STARTING", "Heartbeat", "heartbeats", "starting_for"]

SECONDS = 10
"""After which a process of whom nothing is heard is taken for gone."""

BEAT_SECONDS = 0.5

STARTING = "starting"
"""Gauge of a process that lives and is not at work yet: since when it has been starting, in Unix seconds."""


@dataclass
class Heartbeat:
    """One process's sign of life. `counters` only grow; `gauges` are as they are now.

    `led` are gauges too, of what only a process that leads does (`consumers.runtime.lead`): they are taken
    away when it leads no more, as another says by then how things are.

    `written` is when the last was, in seconds of `time.monotonic`; 0 before the first.
    """

    redis: AnyRedis
    kind: str
    counters: dict[str, int] = field(default_factory=dict)
    gauges: dict[str, str | float] = field(default_factory=dict)
    led: dict[str, str | float] = field(default_factory=dict)
    written: float = 0.0
    _fields: set[str] = field(default_factory=set, init=False)

    @property
    def name(self) -> str:
        """A name that no other process has, nor has had."""
        return f"{self.kind}-{socket.gethostname()}-{_birth()}-{os.getpid()}"

    def add(self, counter: str, number: int = 1) -> None:
        """Count."""
        self.counters[counter] = self.counters.get(counter, 0) + number

    def says(self) -> dict[str, str | float]:
        """Return all that it counts, and all gauges."""
        return {**self.counters, **self.gauges, **self.led}

    async def beat(self, now: float) -> None:
        """Write it; it is gone `SECONDS` later where no other follows."""
        key = keys.process(self.name)
        state: dict[str, str | float] = {"kind": self.kind, "at": now, **self.says()}
        self._fields |= state.keys()
        gone = self._fields - state.keys()  # gauges that were taken away since
        # All at once: a sign of life of who is killed in between would never end.
        pipeline = self.redis.pipeline(transaction=False)
        pipeline.hset(key, mapping=state)
        if gone:
            pipeline.hdel(key, *gone)
        pipeline.expire(key, SECONDS)
        await pipeline.execute()
        self._fields -= gone
        await self.redis.zadd(keys.PROCESSES, {self.name: now})
        await self.redis.zremrangebyscore(keys.PROCESSES, "-inf", now - 10 * SECONDS)
        self.written = time.monotonic()

    async def keep(self) -> None:
        """Beat for ever; a beat that fails is left out, the next may do better."""
        while True:
            with contextlib.suppress(*REDIS_ERRORS):
                await self.beat(time.time())
            await asyncio.sleep(BEAT_SECONDS)

    async def stop(self) -> None:
        """Take it away: the process ends as it should. Where Redis is away, it fades by itself."""
        with contextlib.suppress(*REDIS_ERRORS):
            await self.redis.delete(keys.process(self.name))
            await self.redis.zrem(keys.PROCESSES, self.name)


@cache
def _birth() -> str:
    # In containers of one host's network, two processes have the same host and number.
    return uuid4().hex[:8]


async def heartbeats(redis: AnyRedis) -> dict[str, dict[str, str]]:
    """Return the processes that live, by name."""
    alive = {}
    for name in [name.decode() for name in await redis.zrange(keys.PROCESSES, 0, -1)]:
        state = await redis.hgetall(keys.process(name))
        if state:
            alive[name] = {key.decode(): value.decode() for key, value in state.items()}
    return alive


def starting_for(state: Mapping[str, str]) -> float | None:
    """Return for how many seconds a process has been starting, by its own clock; None: it is at work."""
    return float(state["at"]) - float(state[STARTING]) if STARTING in state else None
