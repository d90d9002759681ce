"""`refrain doctor`: looks at all that Refrain needs, and says for each what is fine and what to do."""

from __future__ import annotations

import asyncio
import time

from consumers.doctor.check import Check, State
from consumers.doctor.kafka import check_kafka
from consumers.doctor.redis import check_redis
from consumers.doctor.refrain import KINDS, check_here, check_refrain, processes
from consumers.runtime.session import redis_session
from stream.connect import shown
from stream.errors import Unreachable
from stream.settings import Settings

__all__ = ["KINDS", "Check", "State", "examine", "examine_here"]


async def examine(settings: Settings) -> list[Check]:
    """Look at everything."""
    alive, checks = None, []
    try:
        async with redis_session(settings) as redis:
            checks = await check_redis(redis, settings)
            alive = await processes(redis)
            checks += await check_refrain(redis, settings, time.time())
    except Unreachable as error:
        mend = "start it, or set REFRAIN_REDIS to where it is, with user and password where it wants them"
        checks.append(Check.wrong("Redis", f"none at {shown(settings.redis)} ({error.__cause__})", mend))
    return [*await asyncio.to_thread(check_kafka, settings, alive), *checks]


async def examine_here(settings: Settings, kind: str) -> list[Check]:
    """Look whether a process of one kind lives on this machine."""
    async with redis_session(settings) as redis:
        return [await check_here(redis, kind)]
