"""Who was told of a release and what they did, listener by listener, read piece by piece."""

from __future__ import annotations

from typing import NamedTuple

from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["Did", "ReleaseListeners", "ToldOf"]

SCAN = 1000


class ToldOf(NamedTuple):
    """A listener of a release.

    Attributes
    ----------
    part
        As `stream.stores.keys.release_parts` has it; "" for the first wave and the usual policy.
    control
        Whether they were drawn for comparison, and are not told.
    """

    user_id: str
    cohort: str
    part: str
    control: bool


class Did(NamedTuple):
    """What a listener did when told of a release.

    Attributes
    ----------
    implied
        Whether it is known only from what follows it: who clicked was sent it.
    """

    user_id: str
    kind: str
    implied: bool


class ReleaseListeners:
    """The listeners of releases. Large hashes are scanned, so that Redis is never held up."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def told(self, release_id: str) -> list[ToldOf]:
        """Return who was told of a release, and who was not for comparison."""
        parts = await self._hash(keys.release_parts(release_id))
        told = await self._hash(keys.release_told(release_id))
        control = await self._hash(keys.release_control(release_id))
        return [
            *(ToldOf(user, cohort, parts.get(user, ""), control=False) for user, cohort in told.items()),
            *(ToldOf(user, cohort, "", control=True) for user, cohort in control.items()),
        ]

    async def did(self, release_id: str) -> list[Did]:
        """Return what listeners did when told, each kind once."""
        found = []
        for field, place in (await self._hash(keys.release_seen(release_id))).items():
            user, _, kind = field.rpartition("}")
            found.append(Did(user, kind, place.startswith("!")))
        return found

    async def _hash(self, key: str) -> dict[str, str]:
        return {
            field.decode(): value.decode() async for field, value in self._redis.hscan_iter(key, count=SCAN)
        }
