"""Snapshots of the model in Redis: versioned, self-describing, checked.

A snapshot is ``REFRAIN`` and a format byte, the SHA-256 of what follows, and a NumPy ``.npz`` archive
(`stream.stores.arrays_codec`) whose header has the settings, the version, when, how many clicks.
"""

from __future__ import annotations

import asyncio
import hashlib
import json

from models.model import Model
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged, SnapshotTooNew, UnknownSnapshot
from stream.stores import keys
from stream.stores.arrays_codec import pack_arrays, unpack_arrays
from stream.stores.sweeps import Sweeps

__all__ = ["KEPT", "Snapshots", "decode", "encode"]

MAGIC = b"REFRAIN"
FORMAT = 1
KEPT = 10
"""How many snapshots are kept."""


def encode(model: Model) -> bytes:
    """Return a model's snapshot."""
    body = pack_arrays(*model.to_arrays())
    return MAGIC + bytes([FORMAT]) + hashlib.sha256(body).digest() + body


def decode(snapshot: bytes, where: str = "the snapshot") -> Model:
    """Return the model of a snapshot.

    Raises
    ------
    SnapshotDamaged
        Where the bytes are not those that were written.
    SnapshotTooNew
        Where a newer Refrain wrote them.
    """
    start = len(MAGIC) + 1
    if len(snapshot) < start + 32 or not snapshot.startswith(MAGIC):
        raise SnapshotDamaged(f"{where} is no snapshot of a model")
    if snapshot[start - 1] < 1:
        raise SnapshotDamaged(f"{where} is of no format that there has ever been")
    if snapshot[start - 1] > FORMAT:
        raise SnapshotTooNew(
            f"{where} has format {snapshot[start - 1]}, this Refrain reads up to {FORMAT}",
            hint="Update it, or go back with `refrain model use VERSION`.",
        )
    body = snapshot[start + 32 :]
    if hashlib.sha256(body).digest() != snapshot[start : start + 32]:
        raise SnapshotDamaged(
            f"{where} is damaged: its checksum is wrong", hint="`refrain model list` shows the others."
        )
    try:
        return Model.from_arrays(*unpack_arrays(body))
    except (ValueError, KeyError) as error:
        raise SnapshotDamaged(f"{where} cannot be read ({error})") from error


class Snapshots:
    """The store of snapshots: the live one, and the last `KEPT`."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def next_version(self) -> int:
        """Return a version that no snapshot has had."""
        return int(await self._redis.incr(keys.MODEL_COUNTER))

    async def next_cohort(self) -> int:
        """Return the first number that no cohort has had, also of snapshots that cannot be read any more."""
        return int(await self._redis.get(keys.MODEL_NEXT_COHORT) or 1)

    async def current(self) -> int | None:
        """Return the version that serves, None before the first."""
        version = await self._redis.get(keys.MODEL_CURRENT)
        return int(version) if version else None

    async def load(self, version: int) -> Model:
        """Return the model of a version.

        Raises
        ------
        SnapshotUnusable
            Where it cannot be used, or is not there.
        """
        snapshot = await self._redis.get(keys.model(version))
        if snapshot is None:
            raise UnknownSnapshot(
                f"there is no snapshot {version} (the last {KEPT} are kept)",
                hint="`refrain model list` shows them.",
            )
        # In a thread: it takes some 40 ms, for which a release that comes would wait.
        return await asyncio.to_thread(decode, snapshot, f"snapshot {version}")

    async def publish(self, model: Model) -> None:
        """Write a snapshot, let it serve where none is pinned, and drop the oldest beyond `KEPT`."""
        await self.write(model)
        await self.serve(model.version)

    async def write(self, model: Model) -> None:
        """Write a snapshot; it does not serve yet. No later one has its version, or its cohorts' numbers."""
        if int(await self._redis.get(keys.MODEL_COUNTER) or 0) < model.version:  # a failover lost it
            await self._redis.set(keys.MODEL_COUNTER, model.version)
        await self._redis.set(keys.MODEL_NEXT_COHORT, model.next_cohort)
        await self._redis.set(keys.model(model.version), encode(model))
        await self._redis.hset(keys.MODELS_FORESIGHT, str(model.version), json.dumps(dict(model.validation)))
        await self._redis.zadd(keys.MODELS, {str(model.version): model.created_at})

    async def serve(self, version: int) -> None:
        """Let a snapshot serve where none is pinned, and drop the oldest beyond `KEPT`."""
        if await self.pinned() is None:
            await self._redis.set(keys.MODEL_CURRENT, version)
            if (chosen := await self.pinned()) is not None:  # by somebody, between the two
                await self._redis.set(keys.MODEL_CURRENT, chosen)
        serving = {await self.current(), await self.pinned()}
        kept = {version for version, _ in await self.versions()}
        for old in sorted(kept - serving)[: -(KEPT - len(serving & kept))]:
            await self._redis.delete(keys.model(old))
            await self._redis.zrem(keys.MODELS, str(old))
            await self._redis.hdel(keys.MODELS_FORESIGHT, str(old))

    async def use(self, version: int, *, pin: bool = False) -> None:
        """Let a version serve until the trainer publishes the next; pinned, until another is asked for."""
        if pin:
            await self._redis.set(keys.MODEL_PINNED, version)
        else:
            await self._redis.delete(keys.MODEL_PINNED)
        await self._redis.set(keys.MODEL_CURRENT, version)
        await Sweeps(self._redis).due()

    async def newest(self) -> int | None:
        """Return the newest version that is kept."""
        return max((version for version, _ in await self.versions()), default=None)

    async def pinned(self) -> int | None:
        """Return the version that somebody chose to serve for good; None where the trainer's next will."""
        version = await self._redis.get(keys.MODEL_PINNED)
        return int(version) if version else None

    async def sizes(self) -> dict[int, int]:
        """Return the bytes of each snapshot that is kept."""
        return {
            version: await self._redis.strlen(keys.model(version)) for version, _ in await self.versions()
        }

    async def foresight(self) -> dict[int, dict[str, float]]:
        """Return what each snapshot that is kept was published with (`Model.validation`)."""
        found = await self._redis.hgetall(keys.MODELS_FORESIGHT)
        return {int(version): json.loads(figures) for version, figures in found.items()}

    async def versions(self) -> list[tuple[int, float]]:
        """Return the versions that are kept and when they were made (Unix seconds), newest first."""
        found = await self._redis.zrange(keys.MODELS, 0, -1, withscores=True)
        # By version: trainers' clocks may differ.
        return sorted(((int(version), made) for version, made in found), reverse=True)
