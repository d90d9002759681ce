"""CTR models, in Redis: the last ten, which of them serves, and what the trainer goes on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from models.ctr import CtrModel
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged, UnknownSnapshot
from stream.stores import keys
from stream.stores.arrays_codec import pack_arrays, unpack_arrays

__all__ = ["KEPT", "CtrModels", "Learned", "LearnedRelease"]

KEPT = 10


class LearnedRelease(NamedTuple):
    """What was learned of a release.

    Attributes
    ----------
    times
        How often it was looked at: 1, 2.
    clicked
        Which of its decisions were learned as clicked, by number.
    known
        How many decisions were learned; 0 where nothing was reported of it.
    planned_at
        When it was planned, in Unix seconds; 0: it is not known.
    """

    times: int = 0
    clicked: Sequence[int] = ()
    known: int = 0
    planned_at: float = 0.0


@dataclass(frozen=True)
class Learned:
    """What the trainer goes on from: written in one step with what it was learned from.

    Attributes
    ----------
    model
        With all that is learned so far, also where an older one serves.
    releases
        The releases that it was learned from.
    """

    model: CtrModel = field(default_factory=CtrModel)
    releases: Mapping[str, LearnedRelease] = field(default_factory=dict)


class CtrModels:
    """The store of CTR models."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def current(self) -> int:
        """Return the version that serves; 0 while none does."""
        return int(await self._redis.get(keys.CTR_MODEL_CURRENT) or 0)

    async def load(self, version: int) -> CtrModel:
        """Return a version.

        Raises
        ------
        SnapshotUnusable
            Where it cannot be used, or is not there.
        """
        if version == 0:
            return CtrModel()
        packed = await self._redis.hget(keys.CTR_MODELS, str(version))
        if packed is None:
            raise UnknownSnapshot(
                f"there is no CTR model {version} (the last {KEPT} are kept)",
                hint="`refrain model clicks` lists them.",
            )
        return _unpacked(packed, f"CTR model {version}")[0]

    async def versions(self) -> list[int]:
        """Return the versions that are kept, the newest first."""
        return sorted((int(version) for version in await self._redis.hkeys(keys.CTR_MODELS)), reverse=True)

    async def last_version(self) -> int:
        """Return the last version that is known to have been given out; 0 where none is."""
        return max(await self.current(), *await self.versions(), 0)

    async def publish(self, model: CtrModel) -> None:
        """Keep a version and let it serve; drop the oldest beyond `KEPT`, but never the one that serves."""
        await self._redis.hset(keys.CTR_MODELS, str(model.version), _packed(model, {}))
        await self._redis.set(keys.CTR_MODEL_CURRENT, model.version)
        serving = await self.current()
        others = [version for version in await self.versions() if version != serving]
        for old in others[KEPT - 1 :]:
            await self._redis.hdel(keys.CTR_MODELS, str(old))

    async def use(self, version: int) -> None:
        """Let a version that is kept serve, until the trainer publishes the next."""
        await self._redis.set(keys.CTR_MODEL_CURRENT, version)

    async def learned(self) -> Learned:
        """Return what the trainer goes on from.

        Raises
        ------
        SnapshotDamaged
            Where it cannot be read.
        """
        packed = await self._redis.get(keys.CTR_LEARNED)
        if packed is None:
            return Learned()
        model, releases = _unpacked(packed, "what was learned of clicks")
        return Learned(model, {name: LearnedRelease(*entry) for name, entry in releases.items()})

    async def keep(self, learned: Learned) -> None:
        """Write what the trainer goes on from."""
        releases = {name: list(entry) for name, entry in learned.releases.items()}
        await self._redis.set(keys.CTR_LEARNED, _packed(learned.model, releases))


def _packed(model: CtrModel, releases: Mapping[str, Any]) -> bytes:
    header, arrays = model.to_arrays()
    return pack_arrays({**header, "releases": dict(releases)}, arrays)


def _unpacked(packed: bytes, where: str) -> tuple[CtrModel, dict[str, Any]]:
    try:
        header, arrays = unpack_arrays(packed)
        return CtrModel.from_arrays(header, arrays), header.get("releases", {})
    except (ValueError, KeyError) as error:
        raise SnapshotDamaged(f"{where} cannot be read ({error})") from error
