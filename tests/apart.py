"""A coroutine in a thread of its own: that of the test may have a browser's event loop running."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["apart"]

T = TypeVar("T")


def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run it there, and return what it does."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result()
