"""Members of cohorts and their tastes, in memory, so that a release reads none of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from models.audience import Target
from models.model import Model
from models.names import UNUSED, Names, hashes, to_keep
from models.taste import log_length, unit
from models.traits.where import Where
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.told import LATELY, Told
from stream.stores.traits import Traits

__all__ = ["TOP", "MemberCache", "Members"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

TOLERANCE = 0.05  # of a cohort's size: see `MemberCache._most_stale`
TRAITS_AT_ONCE = 1000  # listeners, for 25 scripts of a third of a millisecond
VALUE_BYTES = 8  # of memory for a trait of a listener that is a number; a stage takes some more
TOLD_AT_ONCE = 2000  # listeners: each of 64 hashes is asked once for so many
AT_ONCE = 200  # listeners: a release that comes waits until so many are read, about a millisecond
LISTENERS_A_SECOND = 10_000  # read in the background: a tenth of one core
LIMIT_MB = 1000.0  # 2.2 million listeners of 64 dimensions and a dozen artists
TOP = 200  # artists of a listener, the strongest
USUAL = 10  # artists of a listener, before it is known
NAME_BYTES = 80  # of memory for a listener's id and the reference to it
MB = 1_000_000


@dataclass(frozen=True, eq=False)
class Members:
    """The members of a cohort who have a taste.

    Attributes
    ----------
    users
        n listeners.
    hashes
        Shape (n,), of their ids (`models.names.hashes`).
    tastes
        Shape (n, d), single precision, unit length.
    strengths
        Shape (n,), single precision, log2 of how long they were before (`models.taste.log_length`).
    told
        Shape (n, 5), single precision, what they were told lately (`stream.stores.told.LATELY`).
    last_seen, utc_offset_min
        Shape (n,), single precision: when they clicked last, in Unix seconds (right to two minutes), and by
        how many minutes their clocks are ahead of UTC; NaN for what is not known.
    artists, players
        Shape (m,): what they still play, numbers in `MemberCache.artists`, rising, and the row of
        who plays it.
    counted
        Members when they were read, those without a taste included.
    read_at
        Seconds of the monotonic clock.
    traits
        Trait -> its values, shape (n,), as `stream.stores.traits.Traits.columns` has them; of those that
        `MemberCache.traits` named when they were read.
    """

    users: tuple[str, ...]
    hashes: Ints
    tastes: npt.NDArray[np.float32]
    strengths: npt.NDArray[np.float32]
    told: npt.NDArray[np.float32]
    last_seen: npt.NDArray[np.float32]
    utc_offset_min: npt.NDArray[np.float32]
    artists: npt.NDArray[np.int32]
    players: npt.NDArray[np.int32]
    counted: int
    read_at: float
    traits: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    _failing: dict[Where, npt.NDArray[np.int16]] = field(default_factory=dict, init=False, repr=False)

    def failing(self, where: Where) -> npt.NDArray[np.int16]:
        """Return `Where.failing` of all, shape (n,), by the `traits` that are held.

        Kept for the conditions asked for last: as one types, the same are asked for again and again.
        """
        if where not in self._failing:
            self._failing.clear()
            self._failing[where] = where.failing(self.traits).astype(np.int16)
        return self._failing[where]

    @property
    def n_bytes(self) -> int:
        """Memory that they take, in bytes."""
        of_each = (self.hashes, self.tastes, self.strengths, self.told, self.last_seen, self.utc_offset_min)
        arrays: list[npt.NDArray[Any]] = [*of_each, self.artists, self.players, *self.traits.values()]
        return sum(array.nbytes for array in arrays) + NAME_BYTES * len(self.users)


@dataclass(eq=False)
class _Read:
    """A cohort that is being read, and how many wait for it."""

    task: asyncio.Task[Members]
    waiting: int = 0


class MemberCache:
    """Holds the members of cohorts and reads them again in the background, one cohort after the other.

    Who has just joined a cohort may be missing until it is read again: within a second or two where many
    have joined it, else within a round of all cohorts, ten seconds for every 100,000 listeners.

    Parameters
    ----------
    idle
        Set while no release is being answered: only then members are read in the background.
    limit_mb
        Memory for members, in MB (10^6 bytes). Cohorts for which there is no room are read for each release.
    trait_store
        Where `traits` are read; None: `traits` stays empty.

    Attributes
    ----------
    artists
        The artists that members play, by number: another object once they are renumbered.
    held
        Cohort -> its members.
    traits
        Traits that members are held with, by name. A worker names none: a release goes by what Redis says.
    """

    def __init__(
        self,
        listeners: Listeners,
        cohorts: Cohorts,
        told: Told,
        idle: asyncio.Event | None = None,
        limit_mb: float = LIMIT_MB,
        trait_store: Traits | None = None,
    ) -> None:
        self._listeners = listeners
        self._cohorts = cohorts
        self._told = told
        self._idle = idle
        self._limit = limit_mb * MB
        self._trait_store = trait_store
        self.traits: tuple[str, ...] = ()
        self.artists = Names()
        self._looked_at = 0  # so many artists
        self.held: dict[str, Members] = {}
        self._reads: dict[tuple[str, int], _Read] = {}

    async def sizes(self, cohorts: Sequence[str]) -> Mapping[str, int]:
        """Return how many members each cohort has; Redis is asked only where not all of them are held."""
        if all(cohort in self.held for cohort in cohorts):
            return {cohort: self.held[cohort].counted for cohort in cohorts}
        return await self._cohorts.sizes()

    async def members(self, cohorts: Sequence[str], model: Model) -> dict[str, Members]:
        """Return the members of cohorts of the live model, of which those that are not held are read."""
        while True:
            artists = self.artists
            found = {cohort: self.held[cohort] for cohort in cohorts if self.holds(cohort, model)}
            for cohort in cohorts:
                if cohort not in found:
                    found[cohort] = await self._read_for_all(cohort, model)
            if self.artists is artists:  # else those found first have other numbers by now
                return {cohort: found[cohort] for cohort in cohorts}

    async def cohorts_of(self, users: Sequence[str]) -> dict[str, str]:
        """Return the cohort of each listener, as their record has it; "" where there is none."""
        return {placed.user_id: placed.cohort for placed in await self._listeners.placed(users)}

    async def fill(self, model: Model) -> None:
        """Read the members of all cohorts that are not held, as far as there is room."""
        for cohort, size in (await self._cohorts.sizes()).items():
            if self.missing(model, {cohort: size}):
                await self._read_for_all(cohort, model)

    async def _read_for_all(self, cohort: str, model: Model) -> Members:
        """Read and hold a cohort, once for all who want it; it is read to the end as long as one waits.

        Not together with what is read in the background: that waits until no release is being answered.
        """
        key = cohort, model.version
        if key not in self._reads:
            self._reads[key] = _Read(asyncio.create_task(self._read_and_hold(cohort, model)))
        read = self._reads[key]
        read.waiting += 1
        try:
            return await asyncio.shield(read.task)
        finally:
            read.waiting -= 1
            if not read.waiting:
                read.task.cancel()  # nothing, where it is done
            if self._reads.get(key) is read and (read.task.done() or not read.waiting):
                del self._reads[key]

    async def _read_and_hold(self, cohort: str, model: Model) -> Members:
        members = await self._read(cohort, model)
        self._hold(cohort, members)  # in the same step: artists may be renumbered in the next
        return members

    def missing(self, model: Model, sizes: Mapping[str, int]) -> list[str]:
        """Return which cohorts (-> size) are not held, of those that there is room for."""
        return [
            cohort
            for cohort, size in sizes.items()
            if not self.holds(cohort, model) and self._has_room(size * _member_bytes(model.n_dims))
        ]

    async def refresh(
        self,
        model: Model,
        *,
        changed_at: float = np.inf,
        least_age: float = 0.0,
        a_second: int = LISTENERS_A_SECOND,
    ) -> None:
        """Read the cohort that needs it most, if one does, then rest for as long as `a_second` asks for.

        Parameters
        ----------
        changed_at
            When listeners were changed last, seconds of the monotonic clock: a cohort that was read after
            that and has its size still is not read.
        least_age
            Seconds for which a cohort serves in any case, unless its size changes by `TOLERANCE`.
        a_second
            How many listeners are read in a second at most.
        """
        sizes = await self._cohorts.sizes()
        for cohort in [*self.held]:
            if cohort not in sizes or not self.holds(cohort, model):
                del self.held[cohort]
        self._give_up_artists()
        if new := self.missing(model, sizes):
            self._hold(new[0], await self._read(new[0], model, self._idle))
        elif lacking := self.lacking_traits():
            await self._add_traits(lacking[0])
        elif stale := self._most_stale(sizes, changed_at, least_age):
            self._hold(stale, await self._read(stale, model, self._idle))
            await asyncio.sleep(sizes[stale] / a_second)

    def forget(self) -> None:
        """Hold no members, and no artists that they play."""
        self.held.clear()
        self.artists, self._looked_at = Names(), 0

    def _give_up_artists(self) -> None:
        """Renumber artists where many of them are played by no member any more."""
        if (1 - UNUSED) * len(self.artists) <= self._looked_at:
            return
        used = np.zeros(len(self.artists), dtype=bool)
        for members in self.held.values():
            used[members.artists] = True
        if (kept := to_keep(used)) is not None:
            self.artists = Names(self.artists.names[at] for at in kept.tolist())
            for cohort, members in self.held.items():
                numbers = np.searchsorted(kept, members.artists).astype(np.int32)
                self.held[cohort] = replace(members, artists=numbers)
        self._looked_at = len(self.artists)

    def lacking_traits(self) -> list[str]:
        """Return which cohorts are held without some of `traits`; none where there is no room for these."""
        wanted = {*self.traits}
        lacking = [name for name, members in self.held.items() if not members.traits.keys() >= wanted]
        most = max((len(self.held[cohort].users) for cohort in lacking), default=0)
        return lacking if lacking and self._has_room(VALUE_BYTES * len(wanted) * most) else []

    async def _add_traits(self, cohort: str) -> None:
        members = self.held[cohort]
        traits = await self._traits_of(members.users, self._idle)
        if self.held.get(cohort) is members:  # nobody has read it, or let it go, meanwhile
            self._hold(cohort, replace(members, traits=traits))

    async def _traits_of(
        self, users: Sequence[str], idle: asyncio.Event | None
    ) -> dict[str, npt.NDArray[Any]]:
        if not self.traits or self._trait_store is None:
            return {}
        traits, parts = self.traits, []
        for first in range(0, max(len(users), 1), TRAITS_AT_ONCE):
            if idle is not None:
                await idle.wait()
            parts.append(await self._trait_store.columns(users[first : first + TRAITS_AT_ONCE], traits))
        return {trait: np.concatenate([part[trait] for part in parts]) for trait in traits}

    def neighbours(self, model: Model, target: Target) -> tuple[Ints, Floats]:
        """Return the neighbours of a release's artists, by number in `artists`, and what each adds."""
        known = self.numbers([model.artists[row] for row in target.beside.tolist()])
        return known[known >= 0], target.adds[known >= 0]

    def numbers(self, artists: Sequence[str]) -> Ints:
        """Return the numbers of artists in `artists`; -1 for those whom no member plays."""
        return np.array([self.artists.index.get(artist, -1) for artist in artists], dtype=np.int64)

    def holds(self, cohort: str, model: Model) -> bool:
        """Say whether a cohort's members are at hand, with tastes of the model's dimensions."""
        return cohort in self.held and self.held[cohort].tastes.shape[1] == model.n_dims

    def _has_room(self, n_bytes: int, but: str = "") -> bool:
        held = sum(members.n_bytes for cohort, members in self.held.items() if cohort != but)
        return held + n_bytes <= self._limit

    def _hold(self, cohort: str, members: Members) -> None:
        if self._has_room(members.n_bytes, but=cohort):
            self.held[cohort] = members
        else:
            self.held.pop(cohort, None)

    def _most_stale(self, sizes: Mapping[str, int], changed_at: float, least_age: float) -> str | None:
        """Return the cohort read longest ago; a change of its size by `TOLERANCE` makes it twice as old.

        None where none is to be read, by what `refresh` is given.
        """
        now = time.monotonic()

        def changed(cohort: str) -> float:
            return abs(sizes[cohort] - self.held[cohort].counted) / max(sizes[cohort], 1)

        def staleness(cohort: str) -> float:
            return (now - self.held[cohort].read_at) * (1 + changed(cohort) / TOLERANCE)

        due = [
            cohort
            for cohort, held in self.held.items()
            if (held.read_at <= changed_at or held.counted != sizes[cohort])
            and (staleness(cohort) >= least_age or changed(cohort) >= TOLERANCE)
        ]
        return max(due, key=staleness, default=None)

    async def _read(self, cohort: str, model: Model, idle: asyncio.Event | None = None) -> Members:
        dims = model.n_dims
        if idle is not None:
            await idle.wait()
        began, names = time.monotonic(), self.artists
        everyone = (await self._cohorts.everyone([cohort]))[cohort]
        users: list[str] = []
        tastes = [np.zeros((0, dims), dtype=np.float32)]
        strengths = [np.zeros(0, dtype=np.float32)]
        clocks = [np.zeros((0, 2), dtype=np.float32)]
        artists, counts = [np.zeros(0, dtype=np.int64)], list[int]()
        for first in range(0, len(everyone), AT_ONCE):
            if idle is not None:
                await idle.wait()
            some, sums = await self._listeners.tastes(everyone[first : first + AT_ONCE], dims)
            users += some
            tastes.append(unit(sums).astype(np.float32))
            strengths.append(log_length(sums).astype(np.float32))
            clocks.append((await self._listeners.clocks(some)).astype(np.float32))
            played = await self._listeners.artists(some, TOP, model.faded)
            counts += [len(theirs) for theirs in played]
            artists.append(names.places(list(chain.from_iterable(played))))
        told = [np.zeros((0, len(LATELY)), dtype=np.float32)]
        for first in range(0, len(users), TOLD_AT_ONCE):
            if idle is not None:
                await idle.wait()
            lately = await self._told.lately(users[first : first + TOLD_AT_ONCE], time.time())
            told.append(lately.astype(np.float32))
        traits = await self._traits_of(users, idle)
        numbers, players = np.concatenate(artists), np.repeat(np.arange(len(users)), counts)
        if names is not self.artists:  # they were renumbered meanwhile
            numbers = self.artists.places([names.names[number] for number in numbers.tolist()])
        last_seen, utc_offset_min = np.concatenate(clocks).T
        by_artist = np.argsort(numbers, kind="stable")
        return Members(
            tuple(users),
            hashes(users),
            np.concatenate(tastes),
            np.concatenate(strengths),
            np.concatenate(told),
            last_seen,
            utc_offset_min,
            numbers[by_artist].astype(np.int32),
            players[by_artist].astype(np.int32),
            len(everyone),
            began,
            traits,
        )


def _member_bytes(dims: int) -> int:
    return 4 * (dims + 3 + len(LATELY)) + 8 + 8 * USUAL + NAME_BYTES
