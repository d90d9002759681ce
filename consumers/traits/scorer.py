"""Traits of some listeners: what they did is read, they are scored, and all that depends on it follows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from consumers.traits.churn import Churn
from consumers.traits.next_week import NextWeekTrait
from consumers.traits.segments import SegmentTraits
from consumers.traits.stages import stage_fields
from models.traits.activity import day_of
from models.traits.lifecycle import Limits
from models.traits.today import align
from stream.retry import Retry
from stream.stores.heartbeats import Heartbeat
from stream.stores.listeners import Listeners
from stream.stores.traits import Traits
from stream.wire.events import StageChange, encode
from stream.wire.sender import Message, Sender

__all__ = ["Scorer"]

HELD = "stage", "stage_since", "announced", "weeks", "learned"


class _Held(NamedTuple):
    """What a listener's traits say already: `HELD`. `announced` is the stage that all others know of."""

    stage: str
    since: str
    announced: str
    weeks: str
    learned: str


class Scorer:
    """Keeps listeners' traits current; one call at a time, so that what is said of a listener has an order.

    The record says first which stage a listener is in; member sets and `stage-changes` follow, and then the
    record notes that they did (`announced`). Whoever dies in between leaves that undone, and who meets the
    listener next does it: a change may come twice, and none is lost.

    Parameters
    ----------
    clock
        Unix seconds.
    """

    def __init__(
        self,
        listeners: Listeners,
        traits: Traits,
        next_week: NextWeekTrait,
        churn: Churn,
        segments: SegmentTraits,
        limits: Limits,
        producer: Sender,
        heartbeat: Heartbeat,
        retry: Retry,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._listeners = listeners
        self._traits = traits
        self._next_week = next_week
        self._churn = churn
        self._segments = segments
        self._limits = limits
        self._producer = producer
        self._heartbeat = heartbeat
        self._retry = retry
        self._clock = clock
        self._lock = asyncio.Lock()

    async def score(self, users: Sequence[str]) -> dict[str, float]:
        """Score listeners, and let all that depends on it follow.

        Returns
        -------
        Listener -> when they were seen last, as far as their record says, in Unix seconds; NaN for never.

        Raises
        ------
        Stopped
            Where the process is to end before that.
        """
        async with self._lock:
            return await self._score(users)

    async def _score(self, users: Sequence[str]) -> dict[str, float]:
        now = self._clock()
        today = day_of(now)
        activities = await self._retry("reading activity", self._listeners.activities, users)
        rows = await self._retry("reading traits", self._traits.read, users, HELD)
        held = [_Held(*row) for row in rows]
        learned = self._next_week.learn(users, activities, today, [each.learned for each in held])
        aligned = align(activities, today)
        remembered = [each.weeks for each in held]
        stages, weeks = stage_fields(activities, aligned, today, remembered, self._limits)
        since = [
            each.since if stage == each.stage else repr(round(now, 3))
            for stage, each in zip(stages, held, strict=True)
        ]
        of_stage = [
            {"stage": stage, "stage_since": at, "weeks": week, "learned": day}
            for stage, at, week, day in zip(stages, since, weeks, learned, strict=True)
        ]
        of_next_week = self._next_week.fields(aligned, today, now)
        of_churn = self._churn.fields(aligned, today, now)
        of_segments = await self._retry("predicting segments", self._segments.fields, users, now)
        written = {
            user: {name: value for fields in theirs for name, value in fields.items()}
            for user, stage, before, *theirs in zip(
                users, stages, held, of_stage, of_next_week, of_churn, of_segments, strict=True
            )
            if stage or before.stage
        }
        gone = await self._retry("writing traits", self._traits.write, written)
        # Only now: whoever forgets a segment meanwhile finds what was written, or we that it is forgotten.
        if fields := await self._retry("looking for segments", self._segments.forgotten, of_segments[0]):
            await self._retry("erasing traits", self._traits.drop, users, fields)
        changes = {
            user: StageChange(user_id=user, origin=before.announced, to=stage, ts=float(at))
            for user, stage, before, at in zip(users, stages, held, since, strict=True)
            if stage != before.announced and user not in gone
        }
        await self._follow(changes, gone)
        self._heartbeat.add("scored", len(users))
        return dict(zip(users, activities.last_seen.tolist(), strict=True))

    async def _follow(self, changes: Mapping[str, StageChange], gone: set[str]) -> None:
        """Let member sets and the topic follow; nothing of who was forgotten meanwhile is left in a set."""
        if gone:
            await self._leave(gone)
        if not changes:
            return
        stage_of = {user: change.to for user, change in changes.items()}
        await self._retry("moving members of stages", self._traits.place, stage_of)
        await self._say(changes.values())
        announced = {user: {"announced": change.to} for user, change in changes.items()}
        gone = await self._retry("noting what is announced", self._traits.write, announced)
        if gone:
            await self._retry("moving members of stages", self._traits.place, dict.fromkeys(gone, ""))
            # Whoever let them be part of another listener meanwhile may have said so before us.
            now = self._clock()
            left = [StageChange(user_id=user, origin=changes[user].to, to="", ts=now) for user in gone]
            await self._say([change for change in left if change.origin])
        self._heartbeat.add("stage changes", len(changes))

    async def _leave(self, users: set[str]) -> None:
        """Say that listeners are in no stage any more, before the sets forget which it was."""
        now = self._clock()
        # Their traits may have been erased before they were read.
        held = await self._retry("asking for stages", self._traits.holding, list(users))
        left = [
            StageChange(user_id=user, origin=stage, to="", ts=now) for user in users for stage in held[user]
        ]
        await self._say(left)
        await self._retry("moving members of stages", self._traits.place, dict.fromkeys(users, ""))

    async def _say(self, changes: Iterable[StageChange]) -> None:
        messages = [Message("stage-changes", each.user_id.encode(), encode(each)) for each in changes]
        await self._retry("announcing stages", self._producer.deliver, messages)
