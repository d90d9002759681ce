"""How what listeners did spreads over hours, weekdays, cities and genres: features of segments."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from zlib import crc32

import numpy as np
import numpy.typing as npt

from models.traits.activity import day_of, weekday_shares
from stream.retry import Clock
from stream.stores.catalogue import Catalogue
from stream.stores.listeners import Listeners

__all__ = ["ActivityShares"]

Floats = npt.NDArray[np.float64]

COLUMNS = 128
"""Columns of cities, and of genres, hashed: some share one."""

ARTISTS = 20
"""The strongest artists of a listener, whose genres are the listener's."""

REMEMBERED, REMEMBERED_SECONDS = 100_000, 3600.0  # artists whose genres are known, and for how long


class ActivityShares:
    """Reads the shares of listeners' activity (`consumers.traits.segments.Shares`).

    Parameters
    ----------
    clock
        Unix seconds.
    """

    def __init__(self, listeners: Listeners, catalogue: Catalogue, clock: Clock = time.time) -> None:
        self._listeners = listeners
        self._catalogue = catalogue
        self._clock = clock
        self._genres: dict[str, list[str]] = {}
        self._since = clock()

    async def __call__(self, users: Sequence[str]) -> Mapping[str, Floats]:
        """Return shares by "hour" (n, 24), "weekday" (n, 7), "city" and "genre" (n, `COLUMNS`)."""
        read = await self._listeners.activities(users)
        rows = await self._listeners.rows(users, ARTISTS)
        await self._learn_genres({artist for artists, _ in rows for artist in artists})
        genres = [
            [(genre, 1.0) for artist in artists for genre in self._genres.get(artist, ())]
            for artists, _ in rows
        ]
        return {
            "hour": _shares(read.hours),
            "weekday": weekday_shares(read.active, day_of(self._clock()) + 1),
            "city": _hashed([cities.items() for cities in read.cities]),
            "genre": _hashed(genres),
        }

    async def _learn_genres(self, artists: set[str]) -> None:
        if len(self._genres) > REMEMBERED or self._clock() - self._since > REMEMBERED_SECONDS:
            self._genres, self._since = {}, self._clock()
        new = [artist for artist in artists if artist not in self._genres]
        self._genres |= {artist: [] for artist in new} | await self._catalogue.genres(new)


def _hashed(named: Sequence[Iterable[tuple[str, float]]]) -> Floats:
    sums = np.zeros((len(named), COLUMNS))
    for row, pairs in enumerate(named):
        for name, number in pairs:
            sums[row, crc32(name.encode()) % COLUMNS] += number
    return _shares(sums)


def _shares(numbers: Floats) -> Floats:
    shares: Floats = numbers / np.maximum(numbers.sum(axis=1, keepdims=True), 1.0)
    return shares
