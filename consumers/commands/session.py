"""A command's way to Redis: opened without long patience, and what goes wrong said in a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import typer
from redis import exceptions

from consumers.commands.servers import connected_settings
from stream.connect import AnyRedis, open_redis, shown
from stream.errors import Unreachable
from stream.settings import Settings

__all__ = ["PATIENCE", "ask", "redis_of"]

PATIENCE = 3.0
"""Seconds: somebody sits there and waits."""

T = TypeVar("T")


@asynccontextmanager
async def redis_of(settings: Settings) -> AsyncIterator[AnyRedis]:
    """Open the Redis of the settings for a command.

    Raises
    ------
    Unreachable
        Where it does not answer, or refuses.
    """
    impatient = settings.model_copy(update={"connect_timeout": min(PATIENCE, settings.connect_timeout)})
    try:
        redis = await open_redis(impatient, lambda line: typer.echo(line, err=True))
        try:
            yield redis
        finally:
            await redis.aclose()
    except exceptions.AuthenticationError as error:
        raise Unreachable(
            f"Redis at {shown(settings.redis)} does not let us in ({error}): put user and password into "
            "REFRAIN_REDIS, as redis://USER:PASSWORD@HOST:PORT/0"
        ) from error
    except exceptions.RedisError as error:
        raise Unreachable(
            f"Redis at {shown(settings.redis)} failed: {error}. `refrain doctor` looks why."
        ) from error


def ask(question: Callable[[AnyRedis, Settings], Awaitable[T]], *, kafka: bool = False) -> T:
    """Run what a command asks Redis, and return the answer."""
    settings = connected_settings(kafka=kafka)

    async def whole() -> T:
        async with redis_of(settings) as redis:
            return await question(redis, settings)

    return asyncio.run(whole())
