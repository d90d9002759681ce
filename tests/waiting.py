"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

__all__ = ["DEADLINE", "wait_for", "wait_for_it"]

T = TypeVar("T")

DEADLINE = 90.0
"""Seconds: far more than anything here needs, also on a machine that has other things to do."""

PAUSE = 0.02


def wait_for(condition: Callable[[], T], what: str, timeout: float = DEADLINE) -> T:
    """Poll until `condition` gives something true, and return that; an AssertionError when the time is up."""
    give_up = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < give_up, f"it never came: {what}; at the end: {found!r}"
        time.sleep(PAUSE)
    return found


async def wait_for_it(condition: Callable[[], Awaitable[T]], what: str) -> T:
    """Poll as `wait_for` does, in a test that is a coroutine."""
    give_up = time.monotonic() + DEADLINE
    while not (found := await condition()):
        assert time.monotonic() < give_up, f"it never came: {what}; at the end: {found!r}"
        await asyncio.sleep(PAUSE)
    return found
