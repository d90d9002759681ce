"""What a merge event asks for, step by step; each may be repeated, and a crash loses none."""

from __future__ import annotations

import time
from collections.abc import Sequence

from consumers.ingest.apply import Applier
from consumers.ingest.identities import Changed, PartOfAnother
from consumers.runtime.live_model import LiveModel
from consumers.runtime.moves import Moves
from consumers.runtime.wiring import Stores
from models.listener import Move
from stream.stores.merges import Forward
from stream.stores.segments import OUR_CLOCK, Came
from stream.wire.events import Merge, StageChange, encode
from stream.wire.sender import Message, Sender

__all__ = ["Merger", "RefusedMerge"]


class RefusedMerge(Exception):
    """A merge that cannot be made, or undone; says why."""


class Merger:
    """Makes and undoes merges.

    Parameters
    ----------
    undo_seconds
        For so long a merge may be undone.
    """

    def __init__(
        self,
        applier: Applier,
        stores: Stores,
        moves: Moves,
        live: LiveModel,
        producer: Sender,
        undo_seconds: float,
    ) -> None:
        self._applier = applier
        self._identities = applier.identities
        self._merges = stores.merges
        self._stores = stores
        self._moves = moves
        self._live = live
        self._producer = producer
        self._undo_seconds = undo_seconds

    async def take(self, event: Merge, now: float) -> None:
        """Do what an event asks for (`now`: Unix seconds).

        Raises
        ------
        RefusedMerge
            Where that cannot be.
        """
        while True:
            try:
                if event.into is None:
                    await self._undo(event.user_id, now)
                elif not await self._merges.was_undone(event.user_id, event.merge_id or ""):
                    await self._merge(event.user_id, event.into, event, now)
            except (Changed, PartOfAnother):
                continue  # another merge came in between
            return

    async def _merge(self, user_id: str, into: str, event: Merge, now: float) -> None:
        own = await self._merges.chain(user_id)
        if own and own[-1].into == user_id:  # whoever was to take it back has died
            await self._take_back(own[0])
        chain = await self._merges.chain(into)
        root = chain[-1].into if chain else into
        if user_id in (root, *(forward.user_id for forward in chain)):
            raise RefusedMerge(f"into: {into!r} is part of {user_id!r} already, which cannot be part of it")
        if own and own[-1].into != root:
            raise RefusedMerge(f"user_id: {user_id!r} is part of {own[-1].into!r} already; undo that first")
        if not own:
            # Before it is: whoever plans an audience meanwhile tells one of them.
            await self._stores.merged_lately.announce(user_id, root)
            await self._merges.fence(user_id, root, event.merge_id or "", event.ts)
            if (made := await self._merges.chain(user_id)) and made[-1].into == user_id:
                await self._take_back(made[0])
        elif not own[0].undoing:
            # Parts of a cluster are saved at different moments: restored, the listener may be from before it.
            await self._merges.name(user_id, own[0].into)
            await self._joined(user_id, now)
        await self._follow(user_id, now)

    async def _take_back(self, forward: Forward) -> None:
        """Take back a merge whose listener became part of the id at the same moment: nothing is joined."""
        await self._merges.restore(forward)
        await self._stores.merged_lately.announce(forward.user_id, "")
        raise RefusedMerge(f"into: {forward.into!r} became part of {forward.user_id!r} at the same moment")

    async def _follow(self, user_id: str, now: float) -> None:
        """Join what is known of an id to that of its listener, and let it be nobody's any more."""
        forward, parts = await self._merges.read(user_id)
        if forward is None or forward.done:
            return
        root = await self._joined(user_id, now)
        if parts and parts.listener.unrecorded > 0:
            await self._stores.listeners.note_unrecorded(root, parts.listener.unrecorded)
        await self._stores.merged_lately.announce(user_id, root)
        await self._stores.opted_out.join(user_id, root)
        await self._stores.told.join(user_id, root, forward.token)
        await self._join_labels(forward, root, now)
        await self._stores.cohorts.forget(user_id)
        await self._say_stage(user_id, now)
        await self._stores.traits.forget(user_id)
        await self._stores.recommended.forget(user_id)
        await self._stores.recommended.forget(root)
        if parts and parts.listener.cohort:
            gone = Move(user_id, parts.listener.cohort, "", now, "merge")
            await self._moves.say([gone], self._live.model)
        await self._merges.finish(forward, self._undo_seconds)

    async def _say_stage(self, user_id: str, now: float) -> None:
        """Say that an id is in no stage any more, before the sets forget which it was."""
        held = await self._stores.traits.holding([user_id])
        changes = [StageChange(user_id=user_id, origin=stage, to="", ts=now) for stage in held[user_id]]
        await self._producer.deliver(
            Message("stage-changes", user_id.encode(), encode(change)) for change in changes
        )

    async def _joined(self, user_id: str, now: float) -> str:
        moves: list[Move] = []
        root = await self._identities.root(user_id, self._live.model, now, moves)
        await self._settled(moves, now)
        return root

    async def _settled(self, moves: Sequence[Move], now: float) -> None:
        """Let all follow moves; where a model came meanwhile, its sweep may have met them before."""
        model = self._live.model
        await self._live.refresh()
        if self._live.model is not model and self._live.model:
            users = list({move.user_id for move in moves})
            more, _ = await self._applier.migrate(users, self._live.model, now)
            moves = [*moves, *more]
        await self._moves.follow(moves, self._live.model)

    async def _join_labels(self, forward: Forward, root: str, now: float) -> None:
        read = Came(OUR_CLOCK, time.time())
        labels = await self._stores.segments.labels_of(forward.user_id)
        if not forward.labels:  # else some are erased already
            await self._merges.note_labels(forward, labels, now)
        theirs = [each.model_copy(update={"user_id": root}) for each in labels]
        await self._stores.segments.label(theirs, [read] * len(theirs))
        await self._stores.segments.expire([forward.user_id])

    async def _undo(self, user_id: str, now: float) -> None:
        forward = await self._merges.forward(user_id)
        if forward is None:
            # Undone before; whether all has followed is not known.
            await self._restore(user_id, now)
            return
        await self._follow(user_id, now)
        forward, parts = await self._merges.read(user_id)
        if forward is None or parts is None:
            days = self._undo_seconds / 86400.0
            raise RefusedMerge(
                f"user_id: the merge of {user_id!r} is longer ago than {days:g} days, "
                "or its listener was erased as dormant since"
            )
        if other := await self._merges.forward(forward.into):
            raise RefusedMerge(
                f"user_id: {user_id!r} is part of {forward.into!r}, who is part of {other.into!r} by now; "
                f"undo that first, of {forward.into!r}"
            )
        # Not those of segments that were forgotten since the merge.
        noted = [Came(OUR_CLOCK, forward.labels_at)] * len(forward.labels)
        await self._stores.segments.label(forward.labels, noted)
        await self._stores.told.copy(forward.into, user_id)
        await self._merges.give_back_redriven(forward)
        move = await self._identities.take_out(forward, self._live.model, now)
        await self._settled([move] if move else [], now)
        await self._restore(user_id, now)

    async def _restore(self, user_id: str, now: float) -> None:
        move = await self._identities.restore(user_id, self._live.model, now)
        await self._stores.merged_lately.announce(user_id, "")
        await self._settled([move] if move else [], now)
