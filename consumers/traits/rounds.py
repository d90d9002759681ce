"""Everybody in turn: stages change also while nobody clicks."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from consumers.runtime.rests import Rests
from consumers.traits.scorer import Scorer
from stream.retry import Retry
from stream.stores.cohorts import Cohorts
from stream.stores.heartbeats import Heartbeat

__all__ = ["Rounds"]

SHARE = 0.1  # of a core
CHUNK = 200  # listeners


class Rounds:
    """Scores all listeners round and round, at a tenth of the time; a round begins anywhere.

    Parameters
    ----------
    minutes
        From the beginning of a round to that of the next, at least.
    keep
        Is awaited now and then: writes what was learned.
    """

    def __init__(
        self,
        scorer: Scorer,
        cohorts: Cohorts,
        heartbeat: Heartbeat,
        stop: asyncio.Event,
        retry: Retry,
        minutes: float,
        keep: Callable[[], Awaitable[None]],
    ) -> None:
        self._scorer = scorer
        self._cohorts = cohorts
        self._heartbeat = heartbeat
        self._stop = stop
        self._retry = retry
        self._seconds = 60.0 * minutes
        self._keep = keep
        self._rests = Rests(SHARE)
        self._again = asyncio.Event()
        self._random = random.Random()  # noqa: S311 - where to begin, not a secret

    def again(self) -> None:
        """Begin the next round at once: more is known than in this one, or in the last."""
        self._again.set()

    async def run(self) -> None:
        """Go round until asked to stop."""
        while not self._stop.is_set():
            began = time.monotonic()
            self._again.clear()
            await self._retry("scoring everybody", self._round)
            self._heartbeat.add("rounds")
            self._heartbeat.gauges["round_at"] = time.time()
            rest = self._seconds - (time.monotonic() - began)
            waits = [asyncio.ensure_future(self._stop.wait()), asyncio.ensure_future(self._again.wait())]
            await asyncio.wait(waits, timeout=max(rest, 0.0), return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    async def _round(self) -> None:
        # Everybody is in the set of one cohort. Who moves meanwhile has clicked, and is scored for that.
        cohorts = await self._retry("asking for cohorts", self._cohorts.all)
        first = self._random.randrange(len(cohorts))
        for cohort in cohorts[first:] + cohorts[:first]:
            async for users in self._cohorts.members(cohort):
                for at in range(0, len(users), CHUNK):
                    if self._stop.is_set():
                        return
                    chunk, began = users[at : at + CHUNK], time.monotonic()
                    await self._scorer.score(chunk)
                    await asyncio.sleep(self._rests.after(time.monotonic() - began, len(chunk)))
                await self._retry("writing what is learned of the next week", self._keep)
