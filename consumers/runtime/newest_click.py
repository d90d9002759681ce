"""When listeners clicked last: how far stored weights have grown since a model was learned."""

from __future__ import annotations

import time
from typing import Self

import numpy as np

from consumers.runtime.wiring import decay_of
from models.affinity import ForwardDecay
from stream.connect import AnyRedis
from stream.retry import Clock
from stream.settings import Settings
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners

__all__ = ["NewestClick"]

LOOK_SECONDS = 600.0
DRAWN = 1000  # listeners: the latest of them clicked within a day, where one in a thousand does so each day
STEP = 2.0**0.01  # a hundredth of a half-life: scores change by a sixth of a percent


class NewestClick:
    """Asks some listeners, now and then, when they clicked last.

    Not the clock: in a service at rest, or with a log of other years, stored weights do not grow.

    Parameters
    ----------
    decay
        How affinities fade.
    """

    def __init__(
        self, cohorts: Cohorts, listeners: Listeners, decay: ForwardDecay, clock: Clock = time.monotonic
    ) -> None:
        self._cohorts = cohorts
        self._listeners = listeners
        self._decay = decay
        self._clock = clock
        self._looked_at = -np.inf
        self._play_now = 0.0

    @classmethod
    def on(cls, redis: AnyRedis, settings: Settings) -> Self:
        """Make one that asks this Redis."""
        listeners = Listeners(redis)
        return cls(Cohorts(redis, listeners), listeners, decay_of(settings))

    async def play_now(self) -> float:
        """Return the stored weight of one play at the time of the newest click; 0 before there is any.

        It never falls, and changes once it has grown by `STEP`: much is made anew of a model that changes.
        """
        if self._clock() - self._looked_at >= LOOK_SECONDS:
            users = await self._cohorts.drawn(DRAWN)
            last_seen = (await self._listeners.clocks(users))[:, 0] if users else np.zeros(0)
            newest = last_seen[np.isfinite(last_seen)]
            if len(newest):
                found = self._decay.stored(1.0, float(newest.max()))
                self._play_now = found if found > STEP * self._play_now else self._play_now
            self._looked_at = self._clock()
        return self._play_now
