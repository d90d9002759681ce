"""One step of a listener's life: held in memory or read, updated, written."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from itertools import islice

from consumers.ingest.identities import Change, Extra, Identities, PartOfAnother
from models.listener import Click, Listener, Move, Rules, last_move, tag_of, under
from models.merge import rewrite
from models.model import Model
from models.residents import Residents
from models.update import update
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.event_ids import EventIds, once
from stream.stores.history import Ends, once_with_files
from stream.stores.listeners import Listeners
from stream.stores.merges import Merges
from stream.stores.waiting import Waiting, place_of

__all__ = ["Applier"]

AT_ONCE = 1000  # listeners: while Redis works on some, the next are updated
READ_AT_ONCE = 250  # listeners: as records they take ten times what they take in columns
READS = 2  # at a time, of all parts: while Redis reads for one, the records of another become columns
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
    most_event_ids
        How many `event_id` are remembered of a listener, so that a click that comes again counts once.
    aliases
        What ids of artists stand for. Where that changes, each listener is read again when they are met next,
        and their affinities are made to be of artists; None: ids stand for themselves.
    loaded
        How far Kafka was when history was loaded from files (`stream.stores.history.History.ends`): clicks
        that files had count once.

    Attributes
    ----------
    repeated
        Clicks that were not counted, as they had been by their `event_id`.
    met, reads
        Listeners that were to be held, and those of them who were not in memory.
    """

    def __init__(
        self,
        listeners: Listeners,
        rules: Rules,
        resident_mb: float = 512.0,
        *,
        activity: bool = True,
        most_event_ids: int = 64,
        aliases: ArtistAliases | None = None,
        loaded: Ends | None = None,
    ) -> None:
        self._listeners = listeners
        self._waiting = Waiting(listeners.redis)
        self._rules = rules
        self._limit = resident_mb * MB
        self._loaded = loaded or {}
        self._last_ends = {source: max(ends.values()) for source, ends in self._loaded.items()}
        self._turns = _Turns()
        self._reading = asyncio.Semaphore(READS)
        self._activity = activity
        self.residents = Residents(activity=activity)
        self._aliases = ArtistAliases(listeners.redis) if aliases is None else aliases
        self._changes = self._aliases.changes
        self._unsettled: set[str] = set()
        self._event_ids, self._most_event_ids = EventIds(listeners.redis), most_event_ids
        self.identities = Identities(
            self,
            Merges(listeners.redis),
            self._waiting,
            self._event_ids,
            self._aliases,
            rules,
            most_event_ids,
        )
        self.repeated = 0
        self.met = self.reads = 0

    async def apply(
        self,
        clicks: Mapping[str, Sequence[Click]],
        model: Model | None,
        now: float,
        moves: list[Move] | None = None,
    ) -> list[Move]:
        """Apply clicks, by listener; one without a click is only migrated to the model.

        Parameters
        ----------
        moves
            Is added to. Where this fails on the way, it has those that are on record by then: when it is done
            again, whom a model has moved is not said once more.

        Returns
        -------
        The moves between cohorts, births among them, on record; member sets and sizes are to `follow`.
        """
        said: list[Move] = [] if moves is None else moves
        parts = [self._apply(part, model, now, said) for part in _parts(clicks, AT_ONCE)]
        # All end before one that failed is told of: none is to go on beside what is then done again.
        for failed in await asyncio.gather(*parts, return_exceptions=True):
            if failed is not None:
                raise failed
        await self._trim()
        return said

    async def migrate(
        self, users: Sequence[str], model: Model, now: float
    ) -> tuple[list[Move], list[Listener]]:
        """Take listeners over to a model.

        Returns
        -------
        The moves, on record; and of each listener the cohort and last move on record (`Residents.head`), of
        one who is not there, or part of another, nothing.
        """
        index = self.residents.index
        strangers = [user for user in users if user not in index]
        async with self._turns.of(set(users)):
            moves: list[Move] = []
            await self._apply_in_turn(dict.fromkeys(users, ()), model, now, moves)
            heads = [self.residents.head(index[user]) if user in index else Listener(user) for user in users]
            # They are not the ones whose clicks come here.
            self.residents.drop(strangers)
        return moves, heads

    async def rewrite(
        self,
        user: str,
        change: Change,
        model: Model | None,
        now: float,
    ) -> Move | None:
        """Let a listener be as `change` says, in one step; return their last move, None for who is not there.

        Parameters
        ----------
        change
            Is given the listener as they are, once more where somebody else has written them meanwhile; None:
            nothing is to be changed.

        Raises
        ------
        PartOfAnother
            Where they are no listener of their own any more.
        """
        async with self._turns.of({user}):
            return await self._rewrite_in_turn(user, change, model, now)

    async def _rewrite_in_turn(
        self, user: str, change: Change, model: Model | None, now: float
    ) -> Move | None:
        while True:
            if await self._hold({user}, model):
                raise PartOfAnother(user)
            before = self.residents.listener(self.residents.index[user])
            try:
                changed = await change(self._aliases.settled(before))
                if changed is None:
                    return last_move(before, model) if before.rev else None
                after, extra = changed
                changes = rewrite(self.residents, before, after, model, self._rules, now)
                extra.add_to(changes)
                version = model.version if model else 0
                refused = await self._listeners.write(self.residents, changes, version)
            except BaseException:
                self.residents.drop([user])
                raise
            if not refused:
                self._unsettled.discard(user)
                return changes.moves[0]
            self.residents.drop([user])

    async def _settle_aliases(
        self, users: Iterable[str], model: Model | None, now: float, moves: list[Move]
    ) -> None:
        """Let affinities of listeners who are held be of artists, none of an alias; add to moves."""
        for user in self._unsettled.intersection(users):
            was = self.residents.head(self.residents.index[user])
            try:
                move = await self._rewrite_in_turn(user, _as_they_are, model, now)
            except PartOfAnother:
                continue
            if move and self.residents.head(self.residents.index[user]).moved != was.moved:
                moves.append(move)

    async def _apply(
        self, clicks: Mapping[str, Sequence[Click]], model: Model | None, now: float, moves: list[Move]
    ) -> None:
        while clicks:
            # Also where whoever gave them has done so: that may be long ago, and was forgotten where the song
            # has come since. Those that count for another are expected under the id that they name.
            late = [c for own in clicks.values() for c in own if c.song_id and not c.artist_ids]
            await self._waiting.expect(late, now)
            async with self._turns.of(clicks.keys()):
                away = await self._apply_in_turn(clicks, model, now, moves)
            counted: dict[str, list[Click]] = {}
            for user, own in away.items():
                root = await self.identities.root(user, model, now, moves)
                counted.setdefault(root, []).extend(under(click, root) for click in own)
            clicks = counted

    async def _apply_in_turn(
        self, clicks: Mapping[str, Sequence[Click]], model: Model | None, now: float, moves: list[Move]
    ) -> dict[str, list[Click]]:
        """Apply clicks, but those that are to count for another listener, which are returned by their id.

        Moves are added as soon as they are on record: a step after that may fail.
        """
        away: dict[str, list[Click]] = {}
        while clicks:
            clicks = self._here(clicks, await self._hold(clicks.keys(), model), away)
            if self._unsettled:
                await self._settle_aliases(clicks, model, now, moves)
                if not self.residents.index.keys() >= clicks.keys():
                    continue  # one has become part of another meanwhile
            try:
                refused, said = await self._update(clicks, model, now)
            except BaseException:
                # Whether it was written is not known: what is in memory may be ahead of the record.
                self.residents.drop(clicks)
                raise
            self.residents.drop(refused)
            moves += said
            clicks = await self._still_waiting({user: clicks[user] for user in refused})
        return away

    def _here(
        self, clicks: Mapping[str, Sequence[Click]], into: Set[str], away: dict[str, list[Click]]
    ) -> Mapping[str, Sequence[Click]]:
        """Put aside clicks of who is part of another, and of ids that are no part of their listener."""
        if not into and not any("~" in click.partition for own in clicks.values() for click in own):
            return clicks
        here: dict[str, Sequence[Click]] = {}
        for user, own in clicks.items():
            if user in into:  # without a click, too: their listener is to be migrated to the model
                away.setdefault(user, [])
            part = frozenset[str]() if user in into else self._joined(user, own)
            kept = []
            for click in own:
                named = click.partition.of if "~" in click.partition else ""
                if user not in into and (not named or click.waited or tag_of(named) in part):
                    kept.append(click)
                elif named:
                    away.setdefault(named, []).append(under(click, named))
                else:
                    away.setdefault(user, []).append(click)
            if user not in into and (kept or not own):
                here[user] = kept
        return here

    def _joined(self, user: str, clicks: Sequence[Click]) -> frozenset[str]:
        """Return the tags of ids that are part of a listener; of one who is not there, of all that say so."""
        residents = self.residents
        row = residents.index[user]
        if not residents.rev[row]:  # there was nothing to be joined, or it would be there
            named = {click.partition.of for click in clicks if "~" in click.partition} - {""}
            tags = {tag_of(name) for name in named}
            residents.joined[row] = residents.joined.get(row, frozenset()) | tags
        return residents.joined.get(row, frozenset())

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
        clicks, event_ids = await self._once(self._once_with_files(clicks))
        flat = [click for own in clicks.values() for click in own]
        others = [user for user, own in clicks.items() if not own]
        if not self._aliases.empty:
            flat = list(map(self._aliases.of_click, flat))
        changes = update(self.residents, flat, others, model, self._rules, now)
        changes.event_ids = {self.residents.index[user]: held for user, held in event_ids.items()}
        refused = set(await self._listeners.write(self.residents, changes, model.version if model else 0))
        self.repeated += sum(click.repeated for click in flat if click.user_id not in refused)
        return refused, [move for move in changes.moves if move.user_id not in refused]

    def _once_with_files(self, clicks: Mapping[str, Sequence[Click]]) -> Mapping[str, Sequence[Click]]:
        if not self._loaded:
            return clicks
        said, residents, until = dict(clicks), self.residents, self._last_ends
        for user, own in clicks.items():
            if any(click.offset < until.get(click.partition.partition("~")[0], 0) for click in own):
                said[user] = once_with_files(own, residents.offsets(residents.index[user]), self._loaded)
        return said

    async def _once(
        self, clicks: Mapping[str, Sequence[Click]]
    ) -> tuple[Mapping[str, Sequence[Click]], Mapping[str, bytes]]:
        """Say which clicks were counted before, by their `event_id`, and what of them is to be remembered."""
        if not self._most_event_ids:
            return clicks, {}
        named = [user for user, own in clicks.items() if any(click.event_id for click in own)]
        if not named:
            return clicks, {}
        said, remembered = dict(clicks), {}
        for user, held in (await self._event_ids.of(named)).items():
            applied = self.residents.offsets(self.residents.index[user])
            said[user], event_ids = once(clicks[user], applied, held, self._most_event_ids)
            if event_ids:
                remembered[user] = event_ids
        return said, remembered

    async def _hold(self, users: Set[str], model: Model | None) -> set[str]:
        """Hold listeners; return those who are part of another, who are not held."""
        if self._changes != self._aliases.changes:
            self._changes = self._aliases.changes
            self.forget()
        self.residents.drop(self.residents.doubtful(users))
        self.met += len(users)
        missing = [user for user in users if user not in self.residents.index]
        self.reads += len(missing)
        into: set[str] = set()
        for first in range(0, len(missing), READ_AT_ONCE):
            async with self._reading:
                into |= await self._read(missing[first : first + READ_AT_ONCE], model)
        return into

    async def _read(self, users: Sequence[str], model: Model | None) -> set[str]:
        """Read listeners and hold them; return those who are part of another, who are not held."""
        read = await self._listeners.read(users, activity=self._activity)
        here = [listener for listener in read if not listener.into]
        self.residents.add(here, model)
        self._unsettled.difference_update(users)
        self._unsettled.update(
            listener.user_id
            for listener in here
            if self._aliases.concern(listener) and self._aliases.settled(listener) is not listener
        )
        return {listener.user_id for listener in read if listener.into}

    def forget(self) -> None:
        """Read all who are held again when they are met next: what made them so, Redis may have lost."""
        self.residents.doubt()

    def release(self, sources: Iterable[str]) -> None:
        """Hold no longer whose clicks come from sources that another process reads from now on."""
        self._drop(self.residents.of_sources(sources))

    async def _trim(self) -> None:
        residents = self.residents
        if residents.nbytes <= self._limit:
            return
        # Columns keep their memory, so that it is rows without a listener that let them grow no further.
        if residents.spare < SPARE * len(residents):
            self._drop(residents.oldest(max(1, int(SPARE * len(residents)))))
        if residents.nbytes <= (1 + SPARE) * self._limit:
            return
        # Listeners have met more artists than there was room for when they came.
        async with self._turns.of_all():
            if residents.nbytes > (1 + SPARE) * self._limit:
                too_many = 1.0 - (1 - SPARE) * self._limit / residents.packed_nbytes
                if too_many > 0:
                    residents.drop(residents.oldest(math.ceil(too_many * len(residents))))
                residents.pack()

    def _drop(self, users: Iterable[str]) -> None:
        self.residents.drop(user for user in users if not self._turns.holds(user))


