"""`refrain doctor`: looks at all that Refrain needs, and says of each whether it is fine and what to do.

::

    check.py        what is said of one thing
    kafka.py        broker, schema registry, topics, lag, dead letters
    redis.py        replicas, persistence, eviction, memory, clock
    memory.py       what a listener takes of it, and when it will be full
    merges.py       merges that are begun and not finished
    processes.py    whether each kind of process runs
    cluster.py      the cluster of Kafka that Redis remembers, topics recreated
    affinities.py   the half-life they were stored with
    model.py        the model that serves, who has loaded it, who is migrated to it, how well it predicts
    deliveries.py   whether audiences are delivered, and the endpoint takes them
    deleted.py      events that Kafka deleted before they were read
    releases.py     releases that wait
    feedback.py     whether the notifier reports what it sends
    waiting.py      clicks that wait for their song
    sent.py         those of these that concern events which were just sent
"""

from __future__ import annotations

import asyncio
import time

from consumers.doctor.affinities import check_half_life
from consumers.doctor.check import Check, State
from consumers.doctor.cluster import check_cluster, check_made_anew
from consumers.doctor.deleted import check_deleted
from consumers.doctor.deliveries import check_deliveries
from consumers.doctor.feedback import check_clicks, check_feedback
from consumers.doctor.kafka import check_kafka
from consumers.doctor.memory import check_listeners_memory
from consumers.doctor.merges import check_merges
from consumers.doctor.model import check_model
from consumers.doctor.processes import KINDS, Alive, alive_among, check_here, check_processes
from consumers.doctor.redis import check_redis, no_redis
from consumers.doctor.releases import check_releases
from consumers.doctor.sent import examine_sent
from consumers.doctor.waiting import check_waiting
from consumers.runtime.session import redis_session
from stream.connect import AnyRedis
from stream.errors import Unreachable
from stream.settings import Settings
from stream.stores.heartbeats import heartbeats
from stream.stores.history import load_state

__all__ = ["KINDS", "Check", "State", "examine", "examine_here", "examine_sent"]


async def examine(settings: Settings) -> list[Check]:
    """Look at everything."""
    alive, checks = None, []
    try:
        async with redis_session(settings) as redis:
            states = await heartbeats(redis)
            alive = alive_among(states, await load_state(redis))
            checks = [*await check_redis(redis, settings), await check_listeners_memory(redis, settings)]
            checks += await _check_refrain(redis, settings, states, alive, time.time())
    except Unreachable as error:
        checks.append(no_redis(settings, error))
    return [*await asyncio.to_thread(check_kafka, settings, alive), *checks]


async def _check_refrain(
    redis: AnyRedis, settings: Settings, states: dict[str, dict[str, str]], alive: Alive, now: float
) -> list[Check]:
    clicks = await check_clicks(redis)
    return [
        *check_processes(alive),
        *check_deliveries(settings, states, now),
        *await check_cluster(redis, settings),
        *await check_made_anew(redis, settings),
        *check_deleted(states),
        await check_half_life(redis, settings),
        *await check_model(redis, settings, alive, now),
        await check_releases(redis, settings, now),
        await check_feedback(redis, settings, now),
        *([clicks] if clicks else []),
        *await check_waiting(redis, settings),
        *await check_merges(redis, now),
    ]


async def examine_here(settings: Settings, kind: str) -> list[Check]:
    """Look whether a process of one kind is at work on this machine."""
    async with redis_session(settings) as redis:
        return [await check_here(redis, kind)]
