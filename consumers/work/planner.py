"""Plans an audience: where a release points, which cohorts it suits, which of their members most."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

from consumers.work.member_cache import MemberCache, Members
from models.audience import (
    Target,
    aim,
    best_rows,
    choose_cohorts,
    mean_score,
    rank_cohorts,
    score,
)
from models.model import Model
from models.names import hashes
from models.neighbours import add_up
from stream.stores.catalogue import Catalogue
from stream.stores.opted_out import OptedOut
from stream.wire.events import Page, Release

__all__ = ["Audience", "Candidates", "Draft", "Lookup", "Planner", "cut"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PAGE = 1000
ROUNDING = 1e-3  # where all are alike, all score the mean


@dataclass(frozen=True)
class Lookup:
    """What Redis is asked before a release can be planned.

    Attributes
    ----------
    label
        Artists of the same record label.
    by_genre
        Genre -> artists who have songs of it.
    opted_out
        How many listeners have opted out.
    """

    label: Sequence[str]
    by_genre: Mapping[str, Collection[str]]
    opted_out: int


@dataclass(frozen=True, eq=False)
class Candidates:
    """Listeners who were scored one by one, in no order.

    Attributes
    ----------
    cohorts
        k cohorts that were looked at, best first.
    ends
        Shape (k,): behind the last row of each cohort.
    members
        Those of each cohort, n listeners in all, numbered through; one who moved between the moments at which
        two cohorts were read is among both.
    scores
        Shape (n,), `models.audience.score_members`.
    """

    cohorts: tuple[str, ...]
    ends: Ints
    members: tuple[Members, ...]
    scores: npt.NDArray[np.float32]

    @classmethod
    def of(
        cls,
        members: Mapping[str, Members],
        model: Model,
        target: Target,
        neighbours: tuple[Ints, Floats],
    ) -> Candidates:
        """Score the members of cohorts for a release; `neighbours` are from `MemberCache.neighbours`."""
        held = tuple(members.values())
        sizes = [len(each.users) for each in held]
        vector = target.vector.astype(np.float32)
        closeness = np.concatenate([each.tastes @ vector for each in held])
        strengths = np.concatenate([each.strengths for each in held])
        added = add_up(*neighbours, ((each.artists, each.players) for each in held), sizes)
        return cls(tuple(members), np.cumsum(sizes), held, score(model, closeness, strengths, added))

    def best(self, number: int, but: Ints) -> Ints:
        """Return the rows of the `number` best listeners, best first, each once.

        Parameters
        ----------
        but
            The `models.names.hashes`, rising, of listeners who are left out.
        """
        wanted = number
        while True:
            rows = best_rows(self.scores, wanted)
            found = self._hashes[rows]
            _, first = np.unique(found, return_index=True)  # the better row of who is there twice
            first = np.sort(first[~_among(found[first], but)])
            if len(first) >= number or wanted >= len(self.scores):
                return rows[first[:number]]
            wanted += 2 * (number - len(first))

    @cached_property
    def _hashes(self) -> Ints:
        return np.concatenate([NO_ROWS, *(each.hashes for each in self.members)])

    def cohorts_at(self, rows: Ints) -> list[str]:
        """Return the cohorts of some rows."""
        return [self.cohorts[at] for at in np.searchsorted(self.ends, rows, side="right").tolist()]

    def at_least(self, least: float, rows: Ints) -> Ints:
        """Return those rows that score at least so high, give or take what rounding does."""
        return rows[self.scores[rows] >= least - ROUNDING * abs(least)]

    def users_at(self, rows: Ints) -> list[str]:
        """Return the listeners of some rows."""
        cohorts = np.searchsorted(self.ends, rows, side="right")
        places = rows - np.concatenate([[0], self.ends])[cohorts]
        return [
            self.members[cohort].users[place]
            for cohort, place in zip(cohorts.tolist(), places.tolist(), strict=True)
        ]

    def row_of(self, user: str) -> int | None:
        """Return the row of a listener; None where they are not among these."""
        rows = np.flatnonzero(self._hashes == hash(user))
        return int(rows[0]) if len(rows) else None


def _among(found: Ints, some: Ints) -> npt.NDArray[np.bool_]:
    """Say which numbers are among some, which rise. `np.isin` would sort all of these for every release."""
    at = np.searchsorted(some, found)
    here: npt.NDArray[np.bool_] = np.zeros(len(found), dtype=bool)
    inside = at < len(some)
    here[inside] = some[at[inside]] == found[inside]
    return here


NO_ROWS = np.zeros(0, dtype=np.int64)
NOBODY = Candidates((), NO_ROWS, (), np.zeros(0, dtype=np.float32))


@dataclass(frozen=True)
class Draft:
    """An audience before it is cut into pages, and what it went by.

    Attributes
    ----------
    reason
        "done", or why there is nobody to tell.
    target
        Where the release points.
    play_rate
        Cohort -> predicted share of its members who play the artist (`rank_cohorts`).
    chosen
        The cohorts whose members were scored, best first.
    candidates
        These members.
    told
        Rows of `candidates`, best first.
    """

    reason: str
    target: Target
    play_rate: dict[str, float] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    candidates: Candidates = NOBODY
    told: Ints = field(default_factory=lambda: NO_ROWS)


@dataclass(frozen=True)
class Audience:
    """Whom to tell of a release.

    Attributes
    ----------
    pages
        Best first. Each is made when it is come to, so that the first is out before the others are made.
    play_rate
        Cohort -> predicted share of its members who play the artist (`rank_cohorts`).
    reason
        "done", or why there is nobody to tell.
    relied_on
        What the release was known by, the weightiest first, with commas: artists, featuring, similar_to,
        label, genres; or nothing.
    """

    pages: Iterable[Page]
    play_rate: Mapping[str, float]
    reason: str
    relied_on: str


@dataclass(frozen=True)
class Planner:
    """Says whom to tell of a release. Writes nothing.

    Parameters
    ----------
    max_audience
        Listeners told at most of a release that does not say how many. It is told to those only who score at
        least as high as listeners do on average.
    """

    member_cache: MemberCache
    catalogue: Catalogue
    opted_out: OptedOut
    max_audience: int

    async def look_up(self, release: Release) -> Lookup:
        """Ask Redis, in one round trip, all that a plan needs of it."""
        label, by_genre, opted_out = await asyncio.gather(
            self.catalogue.artists_of_label(release.label),
            self.catalogue.artists_of_genres(release.genres),
            self.opted_out.count(),
        )
        return Lookup(label, by_genre, opted_out)

    async def plan(
        self, release: Release, lookup: Lookup, model: Model | None, now: float, before: Sequence[Page] = ()
    ) -> Audience:
        """Plan the audience of a release as the model sees it now (Unix seconds).

        Parameters
        ----------
        before
            Pages that are fixed already: the plan is of those that follow.
        """
        if model is None:
            return Audience((), {}, "no model yet", "nothing")
        told = {user for page in before for user in page.user_ids}
        draft = await self.draft(release, lookup, model, told)
        return cut(release, model, draft, now, first=len(before))

    async def draft(
        self, release: Release, lookup: Lookup, model: Model, told: Set[str] = frozenset()
    ) -> Draft:
        """Choose whom to tell of a release, besides those who are told already; keep what that went by."""
        target = aim(
            model,
            release.artist_ids,
            featuring=release.featuring,
            similar_to=release.similar_to,
            label=lookup.label,
            genres=release.genres,
            by_genre=lookup.by_genre,
        )
        if target.relied_on == "nothing":
            return Draft("nobody knows these artists yet", target)
        rates = rank_cohorts(model, target)
        play_rate = dict(zip(model.cohort_ids, rates.tolist(), strict=True))
        known = await self.member_cache.sizes(model.cohort_ids)
        sizes = np.array([known.get(cohort, 0) for cohort in model.cohort_ids])
        places = release.max_audience or self.max_audience
        at_hand = [self.member_cache.holds(cohort, model) for cohort in model.cohort_ids]
        unread = np.where(at_hand, 0, sizes)
        rows = choose_cohorts(rates, sizes, unread, places, release.min_ctr or 0.0)
        chosen = tuple(model.cohort_ids[row] for row in rows)
        if not chosen and sizes.any():
            return Draft("no cohort reaches min_ctr", target, play_rate)
        members = await self.member_cache.members(chosen, model)
        if not any(held.users for held in members.values()):
            return Draft("nobody is placed under this model yet", target, play_rate, chosen)
        candidates = Candidates.of(members, model, target, self.member_cache.neighbours(model, target))
        best = await self._told(candidates, places - len(told), lookup.opted_out, told)
        if release.max_audience is None:
            best = candidates.at_least(mean_score(model, target), best)
        reason = "done" if len(best) or told else "everybody in these cohorts has opted out"
        return Draft(reason, target, play_rate, chosen, candidates, best)

    async def _told(self, candidates: Candidates, places: int, opted_out: int, told: Set[str]) -> Ints:
        """Return the best candidates' rows; Redis is asked only where more have opted out than is known."""
        out = self.opted_out.hashes
        unknown = abs(opted_out - len(out))
        rows = candidates.best(places + unknown, but=np.union1d(out, hashes(told)) if told else out)
        if unknown:
            users = candidates.users_at(rows)
            newly_out = await self.opted_out.among(users)
            rows = rows[[user not in newly_out for user in users]]
        return rows[:places]


def cut(release: Release, model: Model, draft: Draft, now: float, first: int = 0) -> Audience:
    """Cut a draft into pages, the best listeners first.

    Parameters
    ----------
    now
        Unix seconds.
    first
        The number of the first page.
    """
    candidates = draft.candidates
    scores = candidates.scores.astype(np.float64)
    cuts = [draft.told[at : at + PAGE] for at in range(0, len(draft.told), PAGE)]
    pages = (
        # Ids were checked when they came: to check ten thousand once more takes longer than to rank them.
        Page.model_construct(
            release_id=release.release_id,
            page=number,
            user_ids=candidates.users_at(rows),
            cohort_ids=candidates.cohorts_at(rows),
            scores=scores[rows].round(6).tolist(),
            model_version=model.version,
            emitted_at=now,
        )
        for number, rows in enumerate(cuts, first)
    )
    return Audience(pages, draft.play_rate, draft.reason, draft.target.relied_on)
