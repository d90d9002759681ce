"""What every process begins with: Redis and Kafka that answer, the right half-life, a sign of life."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack, ExitStack
from typing import NamedTuple, TypeVar

from kafka.admin import KafkaAdminClient
from structlog.contextvars import bound_contextvars

from consumers.runtime.exporter import exporting
from consumers.runtime.process import end
from consumers.runtime.wiring import decay_of
from stream.connect import AnyRedis, ask_redis, open_kafka, open_redis
from stream.errors import Unreachable
from stream.metrics import DELETED
from stream.retry import Retry, Stopped
from stream.settings import Settings
from stream.stores.guards import guard_cluster, guard_decay, topic_epoch
from stream.stores.heartbeats import STARTING, Heartbeat
from stream.stores.history import UNTIL_REPEATED, LoadState, load_state
from stream.wire.consumer import check_codecs
from stream.wire.dead_members import remove_dead
from stream.wire.deleted import deleted_unread_told, shorter_told
from stream.wire.groups import groups_of
from stream.wire.sender import BATCH_BYTES, Sender
from stream.wire.topic_watch import TopicShape, TopicWatch, topic_shapes
from stream.wire.topics import cluster_id, create_missing, open_admin

__all__ = ["Beginning", "begin", "begin_producer", "epoch_of", "once_loaded"]

T = TypeVar("T")

logger = logging.getLogger(__name__)

IN_NO_GROUP = {"work": ("audiences",)}
"""Kind of process -> topics that it reads without a group, beside those of its groups."""

LOOK_SECONDS = 1.0  # for the end of a load of history

WAITS = {
    LoadState.RUNS: (logging.INFO, "history is being loaded: waiting until that is done"),
    LoadState.UNFINISHED: (
        logging.WARNING,
        f"a load of history did not end: waiting {UNTIL_REPEATED}",
    ),
}
"""What a process says that waits, and how urgent it is."""


class Beginning(NamedTuple):
    """What a process has once it has begun: Redis, a sign of life, the topics that it reads, watched."""

    redis: AnyRedis
    heartbeat: Heartbeat
    watch: TopicWatch


async def begin(settings: Settings, kind: str, stack: AsyncExitStack) -> Beginning:
    """Connect, with patience; what is opened is closed with `stack`.

    Raises
    ------
    RefrainError
        Where the process cannot start: Kafka or Redis away, affinities of another half-life, another Kafka.
    """
    check_codecs()
    redis = await open_redis(settings, logger.info)
    stack.push_async_callback(redis.aclose)
    await ask_redis(settings, lambda: guard_decay(redis, decay_of(settings)), logger.info)
    groups = groups_of(kind)
    to_the_last = dict.fromkeys(topic for group in groups if group.every_event for topic in group.topics)
    read = dict.fromkeys(topic for group in groups for topic in group.topics)
    topics = (*read, *IN_NO_GROUP.get(kind, ()))
    names = [group.full_name(settings) for group in groups]
    watch = TopicWatch(settings, await _topics_of(settings, redis, topics, names))
    stack.push_async_callback(asyncio.to_thread, watch.close)
    stack.enter_context(shorter_told(topics, watch.hold_back))
    heartbeat = Heartbeat(redis, kind)
    stack.enter_context(exporting(settings, heartbeat))
    stack.enter_context(bound_contextvars(process=heartbeat.name))
    stack.enter_context(
        deleted_unread_told(
            to_the_last,
            lambda place, number: heartbeat.add(f"{DELETED}{place.topic}:{place.partition}", number),
        )
    )
    stack.push_async_callback(heartbeat.stop)
    return Beginning(redis, heartbeat, watch)


async def _topics_of(
    settings: Settings, redis: AnyRedis, topics: Collection[str], groups: Sequence[str]
) -> dict[str, TopicShape]:
    """Make sure that this Kafka is the one that Redis belongs to, and has all topics; clear up who died."""

    async def ask(question: Callable[..., T], *given: object) -> T:
        return await open_kafka(settings, lambda: asyncio.to_thread(question, *given), logger.info)

    with ExitStack() as connected:
        admin = await ask(lambda: connected.enter_context(open_admin(settings)))
        cluster = await ask(cluster_id, admin)
        await ask_redis(settings, lambda: guard_cluster(redis, cluster, settings.kafka_cluster), logger.info)
        await ask(create_missing, admin, settings)
        await ask(remove_dead, admin, groups)
        return await ask(_shapes, admin, topics)


def _shapes(admin: KafkaAdminClient, topics: Collection[str]) -> dict[str, TopicShape]:
    shapes = topic_shapes(admin, topics)
    if missing := set(topics) - shapes.keys():
        raise Unreachable(f"{', '.join(sorted(missing))} not there yet")
    return shapes


async def once_loaded(
    begun: Beginning, retry: Retry, stop: asyncio.Event, stack: AsyncExitStack
) -> asyncio.Task[None] | None:
    """Wait until history is loaded wholly, and then give a sign of life, which keeps the next load away.

    For processes that hold in memory who there is (`consumers.history.guard`). The sign of life says that
    the process is not at work yet, until its gauge `STARTING` is deleted.

    Returns
    -------
    What keeps the sign of life up from now on; it ends with `stack` at the latest. None where the process is
    to end.
    """
    redis, heartbeat, said = begun.redis, begun.heartbeat, LoadState.NONE

    async def in_the_way() -> LoadState:
        if found := await load_state(redis):
            return found
        # First the sign, then the look, as a load does it: of two that begin at once one at least sees the
        # other.
        heartbeat.gauges[STARTING] = time.time()
        await heartbeat.beat(time.time())
        if found := await load_state(redis):
            await heartbeat.stop()
        return found

    try:
        while found := await retry("asking whether history is loaded", in_the_way):
            if found is not said:
                logger.log(*WAITS[found])
                said = found
            await asyncio.sleep(LOOK_SECONDS)
            if stop.is_set():
                return None
    except Stopped:
        return None
    keeping = asyncio.create_task(heartbeat.keep())
    stack.push_async_callback(end, [keeping])
    return keeping


async def begin_producer(settings: Settings, stack: AsyncExitStack, batch_bytes: int = BATCH_BYTES) -> Sender:
    """Start a sender, with patience; it is stopped with `stack`."""
    sender = Sender(settings, batch_bytes=batch_bytes)
    stack.push_async_callback(sender.stop)
    await open_kafka(settings, sender.start, logger.info)
    return sender


async def epoch_of(settings: Settings, begun: Beginning, topic: str) -> int:
    """Say how often a topic has been recreated, with patience; see `stream.stores.guards.topic_epoch`."""
    topic_id = begun.watch.shapes[topic].topic_id
    return await ask_redis(settings, lambda: topic_epoch(begun.redis, topic, topic_id), logger.info)
