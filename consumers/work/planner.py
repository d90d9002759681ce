"""Plans an audience: where a release points, which cohorts it suits, which of their members most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from consumers.work.member_cache import MemberCache, Members
from models.audience import Target, aim, choose_cohorts, rank_cohorts, rank_members, score_limit
from models.model import Model
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.releases import Audience, Releases
from stream.wire.events import Page, Release

__all__ = ["Draft", "Planner", "cut"]

PAGE = 1000


@dataclass(frozen=True)
class Ranked:
    """Listeners whose own score was looked at, best first, their cohorts and scores (cosines)."""

    users: list[str] = field(default_factory=list)
    cohorts: list[str] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)


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
        The cohorts whose members were looked at, best first.
    ranked
        These members.
    told
        Places in `ranked`, best first.
    """

    reason: str
    target: Target
    play_rate: dict[str, float] = field(default_factory=dict)
    chosen: tuple[str, ...] = ()
    ranked: Ranked = field(default_factory=Ranked)
    told: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Planner:
    """Says whom to tell of a release. Writes nothing.

    Parameters
    ----------
    candidates
        Share of all listeners whose own score may be looked at.
    max_audience
        Listeners told of a release that does not say how many.
    """

    member_cache: MemberCache
    cohorts: Cohorts
    catalogue: Catalogue
    releases: Releases
    candidates: float
    max_audience: int

    async def plan(self, release: Release, model: Model | None, now: float) -> Audience:
        """Plan the audience of a release as the model sees it now (Unix seconds)."""
        if model is None:
            return Audience((), {}, "no model yet", "nothing")
        return cut(release, model, await self.draft(release, model), now)

    async def draft(self, release: Release, model: Model) -> Draft:
        """Choose whom to tell of a release, and keep what that went by."""
        target = await self._aim(release, model)
        if target.relied_on == "nothing":
            return Draft("nobody knows these artists yet", target)
        rates = rank_cohorts(model, target)
        play_rate = dict(zip(model.cohort_ids, rates.tolist(), strict=True))
        known = await self.cohorts.sizes()
        sizes = np.array([known.get(cohort, 0) for cohort in model.cohort_ids])
        members = await self._members(release, model, rates, sizes)
        chosen = tuple(members)
        if not members and sizes.any():
            return Draft("no cohort reaches min_ctr", target, play_rate)
        if not any(held.users for held in members.values()):
            return Draft("nobody is placed under this model yet", target, play_rate, chosen)
        ranked = _rank(members, target)
        told = await self._told(ranked, release.max_audience or self.max_audience)
        reason = "done" if told else "everybody in these cohorts has opted out"
        return Draft(reason, target, play_rate, chosen, ranked, told)

    async def _aim(self, release: Release, model: Model) -> Target:
        return aim(
            model,
            release.artist_ids,
            featuring=release.featuring,
            similar_to=release.similar_to,
            label=await self.catalogue.artists_of_label(release.label) if release.label else (),
            genres=release.genres,
            by_genre=await self.catalogue.artists_of_genres(release.genres),
        )

    async def _members(
        self,
        release: Release,
        model: Model,
        rates: npt.NDArray[np.float64],
        sizes: npt.NDArray[np.int64],
    ) -> dict[str, Members]:
        """Return the members of the cohorts chosen, whose sizes are these."""
        places = release.max_audience or self.max_audience
        limit = score_limit(int(sizes.sum()), places, self.candidates)
        chosen = choose_cohorts(rates, sizes, limit, release.min_ctr or 0.0)
        return await self.member_cache.members(
            {model.cohort_ids[row]: int(sizes[row]) for row in chosen}, model.n_dims
        )

    async def _told(self, ranked: Ranked, places: int) -> list[int]:
        told: dict[str, int] = {}
        for at in range(0, len(ranked.users), places):
            some = range(at, min(at + places, len(ranked.users)))
            out = await self.releases.opted_out([ranked.users[place] for place in some])
            for place in some:
                # Who moved between the moments at which two cohorts were read is in both.
                if ranked.users[place] not in out:
                    told.setdefault(ranked.users[place], place)
            if len(told) >= places:
                break
        return list(told.values())[:places]


def _rank(members: Mapping[str, Members], target: Target) -> Ranked:
    users = [user for held in members.values() for user in held.users]
    cohorts = [cohort for cohort, held in members.items() for _ in held.users]
    order, scores = rank_members(np.concatenate([held.tastes for held in members.values()]), target)
    rows = order.tolist()
    return Ranked([users[row] for row in rows], [cohorts[row] for row in rows], scores.tolist())


def cut(release: Release, model: Model, draft: Draft, now: float) -> Audience:
    """Cut a draft into pages of one cohort each; the page that promises most comes first."""
    return Audience(_pages(release, model, draft, now), draft.play_rate, draft.reason, draft.target.relied_on)


def _pages(release: Release, model: Model, draft: Draft, now: float) -> tuple[Page, ...]:
    users, scores = draft.ranked.users, draft.ranked.scores
    shelves: dict[str, list[int]] = {}
    for place in draft.told:
        shelves.setdefault(draft.ranked.cohorts[place], []).append(place)
    cuts = [
        (cohort, places[at : at + PAGE])
        for cohort, places in shelves.items()
        for at in range(0, len(places), PAGE)
    ]
    cuts.sort(key=lambda cut: -sum(scores[place] for place in cut[1]) / len(cut[1]))
    return tuple(
        Page(
            release_id=release.release_id,
            cohort_id=cohort,
            page=number,
            user_ids=[users[place] for place in places],
            scores=[round(scores[place], 6) for place in places],
            model_version=model.version,
            emitted_at=now,
        )
        for number, (cohort, places) in enumerate(cuts)
    )
