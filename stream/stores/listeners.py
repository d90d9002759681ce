"""Listeners in Redis: what they are, and one step that changes one of them wholly or not at all."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgpack
import numpy as np
import numpy.typing as npt
from redis.asyncio.cluster import RedisCluster
from redis.crc import key_slot

from models.listener import Listener
from models.update import Digest
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores import taste_codec as tastes
from stream.stores.scripts import Script

__all__ = ["Listeners", "Want"]

IN_A_SCRIPT = 80  # listeners: a script of so many holds Redis up for some 3 ms, and a release waits for it
TASTES_IN_A_SCRIPT = 250  # one after the other: a click or a release that comes waits for one of them
LANES = 12  # scripts on their way at once: a client of a cluster has 100 connections to a node
FIELDS = (
    "kept",  # how many artists: the script counts them
    "rev",
    "cohort",
    "cohort_since",
    "moved",
    "clicks",
    "first_seen",
    "last_seen",
    "bot",
    "hour",
)
TOO_MANY_TO_ASK = 500  # artists by name: the whole row is as cheap


@dataclass(frozen=True, slots=True)
class Want:
    """Which part of a listener is to be read: the offsets of these partitions, these artists' weights."""

    user_id: str
    partitions: Sequence[str] = ()
    artists: Sequence[str] = ()


def _keys(user_ids: Iterable[str]) -> list[bytes]:
    # As bytes: the client takes a third of the time to send them.
    return [keys.user(user_id).encode() for user_id in user_ids]


