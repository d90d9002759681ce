"""The lifecycle of all listeners, which takes long to add up: an answer serves for some minutes."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from consumers.queries.lifecycle import Lifecycle, read_lifecycle
from stream.connect import AnyRedis
from stream.settings import Settings

__all__ = ["Lifecycles"]

KEPT_SECONDS = 600.0


@dataclass
class _Answer:
    task: asyncio.Task[Lifecycle]
    began: float


class Lifecycles:
    """Adds up when asked, once for everybody who asks meanwhile."""

    def __init__(self, redis: AnyRedis, settings: Settings) -> None:
        self._redis, self._settings = redis, settings
        self._answers: dict[int, _Answer] = {}

    async def of(self, weeks: int) -> Lifecycle:
        """Return the answer, at most `KEPT_SECONDS` old; see `consumers.queries.lifecycle.read_lifecycle`."""
        return await asyncio.shield(self._begin(weeks))

    def at_hand(self, weeks: int) -> Lifecycle | None:
        """Return the answer where there is one already; else begin to add it up.

        Raises
        ------
        Exception
            Whatever adding up has failed with; the next to ask begins anew.
        """
        task = self._begin(weeks)
        return task.result() if task.done() else None

    async def close(self) -> None:
        """Add up nothing more."""
        tasks = [answer.task for answer in self._answers.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _begin(self, weeks: int) -> asyncio.Task[Lifecycle]:
        kept = self._answers.get(weeks)
        old = kept is None or time.monotonic() - kept.began > KEPT_SECONDS
        if kept is None or old or _failed(kept.task):
            reading = read_lifecycle(self._redis, self._settings, weeks, time.time())
            kept = self._answers[weeks] = _Answer(asyncio.create_task(reading), time.monotonic())
        return kept.task


def _failed(task: asyncio.Task[Lifecycle]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
