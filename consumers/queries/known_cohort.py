"""A cohort that somebody asks for by its id."""

from __future__ import annotations

from consumers.queries.no_model import no_model
from stream.connect import AnyRedis
from stream.errors import UnknownCohort
from stream.settings import Settings
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners

__all__ = ["known_cohort"]


async def known_cohort(redis: AnyRedis, settings: Settings, cohort: str) -> tuple[str, dict[str, str]]:
    """Return a cohort's id, as it is written, and its hash.

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
    store = Cohorts(redis, Listeners(redis))
    cohort = cohort.strip().lower()
    about = await store.about(cohort)
    if not about:
        sizes = await store.sizes()
        if not sizes:
            raise await no_model(redis, settings)
        raise UnknownCohort(
            f"there is no cohort {cohort!r}", hint=f"`refrain cohorts` lists the {len(sizes)} there are."
        )
    return cohort, about
