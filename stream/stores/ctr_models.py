"""CTR models, in Redis: the last ten and those under test, which serves, what the trainer goes on from."""

from __future__ import annotations

import base64
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from models.ctr import CtrModel
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged, UnknownSnapshot
from stream.retry import Clock
from stream.stores import keys
from stream.stores.arrays_codec import pack_arrays, unpack_arrays

__all__ = ["KEPT", "CtrModels", "Learned", "LearnedRelease", "flags_of", "packed_flags"]

Flags = npt.NDArray[np.bool_]

KEPT = 10
TESTED_SECONDS = 86_400.0  # for which a version is kept after a worker last said that it is under test


class LearnedRelease(NamedTuple):
    """What was learned of a release.

    Attributes
    ----------
    times
        How often it was looked at: 1, 2.
    clicked
        Which of its decisions were learned as clicked, by number.
    known
        How many decisions there were when it was learned; 0 where nothing was reported of it.
    planned_at
        When it was planned, in Unix seconds; 0: it is not known.
    unsent
        Which of these decisions were not learned, by `packed_flags`: it was not known that anything was sent.
        By number, as `clicked`, where an earlier version of Refrain wrote it.
    held_out
        Whether listeners who judge models were not learned from.
    """

    times: int = 0
    clicked: Sequence[int] = ()
    known: int = 0
    planned_at: float = 0.0
    unsent: str | Sequence[int] = ()
    held_out: bool = False


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

    def __init__(self, redis: AnyRedis, clock: Clock = time.time) -> None:
        self._redis = redis
        self._clock = clock

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
                f"there is no CTR model {version} (the last {KEPT} are kept, and those under test)",
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
        """Keep a version and let it serve; drop the oldest beyond `KEPT`.

        Neither the one that serves is dropped, nor those under test.
        """
        await self._redis.hset(keys.CTR_MODELS, str(model.version), _packed(model, {}))
        await self._redis.set(keys.CTR_MODEL_CURRENT, model.version)
        serving = await self.current()
        others = [version for version in await self.versions() if version != serving]
        tested = await self._tested()
        for old in others[KEPT - 1 :]:
            if old not in tested:
                await self._redis.hdel(keys.CTR_MODELS, str(old))

    async def keep_for_test(self, version: int) -> None:
        """Keep a version for `TESTED_SECONDS` more, whatever comes after it: an A/B test compares with it."""
        await self._redis.zadd(keys.CTR_MODELS_TESTED, {str(version): self._clock()})

    async def _tested(self) -> set[int]:
        since = self._clock() - TESTED_SECONDS
        await self._redis.zremrangebyscore(keys.CTR_MODELS_TESTED, "-inf", since)
        return {int(version) for version in await self._redis.zrange(keys.CTR_MODELS_TESTED, 0, -1)}

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


def packed_flags(flags: Flags) -> str:
    """Return as text which of n are true, a bit each: there may be a million, of each of many releases.

    Examples
    --------
    >>> flags_of(packed_flags(np.array([True, False, True])), 3)
    array([ True, False,  True])
    """
    return base64.b64encode(zlib.compress(np.packbits(flags).tobytes())).decode()


def flags_of(packed: str | Sequence[int], n: int) -> Flags:
    """Return which of n are true, by `packed_flags`, or by their numbers."""
    if isinstance(packed, str):
        bits = np.frombuffer(zlib.decompress(base64.b64decode(packed)), dtype=np.uint8)
        return np.unpackbits(bits, count=n).astype(bool)
    flags = np.zeros(n, dtype=bool)
    flags[list(packed)] = True
    return flags


def _packed(model: CtrModel, releases: Mapping[str, Any]) -> bytes:
    header, arrays = model.to_arrays()
    return pack_arrays({**header, "releases": dict(releases)}, arrays)


def _unpacked(packed: bytes, where: str) -> tuple[CtrModel, dict[str, Any]]:
    try:
        header, arrays = unpack_arrays(packed)
        return CtrModel.from_arrays(header, arrays), header.get("releases", {})
    except (ValueError, KeyError) as error:
        raise SnapshotDamaged(f"{where} cannot be read ({error})") from error
