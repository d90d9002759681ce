"""Who was told of a release and what was known of them then, until it is learned who clicked."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgpack
import numpy as np
import numpy.typing as npt

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.scripts import Call

__all__ = ["Decisions", "Outcome", "learn", "packed", "without"]

Halves = npt.NDArray[np.float16]
Singles = npt.NDArray[np.float32]

SCAN = 1000


def packed(user_ids: Sequence[str], features: Singles) -> bytes:
    """Pack who is on a page, and what was known of them, shape (n, d) (`models.ctr.features`)."""
    record: bytes = msgpack.packb([list(user_ids), features.astype(np.float16).tobytes()])
    return record


def without(record: bytes, user_ids: Collection[str]) -> bytes | None:
    """Return a packed page without those listeners: their places are nobody's. None: none is on it."""
    users, features = msgpack.unpackb(record)
    if not set(user_ids).intersection(users):
        return None
    rest: bytes = msgpack.packb([["" if user in user_ids else user for user in users], features])
    return rest


def learn(release_id: str, at: float) -> Call:
    """Return the call that has it learned at a time (Unix seconds), or later, who clicked."""
    return Call("ZADD", [keys.RELEASES_TO_LEARN], ["GT", at, release_id])


@dataclass(frozen=True, eq=False)
class Outcome:
    """The decisions of a release, and what came of them.

    Attributes
    ----------
    user_ids
        n listeners.
    features
        Shape (n, d), what was known of each.
    sent, clicked
        Shape (n,). Nobody, where nothing at all is reported: that says nothing of who would click.
    told_early, clicked_early
        Of a release in waves, how many had been told when the second was due, and how many of these had
        clicked by then; else 0. They are the first of `user_ids`.
    planned_at
        When the release was planned, in Unix seconds: by it one is known from a later one of the same id.
    """

    user_ids: tuple[str, ...]
    features: Singles
    sent: npt.NDArray[np.bool_]
    clicked: npt.NDArray[np.bool_]
    told_early: int = 0
    clicked_early: int = 0
    planned_at: float = 0.0


class Decisions:
    """The store of decisions that are to be learned from.

    A release is learned from twice: when most who will click have, and once more for those who clicked later.
    Its decisions are gone after that.
    """

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def due(self, now: float) -> list[str]:
        """Return the releases that are to be learned from by a time (Unix seconds), the earliest first."""
        found = await self._redis.zrangebyscore(keys.RELEASES_TO_LEARN, "-inf", now)
        return [name.decode() for name in found]

    async def outcome(self, release_id: str) -> Outcome:
        """Return its decisions, and what is reported of them."""
        users: list[str] = []
        parts: list[Halves] = []
        pages = await self._redis.hgetall(keys.release_decisions(release_id))
        for _, record in sorted(pages.items(), key=lambda entry: int(entry[0])):
            some, features = msgpack.unpackb(record)
            users += some
            parts.append(np.frombuffer(features, dtype=np.float16).reshape(len(some), -1))
        seen = await self._seen(release_id)
        kinds = {kind: np.array([(user, kind) in seen for user in users], dtype=bool) for kind in KINDS}
        sent = kinds["sent"]
        if sent.any() and all(seen.get((user, "sent"), "!").startswith("!") for user in users):
            # Of a notifier that reports only what follows everybody was sent the page, as far as we know. Of
            # places that are nobody's (`without`) what was done is erased, too: nothing is known.
            sent = np.array([user != "" for user in users], dtype=bool) & ~kinds["not_sent"]
        features = np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float16)
        told, early, planned_at = await self._redis.hmget(
            keys.release(release_id), ["told_early", "clicked_early", "planned_at"]
        )
        return Outcome(
            tuple(users),
            features.astype(np.float32),
            sent,
            kinds["clicked"],
            int(told or 0),
            int(early or 0),
            float(planned_at or 0),
        )

    async def _seen(self, release_id: str) -> Mapping[tuple[str, str], str]:
        """Return what is reported: (listener, kind) -> place; "!" before it where it only follows."""
        found: dict[tuple[str, str], str] = {}
        async for field, place in self._redis.hscan_iter(keys.release_seen(release_id), count=SCAN):
            user, _, kind = field.decode().rpartition("}")
            if kind in KINDS:
                found[user, kind] = place.decode()
        return found

    async def learn_again(self, release_id: str, at: float) -> None:
        """Have a release learned from once more at a time (Unix seconds)."""
        await self._redis.zadd(keys.RELEASES_TO_LEARN, {release_id: at})

    async def drop(self, release_id: str) -> None:
        """Forget a release's decisions: all is learned."""
        await self._redis.delete(keys.release_decisions(release_id))
        await self._redis.zrem(keys.RELEASES_TO_LEARN, release_id)


KINDS = ("sent", "not_sent", "clicked")
