"""Applies clicks that waited for their song once it has come, and gives up those that waited for too long."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial

from consumers.ingest.apply import Applier
from consumers.runtime.live_model import LiveModel
from consumers.runtime.moves import Moves
from models.listener import Click, Move, last_move, refreshed
from stream.connect import AnyRedis
from stream.retry import Clock, Retry
from stream.stores import keys
from stream.stores.catalogue import Catalogue
from stream.stores.durability import Durability
from stream.stores.heartbeats import Heartbeat
from stream.stores.lease import Lease
from stream.stores.listeners import Listeners
from stream.stores.waiting import PUT_BACK, Waiting
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.record import Record
from stream.wire.sender import Sender, dead_letter

__all__ = ["LateSongs"]

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.3  # between two looks whether a song has come
CHECK_SECONDS = 30.0  # between two looks at all songs that are waited for
SURE_SECONDS = 10.0  # after the last click began to wait: nearly surely it is in Redis
QUIET_SECONDS = 600.0  # after the last click began to wait: no ingester is about to let another wait
CHECKS_A_WAIT = 24  # looks, in the time that a click may wait, for those that have


class LateSongs:
    """One of the ingesters does it at a time; who, a lease decides.

    A click is applied once whoever does it: the write that applies it is refused where it waits no longer.

    Parameters
    ----------
    wait_seconds
        For so long a click waits for its song.
    clock
        Tells the time, in Unix seconds.
    """

    def __init__(
        self,
        redis: AnyRedis,
        applier: Applier,
        listeners: Listeners,
        moves: Moves,
        durability: Durability,
        live: LiveModel,
        producer: Sender,
        heartbeat: Heartbeat,
        *,
        wait_seconds: float,
        stop: asyncio.Event,
        retry: Retry,
        clock: Clock = time.time,
    ) -> None:
        self._waiting = Waiting(redis)
        self._catalogue = Catalogue(redis)
        self._applier = applier
        self._listeners = listeners
        self._moves = moves
        self._durability = durability
        self._live = live
        self._producer = producer
        self._heartbeat = heartbeat
        self._wait_seconds = wait_seconds
        self._stop = stop
        self._retry = retry
        self._clock = clock
        self._lease = Lease(redis, heartbeat.name, key=keys.WAITING_LEASE)
        self._settled: dict[str, float] = {}
        self._next_check = self._next_expiry = float("-inf")

    async def run(self) -> None:
        """Look for songs that have come until asked to stop."""
        await self._retry.every(LOOK_SECONDS, "applying clicks that waited for their song", self.look)

    async def look(self) -> None:
        """Apply what can be applied; now and then, look at all that wait, and give up the oldest."""
        came = await self._waiting.came()
        now = self._clock()
        if not came and now < self._next_check:
            return
        if not await self._lease.hold():
            self._heartbeat.gauges.pop("songs missing", None)  # whoever does it now says so
            return
        await self._catalogue.refresh()
        for song in came:
            if not await self._settle_for_good(song, again=False):
                return
            await self._waiting.done(song)
        if now >= self._next_check:
            await self._check(now)
            self._next_check = now + CHECK_SECONDS

    async def _check(self, now: float) -> None:
        """Look at every song that is waited for: one that came may have been told to nobody."""
        songs = await self._waiting.songs()
        known = songs.keys() & {PUT_BACK, *await self._catalogue.artists_of(songs)}
        self._settled = {song: at for song, at in self._settled.items() if song in songs}
        for song in known:
            settled = self._settled.get(song)
            quiet = now - songs[song] > QUIET_SECONDS
            if settled == songs[song] and not quiet:
                continue
            if not await self._settle_for_good(song, again=settled is not None):
                return
            if now - songs[song] > SURE_SECONDS:
                self._settled[song] = songs[song]
            if quiet:
                await self._waiting.forget_song(song, songs[song])
        self._heartbeat.gauges["songs missing"] = len(songs) - len(known)
        if now >= self._next_expiry:
            self._next_expiry = now + max(self._wait_seconds / CHECKS_A_WAIT, CHECK_SECONDS)
            for song in songs.keys() - known:
                await self._give_up(song, songs[song], now)

    async def _settle_for_good(self, song: str, *, again: bool) -> bool:
        since = self._durability.primaries
        met = await self._settle(song, again=again)
        if await self._durability.acknowledged(since):
            return met
        # What was said of their moves may be lost.
        return await self._durability.kept(partial(self._settle, song, again=False))

    async def _settle(self, song: str, *, again: bool) -> bool:
        """Apply the clicks of all who wait for a song; say whether all were met.

        Parameters
        ----------
        again
            It was done before, so all that could be said of their moves is said.
        """
        async for users in self._waiting.listeners(song):
            if self._stop.is_set() or not await self._lease.hold():
                return False
            held = await self._waiting.clicks(users)
            if not again:
                # Whoever applied their clicks may have died before all that follows had followed. Also of who
                # waits for another song, and before that moves them on: the last move alone is on record.
                await self._say_last_moves(users)
            await self._apply(await self._ready([each.click for own in held.values() for each in own]))
        return True

    async def _ready(self, clicks: Sequence[Click]) -> dict[str, list[Click]]:
        """Return, by listener, the clicks whose artists are known, with these."""
        known = await self._catalogue.artists_of({c.song_id for c in clicks if not c.artist_ids})
        ready: dict[str, list[Click]] = {}
        for click in self._catalogue.without_length(clicks):
            artists = click.artist_ids or known.get(click.song_id, ())
            if artists or not click.song_id:
                ready.setdefault(click.user_id, []).append(click._replace(artist_ids=artists))
        return ready

    async def _apply(self, clicks: Mapping[str, Sequence[Click]]) -> None:
        number = sum(map(len, clicks.values()))
        moves: list[Move] = []
        while clicks:
            model = self._live.model
            moves += await self._applier.apply(clicks, model, self._clock())
            await self._live.refresh()
            if self._live.model is model:
                await self._moves.follow(moves, model)
                self._heartbeat.add("waited", number)
                return
            # A model came meanwhile: its sweep may have met these listeners before they were written.
            clicks = dict.fromkeys(clicks, ())

    async def _say_last_moves(self, users: Sequence[str]) -> None:
        model = self._live.model
        placed = await self._listeners.placed(users)
        moved = [
            last_move(listener, model) for listener in placed if listener.rev and not refreshed(listener)
        ]
        await self._moves.follow(moved, model)

    async def _give_up(self, song: str, since: float, now: float) -> None:
        """Make dead letters of the clicks that have waited for too long."""
        waits = False
        async for users in self._waiting.listeners(song):
            if self._stop.is_set() or not await self._lease.hold():
                return
            held = await self._waiting.clicks(users)
            songs = {each.click.song_id for own in held.values() for each in own}
            known = await self._catalogue.artists_of(songs)
            waits |= song in songs
            for user, own in held.items():
                old = [
                    each.click
                    for each in own
                    if now - each.since > self._wait_seconds and each.click.song_id not in known
                ]
                if old:
                    await self._waiting.expire(user, old)
            expired = await self._waiting.expired(users)
            await self._producer.deliver([dead_letter(self._letter(click)) for click in expired])
            await self._waiting.drop_expired(expired)
            self._heartbeat.add(f"dead:{Reason.UNKNOWN_SONG.value}", len(expired))
        if not waits and now - since > self._wait_seconds + QUIET_SECONDS:
            await self._waiting.forget_song(song, since)

    def _letter(self, click: Click) -> DeadLetter:
        # Its bytes are not kept while it waits; this is what Refrain uses of them.
        event = {
            "user_id": click.user_id,
            "song_id": click.song_id,
            "ts": click.ts,
            "action": click.action,
            "ms_played": click.ms_played,
            "utc_offset_min": click.utc_offset_min,
            "city": click.city,
            "device": click.device,
            "event_id": click.event_id,
        }
        said = {name: value for name, value in event.items() if value not in (None, "")}
        place = ("clicks", click.partition.number, click.offset)
        record = Record(*place, click.user_id.encode(), json.dumps(said, ensure_ascii=False).encode())
        hours = self._wait_seconds / 3600
        return DeadLetter(record, Reason.UNKNOWN_SONG, f"its song has not come within {hours:g} hours")
