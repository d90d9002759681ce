"""What listeners are by their history, into Redis: each in one step, and none who is there already."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_fixed

from consumers.history.columns import coded
from consumers.history.listeners import Loaded, Made, Songs, made_of
from consumers.runtime.wiring import Stores, rules_of
from models.listener import HISTORY, Click, last_move
from stream.connect import open_redis
from stream.retry import retried
from stream.settings import Settings
from stream.stores.history import load_source
from stream.stores.waiting import MOST_WAITING

__all__ = ["Writer", "Written"]

T = TypeVar("T")

PAUSE = wait_fixed(0.5)  # seconds
TOGETHER = 2_000  # listeners
RECKONED = 100_000
"""Clicks whose listeners are reckoned at once: several parts of a bucket, so that Redis can take in one while
the next is reckoned, each of many listeners, as `models.update` needs them."""


@dataclass
class Written:
    """What came of listeners.

    Attributes
    ----------
    listeners, clicks
        Those written by this load, in whichever of its attempts, and their clicks.
    bots
        Those of them who are bots, by the rules of an ingester.
    loaded_before
        Those who are there from an earlier load.
    known
        Those whom Refrain knew, or who are part of another: they stay as they are, and their files' clicks do
        not count.
    waiting
        Clicks that wait for their song.
    refused
        Clicks that do not, as more of their listener wait than may.
    repeated
        Clicks that were the same as another, where each was to count once.
    first, last
        Unix seconds of the first and the last click; None where there is none.
    """

    listeners: int = 0
    clicks: int = 0
    bots: int = 0
    loaded_before: int = 0
    known: int = 0
    waiting: int = 0
    refused: int = 0
    repeated: int = 0
    first: float | None = None
    last: float | None = None

    def add(self, other: Written) -> None:
        """Count others, too."""
        for name in [entry.name for entry in fields(self) if entry.type == "int"]:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.first = min((at for at in (self.first, other.first) if at is not None), default=None)
        self.last = max((at for at in (self.last, other.last) if at is not None), default=None)


class _Ready(NamedTuple):
    """Listeners who can be written; their clicks, and how many more than may wait."""

    loaded: Loaded
    made: Made
    refused: int


class Writer:
    """Writes the listeners of a load, which has a number, with the settings' Redis."""

    def __init__(self, settings: Settings, stores: Stores, load: int) -> None:
        self._settings = settings
        self._stores = stores
        self._number = load

    @classmethod
    async def open(cls, settings: Settings, load: int) -> Writer:
        """Connect.

        Raises
        ------
        Unreachable
            Where Redis does not answer.
        """
        stores = Stores.on(await open_redis(settings), settings)
        stores.durability.when_lost(stores.catalogue.forget_noted)
        await stores.durability.begin()
        await stores.catalogue.refresh()
        await stores.aliases.refresh()
        return cls(settings, stores, load)

    async def aclose(self) -> None:
        """Disconnect."""
        await self._stores.listeners.redis.aclose()

    async def write(self, clicks: pa.Table) -> Written:
        """Write the listeners of clicks (`columns.CLICKS`), all of whose clicks these are.

        All of it once more where Redis may have lost it: who is there stays as they are, and songs that are
        waited for are entered again.
        """
        loaded, durability = Loaded.of(clicks), self._stores.durability
        while True:
            since = durability.primaries
            written = await self._load(loaded)
            if await self._patiently(partial(durability.acknowledged, since)):
                return written

    async def _patiently(self, step: Callable[[], Awaitable[T]]) -> T:
        """Do a step, and again where Redis is away for a while: each bears being done twice."""
        stop = stop_after_delay(self._settings.connect_timeout)
        async for attempt in AsyncRetrying(
            retry=retry_if_exception(retried), wait=PAUSE, stop=stop, reraise=True
        ):
            with attempt:
                result = await step()
        return result

    async def _load(self, loaded: Loaded) -> Written:
        written = Written()
        with ThreadPoolExecutor(1) as thread:
            ready: Future[_Ready] | None = None
            # While Redis takes in one part, the next is reckoned: else each would wait for the other.
            for part in loaded.parts(RECKONED):
                now = time.time()
                known = await self._patiently(partial(self._with_songs, part, now))
                ahead = thread.submit(self._made, *known, now)
                if ready:
                    written.add(await self._written(await asyncio.wrap_future(ready)))
                ready = ahead
            if ready:
                written.add(await self._written(await asyncio.wrap_future(ready)))
        return written

    def _made(
        self, loaded: Loaded, artists: Mapping[str, tuple[str, ...]], refused: int, now: float
    ) -> _Ready:
        """Reckon, in another thread, what clicks make of their listeners."""
        made = made_of(
            loaded,
            Songs(artists, self._stores.catalogue.no_length, self._stores.aliases.of),
            rules_of(self._settings),
            now,
            load_source(self._number),
            activity=self._settings.record_activity,
            most_event_ids=self._settings.event_ids,
        )
        return _Ready(loaded, made, refused)

    async def _written(self, ready: _Ready) -> Written:
        there = await self._patiently(partial(self._write, ready.made))
        return await self._patiently(partial(self._counted, ready.loaded, ready.made, there, ready.refused))

    async def _with_songs(self, loaded: Loaded, now: float) -> tuple[Loaded, dict[str, tuple[str, ...]], int]:
        """Return the clicks that may count, or wait for their song, and the artists of songs.

        The last is how many may not.
        """
        catalogue = self._stores.catalogue
        asked = loaded.unnamed_songs - catalogue.no_length
        known = await catalogue.artists_of(asked)
        if len(known) == len(asked):
            return loaded, known, 0
        late = loaded.with_songs(asked - known.keys())
        # Either the catalogue sees, when a song comes, that it is expected, or we see here that it has come.
        await self._stores.waiting.expect(_expected(loaded, late), now)
        known |= await catalogue.artists_of(asked - known.keys())
        late = loaded.with_songs(asked - known.keys())
        kept, refused = loaded.without_more(late, MOST_WAITING)
        return kept, known, refused

    async def _write(self, made: Made) -> set[str]:
        """Write, and return who was there."""
        residents, changes = made.residents, made.changes
        await self._stores.catalogue.note(residents.artists.names)
        residents.rev[changes.rows] = 0  # they are new, also where this is done again
        there = set(await self._stores.listeners.write(residents, changes, 0))
        moves = [move for move in changes.moves if move.user_id not in there]
        # Whoever wrote them may have died before the sets followed.
        placed = await self._stores.listeners.placed(sorted(there))
        moves += [last_move(listener) for listener in placed if listener.rev]
        for at in range(0, len(moves), TOGETHER):
            await self._stores.cohorts.place(moves[at : at + TOGETHER])
        return there

    async def _counted(self, loaded: Loaded, made: Made, there: set[str], refused: int) -> Written:
        of_loads = [f"o:{load_source(load)}" for load in range(self._number + 1)]
        users = sorted(there)
        found = await self._stores.listeners.fields(users, of_loads)
        # Of an attempt before this one, whose answer did not come: they are no others' than this load's.
        there = there - {user for user, offsets in zip(users, found, strict=True) if offsets[-1]}
        before = sum(any(offsets) and not offsets[-1] for offsets in found)
        new = np.fromiter((user not in there for user in loaded.users), np.bool_, len(loaded.users))
        of_new = new[loaded.user]
        ts = loaded.table["ts"].to_numpy()[of_new]
        residents = made.residents
        bots = residents.bot[[residents.index[user] for user in loaded.users]]
        late = sum(click.user_id not in there for click in made.late)
        written = Written(
            int(new.sum()),
            len(ts),
            int((bots & new).sum()),
            before,
            len(there) - before,
            late,
            refused,
            loaded.repeated,
        )
        if len(ts):
            written.first, written.last = float(ts.min()), float(ts.max())
        return written


def _expected(loaded: Loaded, late: npt.NDArray[np.bool_]) -> list[Click]:
    names, song = coded(loaded.table["song_id"])
    songs = names.to_pylist()
    return [
        Click(loaded.users[user], HISTORY, 0, 0.0, songs[song], (), "play")
        for song, user in set(zip(song[late].tolist(), loaded.user[late].tolist(), strict=True))
    ]
