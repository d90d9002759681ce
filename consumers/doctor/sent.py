"""What the doctor says once events were sent: who reads them, how far, and what becomes of them."""

from __future__ import annotations

import asyncio
import time

from consumers.doctor.check import Check
from consumers.doctor.kafka import check_topic
from consumers.doctor.model import check_serving
from consumers.doctor.processes import Alive, alive_among
from consumers.doctor.redis import no_redis
from consumers.doctor.waiting import check_waiting
from consumers.runtime.session import redis_session
from stream.errors import Unreachable
from stream.settings import Settings
from stream.stores.heartbeats import heartbeats
from stream.stores.history import load_state

__all__ = ["examine_sent"]

PATIENCE = 15.0
"""Seconds for Redis: the events are sent, and somebody waits for the command to end."""


async def examine_sent(settings: Settings, topic: str) -> list[Check]:
    """Look at those things only that concern the events of a topic, after some were sent."""
    alive, checks = await _in_redis(settings, topic)
    return [*await asyncio.to_thread(check_topic, settings, topic, alive), *checks]


async def _in_redis(settings: Settings, topic: str) -> tuple[Alive | None, list[Check]]:
    if not settings.redis:
        found = "not looked at: it is not known where it is"
        return None, [Check.warning("Redis", found, "set REFRAIN_REDIS to where it is")]
    alive, checks = None, []
    try:
        async with asyncio.timeout(PATIENCE), redis_session(settings) as redis:
            alive = alive_among(await heartbeats(redis), await load_state(redis))
            if topic == "clicks":
                checks.append(await check_serving(redis, settings, alive, time.time()))
            if topic in ("clicks", "songs"):
                checks += await check_waiting(redis, settings)
    except Unreachable as error:
        checks.append(no_redis(settings, error))
    except TimeoutError:
        found = f"not all was looked at within {PATIENCE:g} s"
        checks.append(Check.warning("Redis", found, "`refrain doctor` takes its time"))
    return alive, checks
