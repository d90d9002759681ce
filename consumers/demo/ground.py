"""Where the demo plays: on servers of its own, or on given ones that hold nobody's data but a demo's."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable

from kafka import KafkaConsumer, TopicPartition

from stream.broker.folder import hold
from stream.connect import open_redis
from stream.errors import RefrainError
from stream.redis_url import shown
from stream.settings import Settings
from stream.wire.connection import blocking_connection
from stream.wire.topics import open_admin

__all__ = ["clear_folder", "clear_servers"]

MARK = "demo"


def clear_folder(settings: Settings, say: Callable[[str], None]) -> None:
    """Take away what the demo before this one left: how it all begins is worth seeing each time.

    Raises
    ------
    CannotStart
        Where another demo runs in the folder.
    """
    if not settings.data.exists():
        return
    with hold(settings.data, say=say):
        for folder in settings.data.iterdir():
            if folder.is_dir():
                shutil.rmtree(folder)


def clear_servers(given: Settings, addressed: Settings) -> None:
    """Make sure that the demo's inventions meet no real data.

    Parameters
    ----------
    given
        The settings as they came: an address in them is of a server that is not ours.
    addressed
        The settings with the addresses of all servers.

    Raises
    ------
    RefrainError
        Where a given server holds what no demo put there.
    """
    ours = asyncio.run(_mark(addressed))
    if not ours and given.redis:
        raise RefrainError(_refusal("Redis", shown(given.redis), "REFRAIN_REDIS"))
    if not given.kafka:
        _drop_topics(addressed)  # in Docker they are in a volume, not in the folder
    elif ours == "new" and _has_clicks(given):
        raise RefrainError(_refusal("Kafka", given.kafka, "REFRAIN_KAFKA"))


def _refusal(server: str, address: str, variable: str) -> str:
    return (
        f"the {server} at {address} holds data that no demo put there, and the demo would mix its "
        f"invented listeners with them. Unset {variable} (the demo brings a {server} of its own), or "
        "give an empty one."
    )


async def _mark(settings: Settings) -> str:
    """Mark the Redis as a demo's: "new" where it was empty, "again" where it was marked, "" where neither."""
    redis = await open_redis(settings)
    try:
        if await redis.exists(MARK):
            return "again"
        if await redis.dbsize():
            return ""
        await redis.set(MARK, 1)
        return "new"
    finally:
        await redis.aclose()


def _drop_topics(settings: Settings) -> None:
    with open_admin(settings) as admin:
        old = [name for name in admin.list_topics() if not name.startswith("__")]
        if old:
            admin.delete_topics(old)


def _has_clicks(settings: Settings) -> bool:
    consumer = KafkaConsumer(**blocking_connection(settings))
    try:
        partitions = consumer.partitions_for_topic("clicks") or set()
        places = [TopicPartition("clicks", number) for number in partitions]
        return any(consumer.end_offsets(places).values()) if places else False
    finally:
        consumer.close()
