"""Which clicks of listeners were counted last, by their `event_id`: one that comes again counts no more.

What is remembered of a listener is written with their record, and read before: where somebody else has
written the record between the two, the write is refused (`stream.stores.listeners`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from hashlib import blake2b

from redis.asyncio.cluster import RedisCluster

from models.listener import Click
from stream.connect import AnyRedis
from stream.stores import keys

__all__ = ["BYTES", "KEPT_SECONDS", "EventIds", "number_of", "of_both", "once"]

BYTES = 8
"""Of one id: two of 64 are taken for one once in 10^16 times."""

KEPT_SECONDS = 7 * 86_400
"""So long after the last of them a listener's are remembered."""


class EventIds:
    """The store of what is remembered."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def of(self, user_ids: Sequence[str]) -> dict[str, bytes]:
        """Return what is remembered of listeners, the latest last."""
        asked = [keys.user_event_ids(user) for user in user_ids]
        if isinstance(self._redis, RedisCluster):
            pipeline = self._redis.pipeline(transaction=False)
            for key in asked:
                pipeline.get(key)
            found = await pipeline.execute() if asked else []
        else:
            found = await self._redis.mget(asked) if asked else []
        return {user: held or b"" for user, held in zip(user_ids, found, strict=True)}


def number_of(event_id: str) -> bytes:
    """Return what an id is remembered by, `BYTES` of it."""
    return blake2b(event_id.encode(), digest_size=BYTES).digest()


def once(
    clicks: Sequence[Click], applied: dict[str, int], held: bytes, most: int
) -> tuple[list[Click], bytes]:
    """Say of the clicks of a listener which were counted before; and what is to be remembered, b"": as it is.

    A click that waits for its song is remembered when it is counted, not before: it may never be.

    Parameters
    ----------
    clicks
        In their order.
    applied
        Source -> offset up to which clicks of it are applied: what is delivered again is told by that.
    held
        What is remembered, as `EventIds.of` returns it.
    most
        How many ids are remembered.

    Examples
    --------
    >>> from models.listener import OffsetSource
    >>> first = Click("u", OffsetSource(0), 7, 0.0, "s", ("a",), "play", event_id="e")
    >>> clicks, held = once([first, first._replace(offset=8)], {}, b"", most=64)
    >>> [click.repeated for click in clicks], len(held)
    ([False, True], 8)
    """
    known = {held[at : at + BYTES] for at in range(0, len(held), BYTES)}
    made, new = [], []
    for click in clicks:
        if click.event_id and (click.waited or click.offset > applied.get(click.partition, -1)):
            number = number_of(click.event_id)
            if number in known:
                click = click._replace(repeated=True)  # noqa: PLW2901 - it is the same click
            elif click.artist_ids or not click.song_id:
                known.add(number)
                new.append(number)
        made.append(click)
    return made, (held + b"".join(new))[-BYTES * most :] if new else b""


def of_both(one: bytes, other: bytes, most: int) -> bytes:
    """Return what is remembered of a listener who was two: the latest of each.

    Examples
    --------
    >>> of_both(b"a-first." b"a-second", b"b-first.", most=2)
    b'b-first.a-second'
    """
    parts = [[held[at : at + BYTES] for at in range(0, len(held), BYTES)][::-1] for held in (one, other)]
    latest = [number for pair in itertools.zip_longest(*parts) for number in pair if number]
    return b"".join(dict.fromkeys(latest[:most][::-1]))
