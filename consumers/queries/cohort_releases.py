"""Which releases did well in a cohort, of those that its members were told of lately."""

from __future__ import annotations

import time
from dataclasses import dataclass

from consumers.queries.ctr_fields import ctr_fields
from consumers.queries.known_cohort import known_cohort
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.releases import Releases

__all__ = ["ReleaseInCohort", "list_cohort_releases"]

LATEST = 100
"""Releases that are looked at."""


@dataclass(frozen=True)
class ReleaseInCohort:
    """What came of a release in a cohort.

    Attributes
    ----------
    planned_at
        Unix seconds.
    sent, opened, clicked
        Members of the cohort.
    ctr, ctr_low, ctr_high
        `consumers.queries.ctr_fields`.
    ctr_of_all
        The release's CTR over all cohorts; None where too few were sent to say.
    """

    release_id: str
    title: str
    planned_at: float
    sent: int
    opened: int
    clicked: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None
    ctr_of_all: float | None


async def list_cohort_releases(
    redis: AnyRedis, settings: Settings, cohort: str, top: int
) -> tuple[ReleaseInCohort, ...]:
    """Return the `top` releases with the highest CTR in a cohort, then those with too few sent to have one.

    The `LATEST` releases are looked at; those of which no member was notified are left out.

    Raises
    ------
    UnknownCohort
        Where there is none of that id.
    NoModel
        Where no model has been published yet.
    """
    cohort, _ = await known_cohort(redis, settings, cohort)
    releases = Releases(redis, settings.release_seconds)
    names = await releases.latest(LATEST, time.time())
    found = []
    for name, about, counts in zip(
        names,
        await releases.about_each(names, ("title", "planned_at", "sent", "clicked")),
        await releases.counts_in(cohort, names, ("sent", "opened", "clicked")),
        strict=True,
    ):
        sent, opened, clicked = counts
        if not sent or not about["planned_at"]:
            continue
        everywhere = ctr_fields(int(about["clicked"] or 0), int(about["sent"] or 0))
        found.append(
            ReleaseInCohort(
                release_id=name,
                title=about["title"],
                planned_at=float(about["planned_at"]),
                sent=sent,
                opened=opened,
                clicked=clicked,
                **ctr_fields(clicked, sent),
                ctr_of_all=everywhere["ctr"],
            )
        )
    found.sort(key=lambda each: (each.ctr is None, -(each.ctr or 0.0), -each.sent))
    return tuple(found[:top])