class Listeners:
    """The store of listeners. Works on a Redis and on a Redis Cluster.

    Parameters
    ----------
    redis
        The server.
    max_artists
        How many artists a listener keeps.
    """

    def __init__(self, redis: AnyRedis, max_artists: int) -> None:
        self.redis = redis
        self._max_artists = max_artists
        self._read, self._write = Script("read_listeners"), Script("write_listeners")
        self._rows, self._places = Script("read_rows"), Script("read_places")
        self._tastes = Script("read_tastes")
        self._lanes = asyncio.Semaphore(LANES)

    def _groups(self, user_ids: Sequence[str]) -> list[list[int]]:
        """Positions that one script may take together: on a cluster those in one slot."""
        positions = range(len(user_ids))
        if not isinstance(self.redis, RedisCluster):
            return [list(positions[at : at + IN_A_SCRIPT]) for at in range(0, len(user_ids), IN_A_SCRIPT)]
        slots = [key_slot(keys.user(user_id).encode()) for user_id in user_ids]
        ordered = sorted(positions, key=slots.__getitem__)
        return [list(group) for _, group in itertools.groupby(ordered, key=slots.__getitem__)]

    async def _each(self, work: Callable[[list[int]], Awaitable[None]], user_ids: Sequence[str]) -> None:
        """Do some work on all groups. On a cluster there is hardly more than one listener in a slot."""

        async def lane(group: list[int]) -> None:
            async with self._lanes:
                await work(group)

        await asyncio.gather(*map(lane, self._groups(user_ids)))

    async def read(
        self, wants: Sequence[Want], model: tuple[int, int] | None
    ) -> tuple[list[Listener], npt.NDArray[np.float64] | None]:
        """Read listeners as far as it is wanted.

        Parameters
        ----------
        wants
            What to read; one who is not there comes back with ``rev`` 0.
        model
            Version and dimensions of the live model, None where there is none. The row of a listener whose
            taste another model made is read whole.

        Returns
        -------
        The listeners, and their tastes (n, d), zero where stale or missing; None where there is no model.
        """
        first = tastes.head(*model) if model else b""
        found: list[Listener] = [Listener("")] * len(wants)
        matrix = np.zeros((len(wants), model[1])) if model else None

        async def one(group: list[int]) -> None:
            asked = [wants[position] for position in group]
            request = [
                [len(w.artists) > TOO_MANY_TO_ASK, _fields(w.partitions), self._ask(w.artists)] for w in asked
            ]
            answer = await self._read(
                self.redis,
                _keys(want.user_id for want in asked),
                msgpack.packb([first, self._max_artists, request], use_bin_type=False),
            )
            held = _unpack(answer)
            for position, want, each in zip(group, asked, held, strict=True):
                found[position] = _listener(want, each)
            if model is None or matrix is None:
                return
            packed = {at: each[1] for at, each in zip(group, held, strict=True) if each[1]}
            packed = {at: taste for at, taste in packed.items() if len(taste) == tastes.length(model[1])}
            for position, last in zip(packed, tastes.lately([*packed.values()], model[1]), strict=True):
                found[position].lately = last
            fresh = [at for at, taste in packed.items() if taste.startswith(first)]
            matrix[fresh] = tastes.unpack([packed[at] for at in fresh], model[1])

        await self._each(one, [want.user_id for want in wants])
        return found, matrix

    @staticmethod
    def _ask(artists: Sequence[str]) -> list[str]:
        return [] if len(artists) > TOO_MANY_TO_ASK else list(artists)

    async def write(self, digests: Sequence[Digest], version: int) -> list[Digest]:
        """Write what changed, each listener in one atomic step.

        Parameters
        ----------
        digests
            What became of listeners that `read` gave.
        version
            The model that made their tastes; of no account where they have none.

        Returns
        -------
        Those that somebody else has changed since they were read: they are to be read and digested again.
        """
        made = [(digest.taste, digest.listener.lately) for digest in digests if digest.taste is not None]
        rows = [taste for taste, _ in made]
        lately = [np.zeros(len(taste)) if last is None else last for taste, last in made]
        packed = iter(tastes.pack(np.stack(rows), np.stack(lately), version) if rows else ())
        changes = [_change(digest, next(packed) if digest.taste is not None else False) for digest in digests]
        refused: list[Digest] = []

        async def one(group: list[int]) -> None:
            answer = await self._write(
                self.redis,
                _keys(digests[position].listener.user_id for position in group),
                msgpack.packb([changes[position] for position in group], use_bin_type=False),
            )
            refused.extend(digests[group[at - 1]] for at in answer)

        await self._each(one, [digest.listener.user_id for digest in digests])
        return refused

    async def rows(self, user_ids: Sequence[str], top: int) -> list[tuple[list[str], list[float]]]:
        """Return the `top` strongest artists of listeners and their stored weights; nothing of a bot's."""
        rows: list[tuple[list[str], list[float]]] = [([], [])] * len(user_ids)

        async def one(group: list[int]) -> None:
            answer = _unpack(await self._rows(self.redis, _keys(user_ids[at] for at in group), top))
            for at, pairs in zip(group, answer, strict=True):
                rows[at] = ([name.decode() for name in pairs[::2]], [float(w) for w in pairs[1::2]])

        await self._each(one, user_ids)
        return rows

    async def tastes(self, user_ids: Sequence[str], dims: int) -> tuple[list[str], npt.NDArray[np.float64]]:
        """Return the tastes (n, d) of those listeners who have one of these dimensions, and who they are.

        Models are aligned, so a taste that an earlier one made may stand beside the others.
        """
        length, size = tastes.length(dims), tastes.size(dims)
        if not isinstance(self.redis, RedisCluster):
            users, parts = [], []
            for at in range(0, len(user_ids), TASTES_IN_A_SCRIPT):
                asked = list(user_ids[at : at + TASTES_IN_A_SCRIPT])
                packed, positions = await self._tastes(
                    self.redis, [], msgpack.packb(asked, use_bin_type=False), length, size
                )
                users += [asked[position - 1] for position in msgpack.unpackb(positions)]
                parts.append(packed)
            return users, tastes.sums(b"".join(parts), dims)
        pipeline = self.redis.pipeline(transaction=False)
        for user_id in user_ids:
            pipeline.get(keys.user_taste(user_id))
        found = await pipeline.execute() if user_ids else []
        held = [(user, taste) for user, taste in zip(user_ids, found, strict=True) if taste]
        held = [(user, taste) for user, taste in held if len(taste) == length]
        return [user for user, _ in held], tastes.unpack([taste for _, taste in held], dims)

    async def about(self, user_id: str) -> dict[str, str]:
        """Return the listener's hash, empty where there is no such listener."""
        found = await self.redis.hgetall(keys.user(user_id))
        return {field.decode(): value.decode() for field, value in found.items()}

    async def strongest(self, user_id: str, top: int) -> tuple[list[tuple[str, float]], int]:
        """Return the listener's `top` artists and their stored weights, best first, and how many are kept."""
        found = await self.redis.zrange(keys.user_artists(user_id), 0, top - 1, desc=True, withscores=True)
        return [(artist.decode(), weight) for artist, weight in found], await self.redis.zcard(
            keys.user_artists(user_id)
        )

    async def forget(self, user_id: str) -> bool:
        """Erase a listener's own keys, all in one step. False: there were none."""
        own = keys.user(user_id), keys.user_artists(user_id), keys.user_taste(user_id)
        return bool(await self.redis.delete(*own))

    async def placed(self, user_ids: Sequence[str]) -> list[Listener]:
        """Read of listeners no more than their cohort and the move that brought them there."""
        found: list[Listener] = [Listener("")] * len(user_ids)

        async def one(group: list[int]) -> None:
            answer = await self._places(self.redis, _keys(user_ids[at] for at in group))
            for at, (rev, cohort, since, moved) in zip(group, answer, strict=True):
                found[at] = Listener(user_ids[at])
                if rev:
                    place, _, origin = moved.decode().partition(" ")
                    found[at] = Listener(user_ids[at], int(rev), cohort.decode(), origin, float(since), place)

        await self._each(one, user_ids)
        return found


