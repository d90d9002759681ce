"""Listeners who have been dormant for long are erased, so that Redis's memory ends."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence

from consumers.runtime.moves import Moves
from consumers.runtime.rests import Rests
from consumers.runtime.wiring import Stores
from models.affinity import DAY
from models.listener import Move, last_move
from models.model import Model
from stream.retry import Clock, Retry
from stream.stores.heartbeats import Heartbeat
from stream.wire.events import StageChange, encode
from stream.wire.sender import Message, Sender

__all__ = ["Expiry"]

logger = logging.getLogger(__name__)

SHARE = 0.05  # of a core
CHUNK = 200  # listeners
SAMPLE = 2000  # listeners, of whom one has clicked within a day wherever clicks are read


class Expiry:
    """Erases listeners whose last click is long ago, a share of them at a time.

    A click's own time says how long ago it was; but of history that is replayed all of it is long ago. So a
    listener is first noted, with how many clicks they have, and erased only when by this machine's clock
    nothing has come for as long as Kafka keeps clicks: no click of theirs can be on its way then. And nobody
    is erased while no click of the last day is known, as when no ingester has run.

    Who is erased stands in `stream.stores.expired` first. Their record goes in one step, which refuses where
    a click has come; member sets and topics follow. Whoever dies in between leaves it to the next.

    Parameters
    ----------
    serving
        Returns the model of cohorts that serves; None while there is none.
    dormant_seconds
        Without a click, by the clicks' time.
    quiet_seconds
        Without a click, by `clock`.
    minutes
        From the beginning of a round to that of the next, at least.
    clock
        Unix seconds.
    """

    def __init__(
        self,
        stores: Stores,
        producer: Sender,
        serving: Callable[[], Model | None],
        heartbeat: Heartbeat,
        stop: asyncio.Event,
        retry: Retry,
        *,
        dormant_seconds: float,
        quiet_seconds: float,
        minutes: float,
        clock: Clock = time.time,
    ) -> None:
        self._stores = stores
        self._producer = producer
        self._moves = Moves(stores.cohorts, producer, retry)
        self._serving = serving
        self._heartbeat = heartbeat
        self._stop = stop
        self._retry = retry
        self._dormant_seconds = dormant_seconds
        self._quiet_seconds = min(quiet_seconds, dormant_seconds)
        self._seconds = 60.0 * minutes
        self._clock = clock
        self._rests = Rests(SHARE, remembered=1)  # to erase takes far longer than to look
        self._random = random.Random()  # noqa: S311 - where to begin, not a secret

    async def run(self) -> None:
        """Go round until asked to stop."""
        while not self._stop.is_set():
            began = time.monotonic()
            if erased := await self.round():
                days = self._dormant_seconds / DAY
                logger.info("erased %d listeners who have not clicked for %g days", erased, days)
            await self._rest(self._seconds - (time.monotonic() - began))

    async def round(self) -> int:
        """Look at everybody once, beginning anywhere; return how many were erased.

        Raises
        ------
        Stopped
            Where the process is to end before that.
        """
        erased = await self._go_on()
        if not await self._is_current():
            return erased
        cohorts = await self._retry("asking for cohorts", self._stores.cohorts.all)
        first = self._random.randrange(len(cohorts))
        for cohort in cohorts[first:] + cohorts[:first]:
            async for users in self._stores.cohorts.members(cohort):
                for at in range(0, len(users), CHUNK):
                    if self._stop.is_set():
                        return erased
                    chunk, began = users[at : at + CHUNK], time.monotonic()
                    erased += await self.look(chunk)
                    await self._rest(self._rests.after(time.monotonic() - began, len(chunk)))
        return erased

    async def _is_current(self) -> bool:
        """Say whether clicks of the last day are applied: else who clicked lately may look dormant."""
        sample = await self._retry("drawing listeners", self._stores.cohorts.drawn, SAMPLE)
        found = await self._retry("reading who clicked", self._stores.listeners.activeness, sample)
        latest = max((each.last_seen for each in found), default=-math.inf)
        if not (current := latest >= self._clock() - DAY):
            logger.info(
                "nobody is erased as dormant: no click of the last day is known of %d listeners", len(sample)
            )
        return current

    async def look(self, users: Sequence[str]) -> int:
        """Erase those of some listeners whose time it is, and note who is dormant; return how many."""
        stores, now = self._stores, self._clock()
        found = await self._retry("reading who is dormant", stores.listeners.activeness, users)
        dormant = {
            user: each
            for user, each in zip(users, found, strict=True)
            if each.state and each.last_seen < now - self._dormant_seconds
        }
        if not dormant:
            return 0
        notes = await self._retry("reading who was dormant", stores.traits.dormant, list(dormant))
        due: dict[str, bytes] = {}
        new: dict[str, int] = {}
        for (user, each), note in zip(dormant.items(), notes, strict=True):
            if note is None or note[0] != each.clicks or note[1] > now:
                new[user] = each.clicks
            elif now - note[1] >= self._quiet(each.last_seen):
                due[user] = each.state
        erased = await self._erase(due, now) if due else 0
        await self._retry("noting who is dormant", stores.traits.note_dormant, new, now)
        return erased

    def _quiet(self, last_seen: float) -> float:
        # Of one whose clicks all wait for their song, they say no time.
        return self._quiet_seconds if math.isfinite(last_seen) else self._dormant_seconds

    async def _go_on(self) -> int:
        """Do what whoever died has left, and erase what only caps were still in need of."""
        erased, expired = 0, self._stores.expired
        while users := await self._retry("asking who expires", expired.begun):
            erased += await self._follow(users)
        now = self._clock()
        # A second later, so that rounding leaves nobody who would be asked for again and again.
        while users := await self._retry("asking whose caps are over", expired.told_until, now - 1.0):
            back = await self._there(users)
            until = await self._expire_told([user for user in users if user not in back], now)
            await self._retry("noting whose caps are over", expired.done_told, users)
            await self._retry("noting whose caps hold on", expired.add_told, until)
        return erased

    async def _erase(self, states: Mapping[str, bytes], now: float) -> int:
        await self._retry("noting who expires", self._stores.expired.add, list(states), now)
        await self._retry("erasing who expires", self._stores.listeners.expire, states)
        return await self._follow(list(states))

    async def _follow(self, users: Sequence[str]) -> int:
        """Let all that depends on records follow those that are erased; return how many these are."""
        stores, durability = self._stores, self._stores.durability
        while True:
            primaries = durability.primaries
            cohorts = await self._retry("asking who is a member", stores.cohorts.holding, users)
            there = await self._there(users)
            gone = [user for user in users if user not in there]
            await self._say(gone, cohorts)
            await self._retry("taking members out", stores.cohorts.drop, gone)
            await self._retry("taking members of stages out", stores.traits.place, dict.fromkeys(gone, ""))
            await self._retry("erasing labels", stores.segments.expire, gone)
            await self._retry("erasing what their ids were", stores.merges.expire, gone)
            until = await self._expire_told(gone, self._clock())
            await self._retry("noting whose caps hold on", stores.expired.add_told, until)
            await self._put_back(users)
            if await self._retry("waiting until Redis keeps it", durability.acknowledged, primaries):
                break
        await self._retry("noting that all has followed", stores.expired.done, users)
        self._heartbeat.add("expired", len(gone))
        return len(gone)

    async def _there(self, users: Sequence[str]) -> set[str]:
        found = await self._retry("asking who is there", self._stores.listeners.placed, users)
        return {listener.user_id for listener in found if listener.rev}

    async def _expire_told(self, users: Sequence[str], now: float) -> dict[str, float]:
        return await self._retry("erasing what they were told", self._stores.told.expire, users, now)

    async def _say(self, gone: Sequence[str], cohorts: Mapping[str, Sequence[str]]) -> None:
        """Say that listeners are in no cohort and no stage any more, before the sets forget which it was."""
        now = self._clock()
        moves = [
            Move(user, cohort, "", now, "dormant") for user in gone for cohort in cohorts[user] if cohort
        ]
        await self._retry("emitting cohort changes", self._moves.say, moves, self._serving())
        stages = await self._retry("asking for stages", self._stores.traits.holding, gone)
        changes = [
            StageChange(user_id=user, origin=stage, to="", ts=now) for user in gone for stage in stages[user]
        ]
        messages = [Message("stage-changes", each.user_id.encode(), encode(each)) for each in changes]
        await self._retry("announcing stages", self._producer.deliver, messages)

    async def _put_back(self, users: Sequence[str]) -> None:
        """Let the sets follow the records of those whom a click has brought back meanwhile."""
        stores, model = self._stores, self._serving()
        found = await self._retry("asking who is back", stores.listeners.placed, users)
        back = {listener.user_id: listener for listener in found if listener.rev}
        held = await self._retry("asking where they are", stores.cohorts.holding, list(back))
        # Whose move was said before we said that they are in no cohort was a member before: that is undone
        # then, and both are done again. Who was a member only after that said so after us.
        moves = [last_move(each, model) for user, each in back.items() if held[user] != [each.cohort]]
        await self._moves.follow(moves, model)
        stages = await self._retry("reading stages", stores.traits.read, list(back), ["stage"])
        stage_of = {user: stage for user, (stage,) in zip(back, stages, strict=True) if stage}
        await self._retry("placing who is back", stores.traits.place, stage_of)

    async def _rest(self, seconds: float) -> None:
        waiting = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait([waiting], timeout=max(seconds, 0.0))
        waiting.cancel()
