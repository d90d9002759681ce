"""One trainer leads: the one who holds the lease; the others wait in reserve."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from consumers.runtime.process import together
from consumers.train.publish import LeaseLost
from stream.connect import REDIS_ERRORS, open_kafka
from stream.retry import Retry, Stopped
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.stores.lease import Lease
from stream.wire.consumer import Consumer

__all__ = ["lead"]

logger = logging.getLogger(__name__)

STANDBY_SECONDS = 1.0
RENEW_SECONDS = 2.0

Run = Callable[[Consumer], Awaitable[None]]


async def lead(
    settings: Settings,
    run: Run,
    beside: Callable[[], Coroutine[Any, Any, None]],
    lease: Lease,
    heartbeat: Heartbeat,
    stop: asyncio.Event,
    retry: Retry,
) -> None:
    """Train whenever the lease is ours, until asked to stop.

    Parameters
    ----------
    run
        Learns from clicks.
    beside
        What else a trainer does while it leads.
    """
    said = False
    while not stop.is_set():
        try:
            leads = await retry("asking for the trainer's lease", lease.hold)
        except Stopped:
            return
        heartbeat.gauges["leads"] = int(leads)
        if leads:
            await _train_under(settings, run, beside, lease, retry)
            said = False
        elif not said:
            logger.info("another trainer is at work; waiting in reserve")
            said = True
        if not leads:
            await asyncio.sleep(STANDBY_SECONDS)


async def _train_under(
    settings: Settings, run: Run, beside: Callable[[], Coroutine[Any, Any, None]], lease: Lease, retry: Retry
) -> None:
    try:
        await together(_learn(settings, run), beside(), _renew(lease, retry))
    except Stopped as stopped:
        logger.info("ending while %s", stopped)
    except LeaseLost:
        logger.warning("the trainer's lease has gone to another")
    finally:
        with contextlib.suppress(*REDIS_ERRORS):  # it comes free by itself
            await lease.free()


async def _learn(settings: Settings, run: Run) -> None:
    consumer = Consumer(
        bootstrap_servers=settings.kafka,
        group_id=f"{settings.group}-train",
        auto_offset_reset="earliest",
        enable_auto_commit=True,
        fetch_max_wait_ms=200,
    )
    try:
        await open_kafka(settings, consumer.start, logger.info)
        # Only now: the start, too, would wait until Kafka has given up on a trainer that died.
        consumer.subscribe(["clicks"])
        await run(consumer)
    finally:
        await consumer.stop()


async def _renew(lease: Lease, retry: Retry) -> None:
    """Keep the lease."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        if not await retry("renewing the trainer's lease", lease.hold):
            raise LeaseLost
