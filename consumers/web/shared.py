"""An answer that takes long: worked out once for everybody who asks meanwhile, and kept for a while."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["Shared"]

T = TypeVar("T")


class Shared(Generic[T]):
    """An answer, of which at most one is worked out at a time.

    Parameters
    ----------
    work_out
        Works it out.
    kept_seconds
        For how long it serves, from when it was there: counted from when it was begun, one that takes longer
        than that would never serve anybody.
    """

    def __init__(self, work_out: Callable[[], Coroutine[Any, Any, T]], kept_seconds: float) -> None:
        self._work_out, self._kept_seconds = work_out, kept_seconds
        self._task: asyncio.Task[T] | None = None
        self._there_at = 0.0

    async def get(self) -> T:
        """Return the answer; wait for it where there is none."""
        return await asyncio.shield(self._begin())

    def at_hand(self) -> T | None:
        """Return the answer where there is one already; else begin to work it out.

        Raises
        ------
        Exception
            Whatever that has failed with; the next to ask begins again.
        """
        if self._task is not None and _failed(self._task):
            failed, self._task = self._task, None
            return failed.result()
        task = self._begin()
        return task.result() if task.done() else None

    async def close(self) -> None:
        """Work out nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _begin(self) -> asyncio.Task[T]:
        task = self._task
        if task is None or (task.done() and (_failed(task) or self._old())):
            task = self._task = asyncio.create_task(self._timed())
        return task

    def _old(self) -> bool:
        return time.monotonic() - self._there_at > self._kept_seconds

    async def _timed(self) -> T:
        answer = await self._work_out()
        self._there_at = time.monotonic()
        return answer


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
