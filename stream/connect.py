"""The first connection to Redis and Kafka: waited for, and given up in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from redis import exceptions
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.utils import str_if_bytes
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    RetryError,
    retry_if_exception,
    wait_fixed,
)

from stream.error_policy import case_of
from stream.errors import Refused, Unreachable
from stream.patience import Patience
from stream.redis_client import client_of, cluster_of
from stream.redis_url import shown
from stream.retry import report, retried
from stream.settings import Settings

__all__ = ["REDIS_ERRORS", "AnyRedis", "Say", "ask_redis", "open_kafka", "open_redis"]

AnyRedis: TypeAlias = "Redis | RedisCluster"
Say: TypeAlias = Callable[[str], object]
T = TypeVar("T")

REDIS_ERRORS = (exceptions.RedisError, exceptions.RedisClusterException, OSError)
"""All that Redis's clients raise; that of a cluster knows an error that is no `RedisError`."""

SENTINEL = (
    "Write REFRAIN_REDIS=redis+sentinel://HOST:26379/NAME/0, with the NAME that it has for the primary."
)

PAUSE = wait_fixed(0.25)  # seconds


async def _connect(server: str, where: str, seconds: float, say: Say, step: Callable[[], Awaitable[T]]) -> T:
    """Await a step until the server answers, for some seconds at most; say once that it is waited for.

    While Redis reads its data from the disk, time does not count (`Patience`).

    Raises
    ------
    Unreachable
        When the time is up; it says what did not answer, where, and what to do.
    Refused
        Where the server answers, and refuses what only a person can change.
    """

    patience = Patience(seconds)
    loading = False

    def is_over(state: RetryCallState) -> bool:
        nonlocal loading
        if state.outcome and isinstance(state.outcome.exception(), exceptions.BusyLoadingError):
            patience.begin_anew()
            if not loading:
                loading = True
                say(f"waiting for {server} at {where}, which reads its data from the disk")
        return patience.is_over

    def tell(state: RetryCallState) -> None:
        if state.attempt_number == 1 and not loading:
            say(f"waiting for {server} at {where} (at most {seconds:g} s)")

    try:
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(retried), wait=PAUSE, stop=is_over, before_sleep=tell
        ):
            with attempt:
                result = await step()
    except RetryError as ended:
        error = ended.last_attempt.exception()
        raise _given_up(server, where, seconds, error) from error
    except Exception as error:
        report(error, f"connecting to {server} at {where}")
        raise
    return result


def _given_up(server: str, where: str, seconds: float, error: BaseException | None) -> Unreachable:
    cause = error.__cause__ if isinstance(error, Unreachable) else error
    hint = f"Is it running? REFRAIN_{server.upper()} says where; `refrain up` starts one where none is given."
    if isinstance(error, Unreachable) and error.hint:
        hint = error.hint  # it has looked why
    if error and case_of(error).hint:
        hint = f"{case_of(error).fact}. {case_of(error).hint}"
    return Unreachable(f"{server} does not answer at {where} after {seconds:g} s ({cause})", hint=hint)


async def _mode(redis: Redis) -> str:
    # HELLO is allowed to every user; INFO, which says it as well, is not.
    answer = await redis.execute_command("HELLO")
    known = answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))
    return str(str_if_bytes(known[b"mode"]))


async def open_redis(settings: Settings, say: Say = lambda _: None) -> AnyRedis:
    """Connect to the Redis, or the Redis Cluster, of the settings.

    Raises
    ------
    Unreachable
        Where it does not answer within `connect_timeout` seconds.
    Refused
        Where a Sentinel answers in its place.
    """

    async def attempt() -> AnyRedis:
        single = client_of(settings.redis)
        try:
            mode = await _mode(single)
            if mode == "cluster":  # a client of a cluster would say of a right it lacks that this is none
                await single.execute_command("CLUSTER SLOTS")
        except BaseException:
            await single.aclose()
            raise
        if mode == "standalone":
            return single
        await single.aclose()
        if mode == "sentinel":
            raise Refused("a Sentinel listens there, no Redis", hint=SENTINEL)
        cluster = cluster_of(settings.redis)
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
    return await _connect("Redis", shown(settings.redis), settings.connect_timeout, say, attempt)


async def open_kafka(settings: Settings, attempt: Callable[[], Awaitable[T]], say: Say) -> T:
    """Do one of the first things that need Kafka, with patience.

    Raises
    ------
    Unreachable
        Where no broker answers within `connect_timeout` seconds.
    """
    return await _connect("Kafka", settings.kafka, settings.connect_timeout, say, attempt)
