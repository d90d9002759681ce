"""The cohorts that live, the largest first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from consumers.queries.ctr_fields import ctr_fields
from consumers.queries.hash_fields import number_of
from consumers.queries.no_model import no_model
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.cohort_history import Entry
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners

__all__ = ["WEEK", "CohortList", "CohortSummary", "list_cohorts", "summary"]

WEEK = 7 * 86_400.0  # seconds over which growth is


@dataclass(frozen=True)
class CohortSummary:
    """A cohort in a list.

    Attributes
    ----------
    label
        Its name for people: the artists that set it apart.
    size
        How many listeners are in it.
    sent, opened, clicked
        Notifications of all releases so far, and what came of them.
    ctr, ctr_low, ctr_high
        `consumers.queries.ctr_fields`.
    born
        When it first appeared, Unix seconds; None where that is not known.
    model_version
        The last model that described it.
    map_x, map_y
        Where it is on the map of tastes (`models.cohort_map`); None where the model that serves was made by a
        Refrain that drew none.
    size_before, size_before_at
        How large it was a week ago, or when that is known first, and at what time (Unix seconds); None of a
        cohort whose first size is not known yet.
    """

    cohort_id: str
    label: str
    size: int
    sent: int
    opened: int
    clicked: int
    ctr: float | None
    ctr_low: float | None
    ctr_high: float | None
    born: float | None
    model_version: int | None
    map_x: float | None
    map_y: float | None
    size_before: int | None
    size_before_at: float | None


@dataclass(frozen=True)
class CohortList:
    """Cohorts, the largest first.

    Attributes
    ----------
    cohorts
        As many as were asked for.
    total
        How many cohorts there are.
    listeners
        How many listeners are in all cohorts.
    in_no_cohort
        How many are in none: they wait for one, or are bots.
    """

    cohorts: tuple[CohortSummary, ...]
    total: int
    listeners: int
    in_no_cohort: int


async def list_cohorts(redis: AnyRedis, settings: Settings, top: int | None = None) -> CohortList:
    """Return the `top` largest cohorts, or all.

    Raises
    ------
    NoModel
        Where no model has been published yet; it says what the first one waits for.
    """
    store = Cohorts(redis, Listeners(redis))
    sizes = await store.sizes()
    if not sizes:
        raise await no_model(redis, settings)
    largest = list(sizes)[:top]
    abouts = await store.about_each(largest)
    befores = await store.history.as_of(largest, time.time() - WEEK)
    cohorts = [
        summary(cohort, about, sizes[cohort], before)
        for cohort, about, before in zip(largest, abouts, befores, strict=True)
    ]
    return CohortList(tuple(cohorts), len(sizes), sum(sizes.values()), await store.unplaced())


def summary(cohort: str, about: Mapping[str, str], size: int, before: Entry | None) -> CohortSummary:
    """Return a cohort's summary from its hash (`Cohorts.about`) and how it was a week ago."""
    return CohortSummary(
        cohort_id=cohort,
        label=about.get("label", ""),
        size=size,
        sent=int(about.get("sent", 0)),
        opened=int(about.get("opened", 0)),
        clicked=int(about.get("clicked", 0)),
        **ctr_fields(int(about.get("clicked", 0)), int(about.get("sent", 0))),
        born=number_of(about, "born"),
        model_version=int(about["model_version"]) if about.get("model_version") else None,
        map_x=number_of(about, "map_x"),
        map_y=number_of(about, "map_y"),
        size_before=before.size if before else None,
        size_before_at=before.at if before else None,
    )
