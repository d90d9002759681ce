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

SHORTEST, LONGEST = 0.01, 0.1
"""Seconds between two looks, more of them the longer it takes: to look takes time from what is waited for."""


def wait_for(condition: Callable[[], T], what: str, timeout: float = DEADLINE) -> T:
    """Poll until `condition` gives something true, and return that; an AssertionError when the time is up."""
    began = time.monotonic()
    while not (found := condition()):
        waited = time.monotonic() - began
        assert waited < timeout, f"it never came: {what}; at the end: {found!r}"
        time.sleep(_pause(waited))
    return found


async def wait_for_it(condition: Callable[[], Awaitable[T]], what: str) -> T:
    """Poll as `wait_for` does, in a test that is a coroutine."""
    began = time.monotonic()
    while not (found := await condition()):
        waited = time.monotonic() - began
        assert waited < DEADLINE, f"it never came: {what}; at the end: {found!r}"
        await asyncio.sleep(_pause(waited))
    return found


def _pause(waited: float) -> float:
    return min(max(0.05 * waited, SHORTEST), LONGEST)
