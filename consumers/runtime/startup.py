"""What every process begins with: Redis and Kafka that answer, the right half-life, a sign of life."""

from __future__ import annotations

import asyncio
import logging
from contextlib import AsyncExitStack

from consumers.runtime.wiring import decay_of
from stream.connect import AnyRedis, ask_redis, open_kafka, open_redis
from stream.settings import Settings
from stream.stores.guards import guard_decay, topic_epoch
from stream.stores.heartbeats import DELETED, Heartbeat
from stream.wire.deleted import deleted_unread_told
from stream.wire.sender import Sender
from stream.wire.topics import create_topics, describe_topics

__all__ = ["begin", "begin_producer", "epoch_of"]

logger = logging.getLogger(__name__)

READ_TO_THE_LAST = {
    "ingest": ("clicks", "merges", "artist-aliases"),
    "work": ("releases", "feedback", "songs"),
    "traits": ("labels",),
}
"""Kind of process -> topics of which it means to read every event."""


async def begin(settings: Settings, kind: str, stack: AsyncExitStack) -> tuple[AnyRedis, Heartbeat]:
    """Connect, with patience; what is opened is closed with `stack`.

    Raises
    ------
    RefrainError
        Where the process cannot start: Kafka or Redis away, affinities of another half-life.
    """
    redis = await open_redis(settings, logger.info)
    stack.push_async_callback(redis.aclose)
    await ask_redis(settings, lambda: guard_decay(redis, decay_of(settings)), logger.info)
    await open_kafka(settings, lambda: asyncio.to_thread(create_topics, settings), logger.info)
    heartbeat = Heartbeat(redis, kind)
    stack.enter_context(
        deleted_unread_told(
            READ_TO_THE_LAST.get(kind, ()),
            lambda place, number: heartbeat.add(f"{DELETED}{place.topic}:{place.partition}", number),
        )
    )
    stack.push_async_callback(heartbeat.stop)
    return redis, heartbeat


async def begin_producer(settings: Settings, stack: AsyncExitStack) -> Sender:
    """Start a sender, with patience; it is stopped with `stack`."""
    sender = Sender(settings)
    stack.push_async_callback(sender.stop)
    await open_kafka(settings, sender.start, logger.info)
    return sender


async def epoch_of(settings: Settings, redis: AnyRedis, topic: str) -> int:
    """Say how often a topic has been made anew, with patience; see `stream.stores.guards.topic_epoch`."""
    states = await open_kafka(settings, lambda: asyncio.to_thread(describe_topics, settings), logger.info)
    state = states[topic]
    return await ask_redis(
        settings, lambda: topic_epoch(redis, topic, state.topic_id if state else ""), logger.info
    )
