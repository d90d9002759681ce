"""A command's way to Redis: the settings' or that of `refrain up`, with a word while it waits."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import typer

from consumers.local.servers import connected_settings
from consumers.runtime.session import redis_session
from consumers.terminal.console import Terminal
from stream.connect import AnyRedis
from stream.settings import Settings

__all__ = ["ask", "working"]

T = TypeVar("T")


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that something goes on, on standard error where that is a terminal."""
    console = Terminal(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(what):
        yield


def ask(
    question: Callable[[AnyRedis, Settings], Awaitable[T]],
    *,
    kafka: bool = False,
    while_asking: str = "asking Redis",
) -> T:
    """Run a query or an action on Redis, and return its answer.

    Parameters
    ----------
    kafka
        Whether the command needs Kafka, too.
    while_asking
        What is shown meanwhile; "" where the question shows its own progress.
    """
    settings = connected_settings(kafka=kafka)

    async def whole() -> T:
        async with redis_session(settings, lambda line: typer.echo(line, err=True)) as redis:
            return await question(redis, settings)

    if not while_asking:
        return asyncio.run(whole())
    with working(while_asking):
        return asyncio.run(whole())
