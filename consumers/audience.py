"""Plans an audience: where a release points, which cohorts it suits, which of their members most."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from consumers.shelf import Members, Shelf
from models.audience import Target, aim, choose_cohorts, rank_cohorts, rank_members
from models.model import Model
from stream.catalogue import Catalogue
from stream.cohorts import Cohorts
from stream.events import Page, Release
from stream.releases import Audience, Releases

__all__ = ["Planner"]

PAGE = 1000
PER_PLACE = 5  # members whose own score is looked at, for each place in the audience,
AT_LEAST = 20_000  # or so many


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

    shelf: Shelf
    cohorts: Cohorts
    catalogue: Catalogue
    releases: Releases
    candidates: float
    max_audience: int

    async def plan(self, release: Release, model: Model | None, now: float) -> Audience:
        """Plan the audience of a release as the model sees it now (Unix seconds)."""
        if model is None:
            return Audience((), {}, "no model yet", "nothing")
        target = await self._aim(release, model)
        if target.relied_on == "nothing":
            return Audience((), {}, "nobody knows these artists yet", "nothing")
        rates = rank_cohorts(model, target)
        ctr = dict(zip(model.cohort_ids, rates.tolist(), strict=True))
        known = await self.cohorts.sizes()
        sizes = np.array([known.get(cohort, 0) for cohort in model.cohort_ids])
        members = await self._members(release, model, rates, sizes)
        if not members and sizes.any():
            return Audience((), ctr, "no cohort reaches min_ctr", target.relied_on)
        if not any(held.users for held in members.values()):
            return Audience((), ctr, "nobody is placed under this model yet", target.relied_on)
        places = release.max_audience or self.max_audience
        users, cohorts, scores = await self._best(members, target, places)
        if not users:
            return Audience((), ctr, "everybody in these cohorts has opted out", target.relied_on)
        return Audience(_pages(release, model, users, cohorts, scores, now), ctr, "done", target.relied_on)

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
        limit = min(self.candidates * sizes.sum(), max(PER_PLACE * places, AT_LEAST))
        chosen = choose_cohorts(rates, sizes, limit, release.min_ctr or 0.0)
        return await self.shelf.members(
            {model.cohort_ids[row]: int(sizes[row]) for row in chosen}, model.n_dims
        )

    async def _best(
        self, members: dict[str, Members], target: Target, places: int
    ) -> tuple[list[str], list[str], list[float]]:
        users = [user for held in members.values() for user in held.users]
        cohorts = [cohort for cohort, held in members.items() for _ in held.users]
        order, scores = rank_members(np.concatenate([held.tastes for held in members.values()]), target)
        rows, ranked = order.tolist(), scores.tolist()
        told: list[int] = []
        for at in range(0, len(rows), places):
            some = range(at, min(at + places, len(rows)))
            out = await self.releases.opted_out([users[rows[place]] for place in some])
            told += [place for place in some if users[rows[place]] not in out]
            if len(told) >= places:
                break
        told = told[:places]
        return (
            [users[rows[place]] for place in told],
            [cohorts[rows[place]] for place in told],
            [ranked[place] for place in told],
        )


def _pages(
    release: Release, model: Model, users: list[str], cohorts: list[str], scores: list[float], now: float
) -> tuple[Page, ...]:
    """Cut an audience, best first, into pages of one cohort each; the page that promises most comes first."""
    shelves: dict[str, list[int]] = {}
    for place, cohort in enumerate(cohorts):
        shelves.setdefault(cohort, []).append(place)
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
