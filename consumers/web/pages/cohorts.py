"""Cohorts on a map and in a list; one of them in full."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from consumers.queries.cohort import Cohort, read_cohort
from consumers.queries.cohort_releases import list_cohort_releases
from consumers.queries.cohort_stages import read_stage_mix
from consumers.queries.cohorts import CohortSummary, list_cohorts
from consumers.queries.listeners import list_listeners
from consumers.terminal.cohort_tables import happened
from consumers.terminal.format import ago, percent
from consumers.web.access import Looks
from consumers.web.api.answers import COMPOSED, Id
from consumers.web.pages.layout import page, part
from consumers.web.service import At
from models.click_rate import MIN_SENT
from stream.errors import NoModel

__all__ = ["router"]

router = APIRouter(prefix="/cohorts", include_in_schema=False)

HERE = "/cohorts"
ARTISTS = 12
RELEASES = 12
MEMBERS = 25  # on a page of them


@router.get("", response_class=HTMLResponse)
async def get_cohorts(at: At, caller: Looks) -> HTMLResponse:
    """Show where cohorts are, and what came of releases in them."""
    try:
        found = await list_cohorts(at.redis, at.settings)
    except NoModel as error:
        return page("cohorts.html", "Cohorts", HERE, caller, missing=error, found=None)
    now = time.time()
    return page(
        "cohorts.html",
        "Cohorts",
        HERE,
        caller,
        missing=None,
        found=found,
        placed=[each for each in found.cohorts if each.map_x is not None],
        everybody=max(found.listeners + found.in_no_cohort, 1),
        growth={each.cohort_id: _growth(each, now) for each in found.cohorts},
        enough=MIN_SENT,
    )


@router.get("/{cohort_id}", response_class=HTMLResponse)
async def get_cohort(at: At, caller: Looks, cohort_id: Id) -> HTMLResponse:
    """Show a cohort."""
    try:
        found, mix, releases = await asyncio.gather(
            read_cohort(at.redis, at.settings, cohort_id, ARTISTS),
            read_stage_mix(at.redis, at.settings, cohort_id),
            list_cohort_releases(at.redis, at.settings, cohort_id, RELEASES),
        )
    except NoModel as error:
        return page("cohorts.html", "Cohorts", HERE, caller, missing=error, found=None)
    now = time.time()
    return page(
        "cohort.html",
        found.label or found.cohort_id,
        HERE,
        caller,
        cohort=found,
        growth=_growth(found, now),
        sizes=_sizes(found, now),
        steps=[(entry, happened(before, entry)) for before, entry in pairwise(found.history)][::-1],
        mix=mix,
        releases=releases,
        enough=MIN_SENT,
    )


@router.get("/{cohort_id}/members", response_class=HTMLResponse)
async def get_members(
    at: At, caller: Looks, cohort_id: Id, after: Annotated[str, Query(max_length=512), COMPOSED] = ""
) -> HTMLResponse:
    """Show a page of its members, which takes the place of the button that asked for it."""
    found = await list_listeners(at.redis, at.settings, cohort_id, MEMBERS, after)
    return HTMLResponse(part("members_part.html", found=found, cohort_id=cohort_id, first=not after))


def _growth(cohort: CohortSummary, now: float) -> str:
    """Return by how much it has grown, and since when; "" where too little is known."""
    if not cohort.size_before or cohort.size_before_at is None:
        return ""
    change = percent(cohort.size / cohort.size_before - 1)
    sign = "" if cohort.size < cohort.size_before else "+"
    return f"{sign}{change} in {ago(now - cohort.size_before_at)}"


def _sizes(cohort: Cohort, now: float) -> list[tuple[float, int]]:
    """Return its size over time, up to now."""
    known = [(entry.at, entry.size) for entry in cohort.history if entry.event != "born"]
    return [*known, (now, cohort.size)] if cohort.living else known
