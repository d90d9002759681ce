"""How far the sweep is: it takes every listener over to the model that serves, in the background."""

from __future__ import annotations

from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["Sweep", "Sweeps"]


@dataclass(frozen=True)
class Sweep:
    """A sweep, under way or done.

    Attributes
    ----------
    version
        Of the model that listeners are migrated to.
    met
        Listeners met so far.
    listeners
        How many there were when it began.
    began_at
        Unix seconds.
    done
        The version that everybody is migrated to: `version`, or 0 while it is under way.
    """

    version: int
    met: int
    listeners: int
    began_at: float
    done: int


class Sweeps:
    """The store of the one sweep that there is."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def now(self) -> Sweep | None:
        """Return the sweep under way, or else the last; None before the first."""
        found = await self._redis.hgetall(keys.MODEL_SWEEP)
        if not found:
            return None
        met, listeners = int(found[b"met"]), int(found[b"listeners"])
        # Who moves meanwhile into a cohort that comes later is met twice, and listeners are born.
        return Sweep(
            int(found[b"version"]),
            min(met, listeners),
            listeners,
            float(found[b"began_at"]),
            int(found.get(b"done", 0)),
        )

    async def done(self) -> int:
        """Return the version that everybody is migrated to, 0 while a sweep is due or under way."""
        return int(await self._redis.hget(keys.MODEL_SWEEP, "done") or 0)

    async def due(self) -> None:
        """Note that another model may have served meanwhile: listeners are to be met once more."""
        await self._redis.hdel(keys.MODEL_SWEEP, "done")

    async def begin(self, version: int, listeners: int, now: float) -> None:
        """Note that a sweep begins, from the first listener, and how many there are."""
        fields: dict[str, int | float] = {
            "version": version,
            "met": 0,
            "listeners": listeners,
            "began_at": now,
            "done": 0,
        }
        await self._redis.hset(keys.MODEL_SWEEP, mapping=fields)

    async def add(self, met: int) -> None:
        """Note that so many more were met."""
        await self._redis.hincrby(keys.MODEL_SWEEP, "met", met)

    async def passed(self, cohort: str) -> None:
        """Note that all members of a cohort were met."""
        await self._redis.hset(keys.MODEL_SWEEP, "passed", cohort)

    async def last(self) -> str:
        """Return the cohort whose members were met last, in this sweep or the one before."""
        return (await self._redis.hget(keys.MODEL_SWEEP, "passed") or b"").decode()

    async def end(self, version: int) -> None:
        """Note that everybody is migrated to a version."""
        sweep = await self.now()
        met = {"met": sweep.listeners} if sweep else {}
        await self._redis.hset(keys.MODEL_SWEEP, mapping={"done": version, **met})
