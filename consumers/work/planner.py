"""Plans an audience: where a release points, which cohorts it suits, which of their members most."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

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
    score_members,
)
from models.model import Model
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
    users
        n listeners; one who moved between the moments at which two cohorts were read is in it twice.
    scores
        Shape (n,), `models.audience.score_members`.
    """

    cohorts: tuple[str, ...]
    ends: Ints
    users: Sequence[str]
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
        added = (
            add_up(*neighbours, held.artists, held.players, len(held.users)) for held in members.values()
        )
        return cls(
            tuple(members),
            np.cumsum([len(held.users) for held in members.values()]),
            list(itertools.chain.from_iterable(held.users for held in members.values())),
            np.concatenate(
                [
                    score_members(model, held.tastes, held.strengths, target, adds)
                    for held, adds in zip(members.values(), added, strict=True)
                ]
            ),
        )

    def best(self, number: int, but: Set[str]) -> Ints:
        """Return the rows of the `number` best listeners who are not in `but`, best first, each once."""
        wanted = number
        while True:
            rows = best_rows(self.scores, wanted)
            users = self.users_at(rows)
            if len(set(users)) < len(users) or not but.isdisjoint(users):
                row_of = dict(zip(users[::-1], rows[::-1].tolist(), strict=True))  # the better row stays
                kept = [row_of[user] for user in dict.fromkeys(users) if user not in but]
                rows = np.array(kept, dtype=np.int64)
            if len(rows) >= number or wanted >= len(self.users):
                return rows[:number]
            wanted *= 2

    def cohorts_at(self, rows: Ints) -> list[str]:
        """Return the cohorts of some rows."""
        return [self.cohorts[at] for at in np.searchsorted(self.ends, rows, side="right").tolist()]

    def at_least(self, score: float, rows: Ints) -> Ints:
        """Return those rows that score at least so high, give or take what rounding does."""
        return rows[self.scores[rows] >= score - ROUNDING * abs(score)]

    def users_at(self, rows: Ints) -> list[str]:
        """Return the listeners of some rows."""
        return [self.users[row] for row in rows.tolist()]


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
        at_hand = [self.member_cache.holds(cohort, model.n_dims) for cohort in model.cohort_ids]
        unread = np.where(at_hand, 0, sizes)
        rows = choose_cohorts(rates, sizes, unread, places, release.min_ctr or 0.0)
        chosen = tuple(model.cohort_ids[row] for row in rows)
        if not chosen and sizes.any():
            return Draft("no cohort reaches min_ctr", target, play_rate)
        members = await self.member_cache.members(chosen, model.n_dims)
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
        out = self.opted_out.held
        unknown = abs(opted_out - len(out))
        rows = candidates.best(places + unknown, but=out | told if told else out)
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
