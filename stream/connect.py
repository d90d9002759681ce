"""Connections to Redis and Kafka, and the patience to wait for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar
from urllib.parse import urlsplit, urlunsplit

from aiokafka.errors import KafkaError, KafkaTimeoutError
from kafka.errors import KafkaError as AdminError
from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from stream.errors import Unreachable
from stream.settings import Settings

__all__ = ["REDIS_ERRORS", "AnyRedis", "Say", "ask_redis", "open_kafka", "open_redis", "patiently", "shown"]

AnyRedis: TypeAlias = "Redis | RedisCluster"
Say: TypeAlias = Callable[[str], object]
T = TypeVar("T")

AWAY = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.ClusterError,
    exceptions.RedisClusterException,
    KafkaError,
    AdminError,
    Unreachable,
    OSError,
)
REDIS_ERRORS = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
"""All that Redis's clients raise; that of a cluster knows an error that is no `RedisError`."""

PAUSE = 0.25


def _passes(error: KafkaError | AdminError) -> bool:
    return bool(error.retriable) or isinstance(error, KafkaTimeoutError)


async def patiently(
    attempt: Callable[[], Awaitable[T]], *, what: str, where: str, mend: str, patience: float, say: Say
) -> T:
    """Try until the server answers, saying so once, and give up after `patience` seconds.

    Raises
    ------
    Unreachable
        When the time is up; it says what did not answer, where, and what to do.
    """
    deadline = time.monotonic() + patience
    told = False
    while True:
        try:
            return await attempt()
        except AWAY as error:
            if isinstance(error, KafkaError | AdminError) and not _passes(error):
                raise
            if time.monotonic() >= deadline:
                cause = error.__cause__ if isinstance(error, Unreachable) else error
                raise Unreachable(
                    f"{what} does not answer at {where} after {patience:g} s ({cause}). {mend}"
                ) from error
            if not told:
                say(f"waiting for {what} at {where} (at most {patience:g} s)")
                told = True
        await asyncio.sleep(PAUSE)


def shown(url: str) -> str:
    """Return a URL as it may be shown: without its password.

    Examples
    --------
    >>> shown("redis://me:secret@db:6379/0")
    'redis://me:***@db:6379/0'
    """
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", ":***@")))


async def open_redis(settings: Settings, say: Say = lambda _: None) -> AnyRedis:
    """Connect to the Redis, or the Redis Cluster, of the settings.

    Raises
    ------
    Unreachable
        Where it does not answer within `connect_timeout` seconds.
    """

    async def attempt() -> AnyRedis:
        single = Redis.from_url(settings.redis)
        try:
            info = await single.info("cluster")
        except BaseException:
            await single.aclose()
            raise
        if not info.get("cluster_enabled"):
            return single
        await single.aclose()
        cluster = RedisCluster.from_url(settings.redis)
        await cluster.initialize()
        return cluster

    return await ask_redis(settings, attempt, say)


async def ask_redis(settings: Settings, attempt: Callable[[], Awaitable[T]], say: Say) -> T:
    """Do one of the first things that need Redis, with patience.

    Raises
    ------
    Unreachable
        Where it does not answer within `connect_timeout` seconds.
    """
    return await patiently(
        attempt,
        what="Redis",
        where=shown(settings.redis),
        mend="Is it running? REFRAIN_REDIS says where; `refrain up` starts one where none is given.",
        patience=settings.connect_timeout,
        say=say,
    )


async def open_kafka(settings: Settings, attempt: Callable[[], Awaitable[T]], say: Say) -> T:
    """Do one of the first things that need Kafka, with patience.

    Raises
    ------
    Unreachable
        Where no broker answers within `connect_timeout` seconds.
    """
    return await patiently(
        attempt,
        what="Kafka",
        where=settings.kafka,
        mend="Is it running? REFRAIN_KAFKA says where; `refrain up` starts one where none is given.",
        patience=settings.connect_timeout,
        say=say,
    )
