"""Who clicked where: clicked / members of each cohort, for the releases that should go to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from consumers.report.chance import random_clusters, rate_of
from consumers.report.ledger import Clicks, Counts, Ledger
from consumers.report.options import Comparison
from consumers.report.targets import ReleaseTarget, find_targets
from consumers.runtime.wiring import Stores
from models.click_rate import MIN_SENT
from stream.connect import AnyRedis
from stream.errors import WrongUse
from stream.settings import Settings
from stream.wire.events import Release

__all__ = ["CohortCtr", "CtrReport", "ReleaseCtr", "measure_ctr"]

ASKED_AT_ONCE = 10_000  # ids that clicked: whose part they are


@dataclass(frozen=True)
class CohortCtr:
    """How often members of a cohort clicked on some releases.

    Attributes
    ----------
    members
        Listeners in the cohort now.
    releases
        How many releases.
    clicked
        Pairs of a member and a release that the member clicked on.
    ctr, ctr_low, ctr_high
        `consumers.report.chance.Rate`.
    random_ctr, random_low, random_high
        `consumers.report.chance.Chance`.
    lift
        `ctr` / `random_ctr`; None where either is None or nothing was clicked.
    """

    cohort_id: str
    label: str
    members: int
    releases: int
    clicked: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None
    random_ctr: float
    random_low: float
    random_high: float
    lift: float | None


@dataclass(frozen=True)
class ReleaseCtr:
    """How often members of the cohort that a release should go to clicked on it; else as `CohortCtr`."""

    release_id: str
    artists: tuple[str, ...]
    cohort_id: str
    label: str
    play_rate: float | None
    members: int
    clicked: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None
    random_ctr: float
    random_low: float
    random_high: float
    lift: float | None


@dataclass(frozen=True)
class CtrReport:
    """Who clicked where.

    Attributes
    ----------
    model_version
        The model that the cohorts are of.
    listeners
        In all cohorts.
    releases
        In the file; `without_cohort` of them have none to go to.
    clicks, counted, repeated, unknown_release, unplaced
        What became of the clicks (`consumers.report.ledger.Counts`).
    ctr, random_ctr, lift
        Of all releases together, each in the cohort that it should go to; of random clusters of these sizes.
    release
        The one release that the rows are of; None where they are of all.
    rows
        The highest CTR first.
    """

    model_version: int
    listeners: int
    releases: int
    without_cohort: int
    clicks: int
    counted: int
    repeated: int
    unknown_release: int
    unplaced: int
    ctr: float | None
    random_ctr: float | None
    lift: float | None
    release: ReleaseTarget | None
    rows: tuple[CohortCtr | ReleaseCtr, ...]


async def measure_ctr(
    redis: AnyRedis,
    settings: Settings,
    releases: Iterable[Release],
    clicks: Iterable[tuple[str, str]],
    comparison: Comparison,
) -> CtrReport:
    """Return who clicked where, by the model that serves and the cohorts as they are now.

    Memory holds an entry a release; listeners and clicks wait in a temporary file.

    Parameters
    ----------
    clicks
        Release and listener; a listener counts once for a release, with all ids that are part of them.

    Raises
    ------
    NoModel
        Where no model has been published yet.
    WrongUse
        Where the one release that is asked for is not among the releases.
    """
    known = await find_targets(redis, settings, releases)
    found = {each.release_id: each for each in known.releases}
    if comparison.release and comparison.release not in found:
        raise WrongUse(f"there is no release {comparison.release!r} in the file of releases")
    stores, labels = Stores.on(redis, settings), {}
    cohorts = stores.cohorts
    with Ledger({each.release_id: each.cohort_id for each in known.releases}) as ledger:
        ledger.put_clicks(clicks)
        for users in ledger.clickers(ASKED_AT_ONCE):
            ledger.put_roots(await stores.merges.roots(users))
        living = list(await cohorts.sizes())
        for cohort, about in zip(living, await cohorts.about_each(living), strict=True):
            labels[cohort] = about.get("label", "")
            async for users in cohorts.members(cohort):
                ledger.put_members(cohort, users)
        counts = ledger.count(of=comparison.release)
    measured = _Measured(found, labels, counts, comparison)
    targeted = measured.by_cohort()
    rows: Sequence[CohortCtr | ReleaseCtr] = targeted
    if comparison.release:
        rows = measured.of_one()
    elif comparison.by == "release":
        rows = measured.by_release()
    return CtrReport(
        model_version=known.model_version,
        listeners=measured.listeners,
        releases=len(found),
        without_cohort=sum(not each.cohort_id for each in known.releases),
        clicks=counts.rows,
        counted=counts.counted,
        repeated=counts.repeated,
        unknown_release=counts.unknown_release,
        unplaced=counts.unplaced,
        **_overall(targeted),
        release=found.get(comparison.release),
        rows=tuple(sorted(rows, key=lambda row: (row.ctr is None, -(row.ctr or 0.0)))),
    )


class _Measured:
    """Makes rows of what a ledger has counted."""

    def __init__(
        self,
        releases: Mapping[str, ReleaseTarget],
        labels: Mapping[str, str],
        counts: Counts,
        comparison: Comparison,
    ) -> None:
        self._releases, self._labels, self._counts = releases, labels, counts
        self.listeners = counts.sizes.total()
        self._draws, self._rng = comparison.draws, np.random.default_rng(comparison.seed)

    def by_cohort(self) -> list[CohortCtr]:
        """Return a row for each cohort that a release should go to."""
        releases = Counter(each.cohort_id for each in self._releases.values() if each.cohort_id)
        return [self._cohort(c, self._counts.by_cohort[c], number) for c, number in releases.items()]

    def of_one(self) -> list[CohortCtr]:
        """Return a row for each cohort, of the one release that is asked for."""
        clicked = self._counts.of_one
        everywhere = Counter({1: clicked.total()})
        return [self._cohort(c, Clicks(Counter({1: clicked[c]}), everywhere), 1) for c in self._counts.sizes]

    def by_release(self) -> list[ReleaseCtr]:
        """Return a row for each release that has a cohort to go to."""
        return [self._release(each) for each in self._releases.values() if each.cohort_id]

    def _release(self, release: ReleaseTarget) -> ReleaseCtr:
        members, clicks = self._counts.sizes[release.cohort_id], self._counts.by_release[release.release_id]
        return ReleaseCtr(
            release_id=release.release_id,
            artists=release.artists,
            cohort_id=release.cohort_id,
            label=release.label,
            play_rate=release.play_rate,
            members=members,
            clicked=clicks.inside[1],
            **self._rates(clicks, members, 1),
        )

    def _cohort(self, cohort: str, clicks: Clicks, releases: int) -> CohortCtr:
        members = self._counts.sizes[cohort]
        return CohortCtr(
            cohort_id=cohort,
            label=self._labels.get(cohort, ""),
            members=members,
            releases=releases,
            clicked=sum(times * listeners for times, listeners in clicks.inside.items()),
            **self._rates(clicks, members, releases),
        )

    def _rates(self, clicks: Clicks, members: int, releases: int) -> dict[str, Any]:
        rate = rate_of(clicks.inside, members, releases)
        chance = random_clusters(clicks.everywhere, self.listeners, members, releases, self._draws, self._rng)
        return {**vars(rate), **vars(chance), "lift": _ratio(rate.ctr, chance.random_ctr)}


def _overall(rows: Iterable[CohortCtr]) -> dict[str, float | None]:
    """Return the rate of all rows together, and that of random clusters of their sizes."""
    trials = {row: row.members * row.releases for row in rows}
    whole = sum(trials.values())
    if whole < MIN_SENT:
        return {"ctr": None, "random_ctr": None, "lift": None}
    ctr = sum(row.clicked for row in trials) / whole
    by_chance = sum(row.random_ctr * number for row, number in trials.items()) / whole
    return {"ctr": round(ctr, 6), "random_ctr": round(by_chance, 6), "lift": _ratio(ctr, by_chance)}


def _ratio(ctr: float | None, by_chance: float) -> float | None:
    return None if ctr is None or not by_chance else round(ctr / by_chance, 3)
