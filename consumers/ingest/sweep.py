"""The sweep: takes every listener over to a new model in the background, and mends member sets on its way."""

from __future__ import annotations

import asyncio
import bisect
import logging
import time
from collections.abc import Sequence
from functools import partial

from consumers.ingest.apply import Applier
from consumers.ingest.pace import Pace
from consumers.runtime.live_model import LiveModel
from consumers.runtime.moves import Moves
from models.listener import last_move, refreshed
from models.model import Model
from stream.connect import AnyRedis
from stream.retry import Retry
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.durability import Durability
from stream.stores.heartbeats import Heartbeat
from stream.stores.lease import Lease
from stream.stores.sweeps import Sweeps

__all__ = ["Sweeper"]

logger = logging.getLogger(__name__)

LOOK_SECONDS = 0.3
CHUNK = 100  # listeners: so few that a click which comes meanwhile waits some milliseconds at most


class Sweeper:
    """One of the ingesters sweeps at a time; who, a lease decides."""

    def __init__(
        self,
        redis: AnyRedis,
        applier: Applier,
        cohorts: Cohorts,
        moves: Moves,
        durability: Durability,
        live: LiveModel,
        heartbeat: Heartbeat,
        stop: asyncio.Event,
        retry: Retry,
    ) -> None:
        self._sweeps = Sweeps(redis)
        self._applier = applier
        self._cohorts = cohorts
        self._moves = moves
        self._durability = durability
        self._live = live
        self._heartbeat = heartbeat
        self._stop = stop
        self._retry = retry
        self._pace = Pace(time.monotonic())
        self._lease = Lease(redis, heartbeat.name, key=keys.SWEEP_LEASE)

    async def run(self) -> None:
        """Sweep whenever a model serves that not every listener has been migrated to."""
        await self._retry.every(LOOK_SECONDS, "sweeping", self._once)

    async def _once(self) -> None:
        model = self._live.model
        if model is None or await self._sweeps.done() == model.version:
            return
        if not await self._lease.hold():
            return
        try:
            await self._sweep(model)
        finally:
            await self._lease.free()

    async def _sweep(self, model: Model) -> None:
        """Meet everybody, a cohort after the other; where another model comes, the next sweep goes on there.

        So everybody is met in turn, also where no model serves for as long as that takes.
        """
        await self._sweeps.begin(model.version, await self._cohorts.listeners(), time.time())
        newest = model
        cohorts = sorted({*await self._cohorts.all(), *model.cohort_ids})
        first = bisect.bisect(cohorts, await self._sweeps.last())
        for cohort in cohorts[first:] + cohorts[:first]:
            # A Redis that was restarted goes through the members in another order: from the first, then.
            met = await self._durability.kept(partial(self._meet, cohort, model))
            if met is None:
                return
            newest = met
            await self._cohorts.resize([cohort])  # who died between a move and its sizes left one wrong
            await self._sweeps.passed(cohort)
            if not self._live.model is model is newest:
                break
        else:
            await self._sweeps.end(model.version)
        await self._cohorts.bury({*model.cohort_ids, *newest.cohort_ids})

    async def _meet(self, cohort: str, model: Model) -> Model | None:
        """Migrate all members; return the model that the last was migrated to, None where it is to end."""
        async for users in self._cohorts.members(cohort):
            for at in range(0, len(users), CHUNK):
                if self._stop.is_set() or not await self._lease.hold():
                    return None
                model = self._live.model or model  # also one that came after this sweep began
                chunk, begun = users[at : at + CHUNK], time.monotonic()
                await self._migrate(cohort, chunk, model)
                await self._rest(time.monotonic() - begun, len(chunk))
            await self._sweeps.add(len(users))
        return model

    async def _rest(self, took: float, listeners: int) -> None:
        applied = self._heartbeat.counters.get("clicks", 0)
        await asyncio.sleep(self._pace.rest(took, applied, time.monotonic(), listeners))

    async def _migrate(self, cohort: str, users: Sequence[str], model: Model) -> None:
        moves, places = await self._applier.migrate(users, model, time.time())
        said = {move.user_id for move in moves}
        # A click's move is said by whoever reads it, again after a crash; a model's, by the next sweep.
        moves += [
            last_move(listener, model)
            for listener in places
            if refreshed(listener)
            and listener.user_id not in said
            and listener.cohort_from == cohort != listener.cohort
        ]
        await self._moves.follow(moves, model)
        left = {move.user_id for move in moves if move.origin == cohort}
        # In a set that their record does not name: somebody is just moving them, or died over it.
        strays = [
            last_move(listener)._replace(origin=cohort)
            for listener in places
            if listener.rev and listener.cohort != cohort and listener.user_id not in left
        ]
        await self._cohorts.follow(strays)
        await self._cohorts.leave(cohort, [listener.user_id for listener in places if not listener.rev])
        self._heartbeat.add("swept", len(users))
