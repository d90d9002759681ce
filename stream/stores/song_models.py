"""Song models in Redis: the one that serves, in pieces, so that none holds Redis up for long."""

from __future__ import annotations

import asyncio
import hashlib

from models.songs import SongModel
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged, SnapshotPartial
from stream.stores import keys
from stream.stores.arrays_codec import pack_arrays, unpack_arrays
from stream.stores.scripts import Script

__all__ = ["SongModels"]

PIECE = 1_000_000  # bytes
TRIES = 3  # at reading one that is replaced meanwhile
READ_SECONDS = 60  # for so long one that is replaced may still be read
WRITE_SECONDS = 600  # for so long a piece may wait for the next; who dies between two leaves them no longer
SUM = "sha256"
BEFORE = "before"
HINT = "The trainer's next one replaces it."


class SongModels:
    """The store of song models.

    One serves; the one before it stays for a minute, for whoever is just reading it.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self._serve = Script("serve_songs")

    async def current(self) -> int | None:
        """Return the version that serves; None before the first."""
        version = await self._redis.get(keys.SONG_MODEL_CURRENT)
        return int(version) if version else None

    async def plays(self) -> int:
        """Return how many pairs of listener and song the one that serves was learned from; 0 before it."""
        return int(await self._said("plays") or 0)

    async def made_at(self) -> float:
        """Return when the one that serves was made, in Unix seconds; 0 before it, or where it is damaged."""
        if said := await self._said("created_at"):
            return float(said)
        try:  # of a version of Refrain that wrote it into the model alone
            model = await self.load()
        except SnapshotDamaged:
            model = None
        return model.created_at if model else 0.0

    async def _said(self, field: str) -> bytes | None:
        version = await self.current()
        if version is None:
            return None
        said: bytes | None = await self._redis.hget(keys.song_model(version), field)
        return said

    async def load(self) -> SongModel | None:
        """Return the song model that serves; None before the first.

        Raises
        ------
        SnapshotDamaged
            Where its bytes are not those that were written; `SnapshotPartial`: where some are not there.
        """
        for _ in range(TRIES):
            if (version := await self.current()) is None:
                return None
            about = await self._redis.hmget(keys.song_model(version), ["pieces", SUM])
            if about[0] is None:
                continue  # replaced since it was asked for
            pieces = [
                await self._redis.hget(keys.song_model(version), str(number))
                for number in range(int(about[0]))
            ]
            if all(pieces):
                # In a thread: it takes long enough for a release to notice.
                return await asyncio.to_thread(_unpacked, b"".join(pieces), about[1], version)
        raise SnapshotPartial(f"song model {version} is there in part only", hint=HINT)

    async def publish(self, model: SongModel) -> None:
        """Write a song model and let it serve in place of the one before it.

        It may serve already: whoever reads it while it is written again reads the same. Where another comes
        to serve meanwhile, that is of a trainer that leads by now, and it goes on serving.
        """
        packed = await asyncio.to_thread(lambda: pack_arrays(*model.to_arrays()))
        key, serves = keys.song_model(model.version), await self.current()
        await self._let_go_before(serves)  # whoever published that may have died before it did
        new = serves != model.version
        if new:
            await self._redis.delete(key)
        pieces = [packed[at : at + PIECE] for at in range(0, len(packed), PIECE)]
        for number, piece in enumerate(pieces):
            await self._redis.hset(key, str(number), piece)
            if new:
                await self._redis.expire(key, WRITE_SECONDS)
        digest = hashlib.sha256(packed).hexdigest()
        about = {
            "pieces": len(pieces),
            SUM: digest,
            "plays": model.plays,
            "created_at": repr(model.created_at),
        }
        if new and serves is not None:
            about[BEFORE] = serves
        await self._redis.hset(key, mapping=about)
        await self._redis.persist(
            key
        )  # also of one that serves: a replica that took over may not have had it
        if new:
            read = "" if serves is None else serves
            if not await self._serve(self._redis, [keys.SONG_MODEL_CURRENT], read, model.version):
                await self._redis.expire(key, READ_SECONDS)
                return
        await self._let_go_before(model.version)

    async def _let_go_before(self, serves: int | None) -> None:
        """Let the song model expire that the one which serves has replaced."""
        before = serves is not None and await self._redis.hget(keys.song_model(serves), BEFORE)
        if before:
            await self._redis.expire(keys.song_model(int(before)), READ_SECONDS)


def _unpacked(packed: bytes, digest: bytes, version: int) -> SongModel:
    if hashlib.sha256(packed).hexdigest().encode() != digest:
        raise SnapshotDamaged(f"song model {version} is damaged: its checksum is wrong", hint=HINT)
    try:
        return SongModel.from_arrays(*unpack_arrays(packed))
    except (ValueError, KeyError) as error:
        raise SnapshotDamaged(f"song model {version} cannot be read ({error})", hint=HINT) from error
