"""A command's way to Redis: opened without long patience, and what goes wrong said in a sentence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

import typer
from redis import exceptions
from rich.console import Console

from consumers.local.servers import connected_settings
from stream.connect import AnyRedis, open_redis, shown
from stream.errors import Unreachable
from stream.settings import Settings

__all__ = ["PATIENCE", "ask", "redis_of", "working"]

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


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something goes on, on standard error where that is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


def ask(question: Callable[[AnyRedis, Settings], Awaitable[T]], *, kafka: bool = False) -> T:
    """Run what a command asks Redis, and return the answer."""
    settings = connected_settings(kafka=kafka)

    async def whole() -> T:
        async with redis_of(settings) as redis:
            return await question(redis, settings)

    with working("asking Redis"):
        return asyncio.run(whole())