class _Turns:
    """Lets one part at a time work on a listener."""

    def __init__(self) -> None:
        self._held: list[tuple[Set[str] | None, asyncio.Event]] = []  # None: all listeners

    def holds(self, user: str) -> bool:
        """Say whether somebody works on a listener, or is about to."""
        return any(held is None or user in held for held, _ in self._held)

    @asynccontextmanager
    async def of(self, users: Set[str]) -> AsyncIterator[None]:
        """Wait until nobody who came before works on one of these listeners, and hold them."""
        before = [done for held, done in self._held if held is None or not held.isdisjoint(users)]
        async with self._after(before, users):
            yield

    @asynccontextmanager
    async def of_all(self) -> AsyncIterator[None]:
        """Wait until nobody who came before works on any listener, and hold all."""
        async with self._after([done for _, done in self._held], None):
            yield

    @asynccontextmanager
    async def _after(self, before: Sequence[asyncio.Event], users: Set[str] | None) -> AsyncIterator[None]:
        turn = (users, asyncio.Event())
        self._held.append(turn)
        try:
            for done in before:
                await done.wait()
            yield
        finally:
            self._held.remove(turn)
            turn[1].set()


async def _as_they_are(listener: Listener) -> tuple[Listener, Extra] | None:
    return listener, Extra()


def _parts(clicks: Mapping[str, Sequence[Click]], size: int) -> list[dict[str, Sequence[Click]]]:
    items = iter(clicks.items())
    return [dict(part) for part in iter(lambda: list(islice(items, size)), [])]
