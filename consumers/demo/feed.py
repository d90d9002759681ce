"""What goes into Refrain: the catalogue, clicks at a bounded rate, a release every few seconds."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count, cycle

from consumers.demo.ledger import Ledger
from consumers.demo.world import Play, World
from stream.wire.events import Song, encode
from stream.wire.sender import Message, Sender

__all__ = ["Feed"]

TICK = 0.05  # seconds
HISTORY_RATE = 3000  # clicks a second as long as there is nobody to tell,
RATE = 1000  # and from then on
RELEASE_EVERY = 3.0  # seconds
AUDIENCE = 200  # listeners told of a release, at most,
BIG_AUDIENCE = 1000  # and of a big one: enough that it goes out in waves once a CTR model serves
BIG_EVERY = 7  # releases: it tells a fifth of everybody, and whoever is chosen, most of them do not care
BROKEN_EVERY = 2000  # clicks: apps make mistakes

BROKEN = (
    b'{"user_id": "listener-0001", "song_id":',
    b'{"user_id": "listener-0002", "ts": 1700000000}',
    b'{"user_id": "listener-0003", "song_id": "a-song-nobody-entered", "ts": 1700000000}',
    b'{"user_id": "listener-0004", "song_id": "x", "artist_ids": ["x"], "ts": 99999999999}',
)


class Feed:
    """Produces the world's events, as an app, a catalogue and a label desk would.

    Parameters
    ----------
    sender
        Started.
    world
        Where the events come from.
    ledger
        Where releases are entered.
    run
        A word that makes the ids of this run's releases unlike those of any other.

    Attributes
    ----------
    clicks
        Clicks sent so far.
    catalogued
        Whether Refrain knows the catalogue; until then clicks name their artists themselves.
    audience_ready
        Set when there is somebody to tell; releases wait for that.
    """

    def __init__(self, sender: Sender, world: World, ledger: Ledger, run: str) -> None:
        self._sender = sender
        self._world = world
        self._ledger = ledger
        self._run = run
        self._broken = cycle(BROKEN)
        self.clicks = 0
        self.catalogued = False
        self.audience_ready = asyncio.Event()

    async def send_catalogue(self) -> None:
        """Send every song there is."""
        await self._sender.deliver(_song(song) for song in self._world.music.songs)

    async def click_on(self) -> None:
        """Send clicks for ever, none before it happens. A broker that falls behind slows it down.

        Once the world's clock has come up to ours, a day of its clicks takes a day. Any faster, their times
        would be in the future, which Refrain refuses; or they would be so dense that all were bots.
        """
        before, owed = time.monotonic(), 0.0
        while True:
            await asyncio.sleep(TICK)
            now = time.monotonic()
            rate = RATE if self.audience_ready.is_set() else HISTORY_RATE
            owed = min(owed + (now - before) * rate, rate)  # after a pause no flood
            before = now
            plays, owed = self._world.plays(int(owed), until=time.time()), owed % 1
            await self._sender.deliver(self.clicks_of(plays))

    def clicks_of(self, plays: Sequence[Play], *, new: bool = False) -> Iterator[Message]:
        """Yield plays as clicks, now and then a broken one between them.

        Parameters
        ----------
        new
            Whether the songs are so new that Refrain's catalogue may not have them yet.
        """
        for play in plays:
            self.clicks += 1
            key = play.user_id.encode()
            if self.clicks % BROKEN_EVERY == 0:
                yield Message("clicks", key, next(self._broken))
            yield Message("clicks", key, self._click(play, named=new or not self.catalogued))

    @staticmethod
    def _click(play: Play, *, named: bool) -> bytes:
        event = {"user_id": play.user_id, "song_id": play.song.song_id, "ts": play.ts, "action": play.action}
        if named:
            event["artist_ids"] = play.song.artist_ids
        return json.dumps(event).encode()

    async def release_on(self, clock: Callable[[], float]) -> None:
        """Publish a release every few seconds, for ever, once there is somebody to tell."""
        for number in count(1):
            await self.audience_ready.wait()
            max_audience = AUDIENCE if number % BIG_EVERY else BIG_AUDIENCE
            release, song = self._world.music.release(f"demo-{self._run}-{number}", max_audience)
            await self._sender.deliver([_song(song)])
            self._ledger.publish(release, song, clock())
            await self._sender.deliver([Message("releases", release.release_id.encode(), encode(release))])
            await asyncio.sleep(RELEASE_EVERY)


def _song(song: Song) -> Message:
    return Message("songs", song.song_id.encode(), encode(song))
