"""What the doctor says of the cluster of Kafka that Redis belongs to, and of topics that were recreated."""

from __future__ import annotations

import asyncio

from kafka.errors import KafkaError

from consumers.doctor.check import Check
from consumers.terminal.format import counted
from stream.connect import AnyRedis
from stream.errors import ClusterChanged, Unreachable
from stream.settings import Settings
from stream.stores import keys
from stream.stores.guards import guard_cluster
from stream.wire.topic_watch import TopicShape, topic_shapes
from stream.wire.topics import cluster_id, open_admin

__all__ = ["check_cluster", "check_made_anew"]

WITH_EPOCHS = ("clicks", "releases", "feedback")
"""Topics of whose offsets Redis remembers what is counted."""


async def check_cluster(redis: AnyRedis, settings: Settings) -> list[Check]:
    """Look whether Kafka is the cluster that Redis remembers; nothing where either is not known."""
    remembered = await redis.exists(keys.KAFKA_CLUSTER)
    try:
        found = await asyncio.to_thread(_cluster, settings)
    except (KafkaError, Unreachable):
        return []  # the check of the broker says it
    if not remembered:
        return []
    try:
        await guard_cluster(redis, found)
    except ClusterChanged as error:
        return [Check.wrong("cluster", str(error), error.hint)]
    return [Check.fine("cluster", f"{found}, the one that Redis remembers")]


async def check_made_anew(redis: AnyRedis, settings: Settings) -> list[Check]:
    """Say which topics were deleted and recreated, and whether processes have noticed."""
    try:
        shapes = await asyncio.to_thread(_shapes, settings)
    except (KafkaError, Unreachable):
        return []
    times: dict[str, int] = {}
    checks = []
    for topic, shape in shapes.items():
        epochs = {name.decode() for name in await redis.hkeys(keys.topic(topic))}
        if epochs and shape.topic_id not in epochs:
            found = f"{topic} was recreated, and no process has begun with it yet"
            hint = "processes that run begin again within seconds: look again, and at their logs"
            checks.append(Check.warning("topic recreated", found, hint))
        if len(epochs) > 1:
            times[topic] = len(epochs) - 1
    if times:
        said = ", ".join(f"{topic} {counted(number, 'time')}" for topic, number in times.items())
        found = f"{said}: read from the start each time; what was unread in the old one is gone with it"
        checks.append(Check.fine("topics recreated", found))
    return checks


def _cluster(settings: Settings) -> str:
    with open_admin(settings) as admin:
        return cluster_id(admin)


def _shapes(settings: Settings) -> dict[str, TopicShape]:
    with open_admin(settings) as admin:
        return topic_shapes(admin, WITH_EPOCHS)
