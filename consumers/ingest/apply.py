"""One step of a listener's life: held in memory or read, updated, written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from itertools import islice

from models.listener import Click, Listener, Move, Rules
from models.model import Model
from models.residents import Residents
from models.update import update
from stream.stores.listeners import Listeners
from stream.stores.waiting import Waiting, place_of

__all__ = ["Applier"]

AT_ONCE = 1000  # listeners: while Redis works on some, the next are updated
SPARE = 0.1  # of all rows are made free where memory is full
MB = 1e6


class Applier:
    """Applies clicks to listeners, each click once whatever is delivered twice.

    Redis holds the truth. Listeners who have clicked stay in memory; the revision that a write gives proves
    that nobody else has written since, and where somebody has, the record is read again.

    Parameters
    ----------
    listeners
        The store.
    rules
        What an update goes by.
    resident_mb
        Memory for listeners, in MB; those who clicked longest ago go first.
    activity
        Whether to record what they do day by day, and which songs they heard.
    """

    def __init__(
        self, listeners: Listeners, rules: Rules, resident_mb: float = 512.0, *, activity: bool = True
    ) -> None:
        self._listeners = listeners
        self._waiting = Waiting(listeners.redis)
        self._rules = rules
        self._limit = resident_mb * MB
        self._turns = _Turns()
        self._activity = activity
        self.residents = Residents(activity=activity)
        self.reads = 0

    async def apply(
        self, clicks: Mapping[str, Sequence[Click]], model: Model | None, now: float, *, anew: bool = False
    ) -> list[Move]:
        """Apply clicks, by listener; one without a click is only taken over to the model.

        Parameters
        ----------
        anew
            Whether Redis may have lost what memory says was applied: the listeners are read again.

        Returns
        -------
        The moves between cohorts, births among them, on record; member sets and sizes are to `follow`.
        """
        parts = await asyncio.gather(
            *(self._apply(part, model, now, anew) for part in _parts(clicks, AT_ONCE))
        )
        self._trim()
        return [move for moves in parts for move in moves]

    async def take_over(
        self, users: Sequence[str], model: Model, now: float
    ) -> tuple[list[Move], list[Listener]]:
        """Take listeners over to a model.

        Returns
        -------
        The moves, on record; and of each listener the cohort and last move on record (`Residents.head`).
        """
        strangers = [user for user in users if user not in self.residents.index]
        async with self._turns.of(set(users)):
            moves = await self._apply_in_turn(dict.fromkeys(users, ()), model, now)
            heads = [self.residents.head(self.residents.index[user]) for user in users]
            # They are not the ones whose clicks come here.
            self.residents.drop(strangers)
        return moves, heads

    async def _apply(
        self, clicks: Mapping[str, Sequence[Click]], model: Model | None, now: float, anew: bool
    ) -> list[Move]:
        async with self._turns.of(clicks.keys()):
            if anew:
                self.residents.drop(clicks)
            return await self._apply_in_turn(clicks, model, now)

    async def _apply_in_turn(
        self, clicks: Mapping[str, Sequence[Click]], model: Model | None, now: float
    ) -> list[Move]:
        moves: list[Move] = []
        while clicks:
            await self._hold(clicks.keys(), model)
            try:
                refused, said = await self._update(clicks, model, now)
            except BaseException:
                # Whether it was written is not known: what is in memory may be ahead of the record.
                self.residents.drop(clicks)
                raise
            self.residents.drop(refused)
            moves += said
            clicks = await self._still_waiting({user: clicks[user] for user in refused})
        return moves

    async def _still_waiting(self, clicks: dict[str, Sequence[Click]]) -> dict[str, Sequence[Click]]:
        """Leave out clicks that waited until somebody else applied them."""
        waited = [user for user, own in clicks.items() if any(click.waited for click in own)]
        if not waited:
            return clicks
        held = await self._waiting.clicks(waited)
        there = {user: {place_of(each.click) for each in own} for user, own in held.items()}
        return {
            user: [click for click in own if not click.waited or place_of(click) in there.get(user, ())]
            for user, own in clicks.items()
        }

    async def _update(
        self, clicks: Mapping[str, Sequence[Click]], model: Model | None, now: float
    ) -> tuple[Set[str], list[Move]]:
        flat = [click for own in clicks.values() for click in own]
        others = [user for user, own in clicks.items() if not own]
        changes = update(self.residents, flat, others, model, self._rules, now)
        refused = set(await self._listeners.write(self.residents, changes, model.version if model else 0))
        return refused, [move for move in changes.moves if move.user_id not in refused]

    async def _hold(self, users: Set[str], model: Model | None) -> None:
        missing = [user for user in users if user not in self.residents.index]
        if missing:
            self.reads += len(missing)
            self.residents.add(await self._listeners.read(missing, activity=self._activity), model)

    def release(self, sources: Iterable[str]) -> None:
        """Hold no longer whose clicks come from sources that another process reads from now on."""
        self._drop(self.residents.of_sources(sources))

    def _trim(self) -> None:
        residents = self.residents
        # Columns keep their memory, so that it is rows without a listener that let them grow no further.
        if residents.nbytes > self._limit and residents.spare < SPARE * len(residents):
            self._drop(residents.oldest(max(1, int(SPARE * len(residents)))))

    def _drop(self, users: Iterable[str]) -> None:
        self.residents.drop(user for user in users if not self._turns.holds(user))


class _Turns:
    """Lets one part at a time work on a listener."""

    def __init__(self) -> None:
        self._held: list[tuple[Set[str], asyncio.Event]] = []

    def holds(self, user: str) -> bool:
        """Say whether somebody works on a listener, or is about to."""
        return any(user in held for held, _ in self._held)

    @asynccontextmanager
    async def of(self, users: Set[str]) -> AsyncIterator[None]:
        """Wait until nobody who came before works on one of these listeners, and hold them."""
        before = [done for held, done in self._held if not held.isdisjoint(users)]
        turn = (users, asyncio.Event())
        self._held.append(turn)
        try:
            for done in before:
                await done.wait()
            yield
        finally:
            self._held.remove(turn)
            turn[1].set()


def _parts(clicks: Mapping[str, Sequence[Click]], size: int) -> list[dict[str, Sequence[Click]]]:
    items = iter(clicks.items())
    return [dict(part) for part in iter(lambda: list(islice(items, size)), [])]
