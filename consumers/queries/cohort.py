"""One cohort: what sets it apart, its history, what came of releases there."""

from __future__ import annotations

import time
from dataclasses import dataclass

from consumers.queries.cohorts import CohortSummary, summary
from consumers.queries.known_cohort import known_cohort
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.cohort_history import Entry as HistoryEntry
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners

__all__ = ["Cohort", "DistinctiveArtist", "HistoryEntry", "read_cohort"]


@dataclass(frozen=True)
class DistinctiveArtist:
    """An artist that sets a cohort apart.

    Attributes
    ----------
    times_more
        The share of the cohort's listeners who play the artist, divided by the share of all listeners.
    """

    artist_id: str
    name: str
    times_more: float


@dataclass(frozen=True)
class Cohort(CohortSummary):
    """A cohort in full.

    Attributes
    ----------
    living
        Whether the present model still has it.
    parent
        The cohort that it was split from; None where it was not.
    history
        The oldest entry first.
    artists
        The artist that sets it apart most first.
    """

    living: bool
    parent: str | None
    history: tuple[HistoryEntry, ...]
    artists: tuple[DistinctiveArtist, ...]


async def read_cohort(redis: AnyRedis, settings: Settings, cohort: str, top: int) -> Cohort:
    """Return a cohort and the `top` artists that set it apart.

    Parameters
    ----------
    cohort
        Its id, in any case.

    Raises
    ------
    UnknownCohort
        Where there is none of that id.
    NoModel
        Where no model has been published yet, so that there are no cohorts at all.
    """
    cohort, about = await known_cohort(redis, settings, cohort)
    store = Cohorts(redis, Listeners(redis))
    sizes = await store.sizes()
    apart = await store.apart(cohort, top)
    names = await Catalogue(redis).names([artist for artist, _ in apart])
    history = await store.history.of(cohort)
    return Cohort(
        **vars(summary(cohort, about, sizes.get(cohort, 0), history, time.time())),
        living=cohort in sizes,
        parent=about.get("parent") or None,
        history=tuple(history),
        artists=tuple(DistinctiveArtist(a, names[a], round(ratio, 3)) for a, ratio in apart),
    )
