"""Which songs listeners have heard lately, as numbers that ingesters keep with each play.

The newest stand at the end of ``user:{ID}:activity``, so that most clicks write one key. Once there are
`models.active_days.TAIL` of them, ``user:{ID}:heard`` takes them over, in the step that writes the activity
without them.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from models.active_days import song_number
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.activity_codec import songs_of, unpack

__all__ = ["Heard", "song_numbers"]

Numbers = npt.NDArray[np.uint32]


def song_numbers(song_ids: Iterable[str]) -> Numbers:
    """Return the numbers that songs are remembered by (`models.active_days.song_number`), shape (n,).

    Examples
    --------
    >>> song_numbers(["s1", "s2"]).tolist()
    [336935152, 2367449418]
    """
    return np.fromiter(map(song_number, song_ids), dtype=np.uint32)


class Heard:
    """The store of songs heard."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def of(self, user_id: str) -> Numbers:
        """Return the numbers (`song_numbers`) of the songs a listener played last, the newest last.

        A song that was played twice may be there twice.
        """
        # One command: a click that comes in between would move songs from one to the other.
        apart, activity = await self._redis.mget(keys.user_heard(user_id), keys.user_activity(user_id))
        return np.concatenate([songs_of(apart or b""), unpack(activity or b"").songs])
