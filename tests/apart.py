"""A coroutine in a thread of its own: that of the test may have a browser's event loop running."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from stream.connect import AnyRedis

__all__ = ["WithRedis", "apart"]

T = TypeVar("T")
WithRedis = Callable[[Callable[[AnyRedis], Awaitable[object]]], object]
"""Runs something on the Redis of the test."""


def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it there, and return what it does."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()
