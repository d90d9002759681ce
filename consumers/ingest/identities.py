"""Who an id is part of: what there was of it joined to that listener, and taken out again.

Every step changes one record; docs/decisions/0023-identity.md has their order. Whoever meets a merge, or the
undoing of one, in the middle goes on with it: an ingester with a click of the id, or the reader of `merges`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models.listener import Click, Listener, Move, Rules, tag_of, under
from models.merge import joined, offsets_of, parted
from models.model import Model
from models.update import Changes
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.event_ids import EventIds, of_both
from stream.stores.merges import Forward, Merges, Parts
from stream.stores.waiting import PUT_BACK, Waiting

__all__ = ["Change", "Changed", "Extra", "Identities", "PartOfAnother"]


class PartOfAnother(Exception):
    """The listener has become part of another."""


class Changed(Exception):
    """Somebody else has undone a merge, or made another, meanwhile."""


@dataclass(frozen=True, eq=False)
class Extra:
    """What is written with a listener besides.

    Attributes
    ----------
    heard
        Songs heard (`models.active_days.song_number`) that are added to those written apart from activity.
    waiting
        Clicks that wait for their song.
    event_ids
        What is remembered from now on (`stream.stores.event_ids`); b"": as it is.
    """

    heard: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    waiting: Sequence[Click] = ()
    event_ids: bytes = b""

    def add_to(self, changes: Changes) -> None:
        """Let it be written with changes of one row."""
        changes.heard, changes.heard_by = self.heard, np.zeros(len(self.heard), dtype=np.int64)
        if self.waiting:
            changes.waiting[int(changes.rows[0])] = list(self.waiting)
        if self.event_ids:
            changes.event_ids[int(changes.rows[0])] = self.event_ids


Change = Callable[[Listener], Awaitable[tuple[Listener, Extra] | None]]


class Rewriter(Protocol):
    """Changes a listener as a whole; see `consumers.ingest.apply.Applier.rewrite`."""

    async def rewrite(self, user: str, change: Change, model: Model | None, now: float) -> Move | None:
        """Let a listener be as `change` says."""


class Identities:
    """Follows ids to their listeners.

    Parameters
    ----------
    rewriter
        Changes a listener in one step.
    most_event_ids
        How many are remembered of a listener.
    """

    def __init__(
        self,
        rewriter: Rewriter,
        merges: Merges,
        waiting: Waiting,
        event_ids: EventIds,
        aliases: ArtistAliases,
        rules: Rules,
        most_event_ids: int,
    ) -> None:
        self._rewriter = rewriter
        self.merges = merges
        self._waiting = waiting
        self._event_ids = event_ids
        self._aliases = aliases
        self._rules = rules
        self._most_event_ids = most_event_ids

    async def root(self, user_id: str, model: Model | None, now: float, moves: list[Move]) -> str:
        """Return whose part an id is by now, to whom all is joined, or itself.

        Parameters
        ----------
        moves
            Is added to, as soon as a move is on record: a step after that may fail.
        """
        while True:
            chain = await self.merges.chain(user_id)
            undoing = next((forward for forward in chain if forward.undoing), None)
            try:
                if undoing:
                    await self._part(undoing, model, now, moves)
                    continue
                for forward in reversed(chain):
                    if move := await self._join(forward, chain[-1].into, model, now):
                        moves.append(move)
            except Changed:
                continue
            except PartOfAnother:
                if undoing:  # taken out of their listener now, that one could not be taken out of its own
                    await self.merges.withdraw_undoing(undoing)
                continue
            return chain[-1].into if chain else user_id

    async def _join(self, forward: Forward, root: str, model: Model | None, now: float) -> Move | None:
        """Add what there was of an id to its listener, unless that is done; return their last move.

        None where it was done, and all has followed (`Forward.done`): what moved them since was said then.
        """
        tag, is_there = tag_of(forward.user_id), False

        async def change(listener: Listener) -> tuple[Listener, Extra] | None:
            nonlocal is_there
            is_there = tag in listener.joined
            if is_there:
                return None
            # Read after the listener: whoever undoes it meanwhile writes the listener, and this is refused.
            there, parts = await self.merges.read(forward.user_id)
            if there is None or there.token != forward.token or there.undoing:
                raise Changed
            parts = parts or Parts(Listener(forward.user_id))
            other = self._aliases.settled(parts.listener)
            if not (other.rev or listener.rev or parts.waiting):
                return None  # its first click will say whose part it is
            if there.into != root:
                await self.merges.point(there, root)
            waiting = [under(click, root) for click in parts.waiting]
            # Clicks that name their artists were put back: they need not wait for their song.
            waits_for = [c._replace(song_id=PUT_BACK) if c.artist_ids else c for c in waiting]
            await self._waiting.expect(waits_for, now)
            await self.merges.inherit(root, parts)
            event_ids = b""
            if parts.event_ids:
                held = await self._event_ids.of([root])
                event_ids = of_both(held[root], parts.event_ids, self._most_event_ids)
            # Theirs that are held beside activity come first, so that the newest stay last.
            heard = np.concatenate([listener.activity.songs if listener.activity else [], parts.heard])
            extra = Extra(heard.astype(np.int64), waiting, event_ids)
            return joined(listener, other, self._rules), extra

        move = await self._rewriter.rewrite(root, change, model, now)
        return None if is_there and forward.done else move

    async def _part(self, forward: Forward, model: Model | None, now: float, moves: list[Move]) -> None:
        """Make an id a listener of its own again; add to moves. May be repeated."""
        if move := await self.take_out(forward, model, now):
            moves.append(move)
        if move := await self.restore(forward.user_id, model, now):
            moves.append(move)

    async def take_out(self, forward: Forward, model: Model | None, now: float) -> Move | None:
        """Take what an id had when it was joined out of its listener, unless that is done."""
        tag = tag_of(forward.user_id)

        async def change(listener: Listener) -> tuple[Listener, Extra] | None:
            if tag not in listener.joined:
                # Taken out before, or neither has clicked yet.
                there = await self.merges.forward(forward.user_id)
                if there and not there.undoing:
                    await self.merges.note_undoing(forward, {})
                return None
            _, parts = await self.merges.read(forward.user_id)
            other = self._aliases.settled(parts.listener) if parts else Listener(forward.user_id)
            # Where somebody writes the listener after this, it is read, and noted, once more.
            if not await self.merges.note_undoing(forward, offsets_of(listener, other)):
                raise Changed
            return parted(listener, other), Extra()

        return await self._rewriter.rewrite(forward.into, change, model, now)

    async def restore(self, user_id: str, model: Model | None, now: float) -> Move | None:
        """Let an id that is taken out of its listener be one of its own, settled by the model that serves."""
        forward, _ = await self.merges.read(user_id)
        if forward:
            if not forward.undoing:
                raise Changed
            await self.merges.restore(forward)
        return await self._rewriter.rewrite(user_id, _as_it_is, model, now)


async def _as_it_is(listener: Listener) -> tuple[Listener, Extra] | None:
    """Write a listener once more, settled by the model that serves."""
    return (listener, Extra()) if listener.rev else None
