"""Cohorts, and who is in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from consumers.queries.cohort import Cohort, read_cohort
from consumers.queries.cohort_releases import ReleaseInCohort, list_cohort_releases
from consumers.queries.cohort_stages import StageMix, read_stage_mix
from consumers.queries.cohorts import CohortList, list_cohorts
from consumers.queries.listeners import ListenerPage, list_listeners
from consumers.web.access import Looks
from consumers.web.api.answers import After, Id, Limit, Top
from consumers.web.service import At

__all__ = ["router"]

router = APIRouter(prefix="/cohorts", tags=["cohorts"])


@router.get("")
async def get_cohorts(
    at: At, caller: Looks, top: Annotated[int | None, Query(ge=1, le=4096)] = None
) -> CohortList:
    """List the cohorts, the largest first: label, size, CTR, where each is on the map of tastes."""
    return await list_cohorts(at.redis, at.settings, top)


@router.get("/{cohort_id}")
async def get_cohort(at: At, caller: Looks, cohort_id: Id, top: Top = 10) -> Cohort:
    """Show a cohort: size, history, the artists that set it apart, what came of releases there."""
    return await read_cohort(at.redis, at.settings, cohort_id, top)


@router.get("/{cohort_id}/listeners")
async def get_members(
    at: At, caller: Looks, cohort_id: Id, limit: Limit = 100, after: After = ""
) -> ListenerPage:
    """List the listeners of a cohort by id, a page at a time; cohort `none`: those who are in no cohort.

    `after` of the answer, given as `after`, asks for the next page; null: this was the last.
    """
    return await list_listeners(at.redis, at.settings, cohort_id, limit, after)


@router.get("/{cohort_id}/stages")
async def get_stage_mix(at: At, caller: Looks, cohort_id: Id) -> StageMix:
    """Say in which stages of their life with the service a cohort's members are, of some drawn at random."""
    return await read_stage_mix(at.redis, at.settings, cohort_id)


@router.get("/{cohort_id}/releases")
async def get_cohort_releases(
    at: At, caller: Looks, cohort_id: Id, top: Top = 20
) -> tuple[ReleaseInCohort, ...]:
    """List the latest releases by how often members of a cohort clicked, the best first."""
    return await list_cohort_releases(at.redis, at.settings, cohort_id, top)
