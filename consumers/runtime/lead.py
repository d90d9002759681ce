"""Of several processes of a kind one leads: the one who holds the lease; the others wait in reserve."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Literal

from consumers.runtime.process import together
from stream.connect import REDIS_ERRORS, open_kafka
from stream.retry import Retry, Stopped
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.stores.lease import Lease
from stream.wire.consumer import Consumer
from stream.wire.groups import GROUPS
from stream.wire.topic_watch import TopicWatch

__all__ = ["LeaseLost", "lead"]

logger = logging.getLogger(__name__)

STANDBY_SECONDS = 1.0
RENEW_SECONDS = 2.0

Run = Callable[[Consumer], Awaitable[None]]
Beside = Callable[[], Coroutine[Any, Any, None]]


class LeaseLost(Exception):
    """Another process leads by now."""


async def lead(
    settings: Settings,
    watch: TopicWatch,
    run: Run,
    beside: Sequence[Beside],
    lease: Lease,
    heartbeat: Heartbeat,
    stop: asyncio.Event,
    retry: Retry,
    begin: Literal["earliest", "latest"] = "earliest",
) -> None:
    """Lead whenever the lease is ours, until asked to stop.

    Parameters
    ----------
    run
        Is given a consumer of clicks, in the group of the heartbeat's kind, and goes on until asked to stop.
    beside
        What else is done by whoever leads.
    begin
        The click that a group begins with that has read none.
    """
    kind, said = heartbeat.kind, False
    while not stop.is_set():
        try:
            leads = await retry(f"asking for the lease of `refrain {kind}`", lease.hold)
        except Stopped:
            return
        heartbeat.gauges["leads"] = int(leads)
        if leads:
            reading = _read(settings, watch, kind, begin, run)
            try:
                await _under(lease, kind, retry, reading, *(each() for each in beside))
            finally:
                heartbeat.led.clear()  # whoever leads now says how things are
            said = False
        elif not said:
            logger.info("another `refrain %s` is at work; waiting in reserve", kind)
            said = True
        if not leads:
            await asyncio.sleep(STANDBY_SECONDS)


async def _under(
    lease: Lease,
    kind: str,
    retry: Retry,
    leader: Coroutine[Any, Any, None],
    *others: Coroutine[Any, Any, None],
) -> None:
    try:
        await together(leader, *others, _renew(lease, kind, retry))
    except Stopped as stopped:
        logger.info("ending while %s", stopped)
    except LeaseLost:
        logger.warning("the lease of `refrain %s` has gone to another", kind)
    finally:
        with contextlib.suppress(*REDIS_ERRORS):  # it comes free by itself
            await lease.free()


async def _read(settings: Settings, watch: TopicWatch, kind: str, begin: str, run: Run) -> None:
    consumer = Consumer(
        settings,
        watch=watch,
        group_id=GROUPS[kind].full_name(settings),
        auto_offset_reset=begin,
        enable_auto_commit=True,
        fetch_max_wait_ms=200,
    )
    try:
        await open_kafka(settings, consumer.start, logger.info)
        # Only now: the start, too, would wait until Kafka has given up on a process that died.
        consumer.subscribe(["clicks"])
        await run(consumer)
    finally:
        await consumer.stop()


async def _renew(lease: Lease, kind: str, retry: Retry) -> None:
    """Keep the lease."""
    while True:
        await asyncio.sleep(RENEW_SECONDS)
        if not await retry(f"renewing the lease of `refrain {kind}`", lease.hold):
            raise LeaseLost
