"""Cohorts, and who is in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from consumers.queries.cohort import Cohort, read_cohort
from consumers.queries.cohorts import CohortList, list_cohorts
from consumers.queries.listeners import ListenerPage, list_listeners
from consumers.web.access import Looks
from consumers.web.api.answers import Id, Limit, Top
from consumers.web.service import At

__all__ = ["router"]

router = APIRouter(prefix="/cohorts", tags=["cohorts"])


@router.get("")
async def get_cohorts(
    at: At, caller: Looks, top: Annotated[int | None, Query(ge=1, le=4096)] = None
) -> CohortList:
    """List the cohorts, the largest first."""
    return await list_cohorts(at.redis, at.settings, top)


@router.get("/{cohort_id}")
async def get_cohort(at: At, caller: Looks, cohort_id: Id, top: Top = 10) -> Cohort:
    """Show a cohort: size, history, the artists that set it apart, what came of releases there."""
    return await read_cohort(at.redis, at.settings, cohort_id, top)


@router.get("/{cohort_id}/listeners")
async def get_members(
    at: At, caller: Looks, cohort_id: Id, limit: Limit = 100, after: Annotated[str, Query()] = ""
) -> ListenerPage:
    """List the listeners of a cohort by id, a page at a time; cohort `none`: those who are in no cohort.

    `after` of the answer, given as `after`, asks for the next page; null: this was the last.
    """
    return await list_listeners(at.redis, at.settings, cohort_id, limit, after)
