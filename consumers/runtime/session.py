"""A short session with Redis for somebody who waits: little patience, and errors that say what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis import exceptions

from stream.connect import AnyRedis, open_redis
from stream.errors import Unreachable
from stream.redis_url import shown
from stream.retry import report
from stream.settings import Settings

__all__ = ["PATIENCE", "redis_session"]

PATIENCE = 3.0
"""Seconds: somebody sits there and waits."""


@asynccontextmanager
async def redis_session(
    settings: Settings, say: Callable[[str], object] = lambda line: None
) -> AsyncIterator[AnyRedis]:
    """Open the Redis of the settings for a moment.

    Parameters
    ----------
    say
        Is told what is waited for, where Redis does not answer at once.

    Raises
    ------
    Unreachable
        Where it does not answer, or refuses.
    """
    impatient = settings.model_copy(update={"connect_timeout": min(PATIENCE, settings.connect_timeout)})
    try:
        redis = await open_redis(impatient, say)
        try:
            yield redis
        finally:
            await redis.aclose()
    except (exceptions.RedisError, exceptions.RedisClusterException) as error:
        report(error, f"asking Redis at {shown(settings.redis)}")
        raise Unreachable(
            f"Redis at {shown(settings.redis)} failed: {error}", hint="`refrain doctor` looks why."
        ) from error