def _unpack(answer: bytes) -> list[Any]:
    unpacked: list[Any] = msgpack.unpackb(answer, raw=True)
    return unpacked


def _fields(partitions: Sequence[str]) -> list[str]:
    return [*FIELDS, *(f"o:{partition}" for partition in partitions)]


def _listener(want: Want, held: list[Any]) -> Listener:
    fields, _, whole, affinities = held
    _, rev, cohort, since, moved, clicks, first, last, bot, hour, *offsets = fields
    if not rev:
        return Listener(want.user_id, whole=True)
    place, _, cohort_from = moved.decode().partition(" ")
    of_hour, _, hour_clicks = hour.partition(b" ")
    return Listener(
        want.user_id,
        int(rev),
        cohort.decode(),
        cohort_from,
        float(since),
        place,
        int(clicks),
        float(first),
        float(last),
        bot == b"1",
        int(of_hour),
        int(hour_clicks),
        {p: int(offset) for p, offset in zip(want.partitions, offsets, strict=True) if offset},
        _weights(want.artists, affinities, bool(whole)),
        bool(whole),
    )


def _weights(asked: Sequence[str], affinities: list[Any], whole: bool) -> dict[str, float]:
    if whole:
        pairs = iter(affinities)
        return {name.decode(): float(weight) for name, weight in zip(pairs, pairs, strict=True)}
    return {name: float(weight) for name, weight in zip(asked, affinities, strict=True) if weight}


def _change(digest: Digest, taste: bytes | bool) -> list[object]:
    # Numbers go as text: Redis takes five times as long to write them out as Python does.
    listener = digest.listener
    fields = ["clicks", str(listener.clicks), "last_seen", repr(listener.last_seen)]
    fields += ["first_seen", repr(listener.first_seen), "hour", f"{listener.hour} {listener.hour_clicks}"]
    for partition, offset in listener.offsets.items():
        fields += (f"o:{partition}", str(offset))
    if listener.bot or listener.rev == 0:
        fields += ("bot", str(int(listener.bot)))
    if digest.moves or listener.rev == 0:
        fields += ("cohort", listener.cohort, "cohort_since", repr(listener.cohort_since))
        fields += ("moved", f"{listener.moved} {listener.cohort_from}")
    affinities = [part for name, weight in digest.affinities.items() for part in (repr(weight), name)]
    return [listener.rev, fields, affinities, digest.dropped, taste]
