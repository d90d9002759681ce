"""What the doctor looks at in the affinities: whether the half-life is the one they were stored with."""

from __future__ import annotations

from consumers.doctor.check import Check
from models.affinity import ForwardDecay
from stream.connect import AnyRedis
from stream.errors import DecayChanged
from stream.settings import Settings
from stream.stores import keys
from stream.stores.guards import guard_decay

__all__ = ["check_half_life"]


async def check_half_life(redis: AnyRedis, settings: Settings) -> Check:
    """Look whether Redis and the settings agree on the half-life."""
    name, found = "half-life", f"a click counts half after {settings.half_life_days:g} days"
    if not await redis.exists(keys.DECAY):
        return Check.fine(name, found)
    try:
        await guard_decay(redis, ForwardDecay(half_life=settings.half_life))
    except DecayChanged as error:
        return Check.wrong(name, str(error), error.hint)
    return Check.fine(name, f"{found}, in Redis as in the settings")
