"""Where listeners are in their life with the service, and what is expected of them."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from consumers.html_page.lifecycle_page import lifecycle_sections, lifecycle_tiles
from consumers.queries.lifecycle import Lifecycle
from consumers.terminal.lifecycle_tables import about_next_week, bounds, by_pair, notes
from consumers.web.access import Looks
from consumers.web.pages.layout import page, part
from consumers.web.service import At, Service
from models.traits.lifecycle import STAGES
from stream.connect import REDIS_ERRORS
from stream.errors import SnapshotDamaged

__all__ = ["router"]

router = APIRouter(prefix="/lifecycle", include_in_schema=False)

logger = logging.getLogger(__name__)

WEEKS = 4  # that are looked ahead


@router.get("", response_class=HTMLResponse)
async def get_lifecycle(at: At, caller: Looks) -> HTMLResponse:
    """Show the lifecycle where it is added up; else begin to, and show where it will be."""
    return page("lifecycle.html", "Lifecycle", "/lifecycle", caller, **_at_hand(at))


@router.get("/part", response_class=HTMLResponse)
async def get_lifecycle_part(at: At, caller: Looks) -> HTMLResponse:
    """Show the same as a part of the page, which asks for it until it is there."""
    return HTMLResponse(part("lifecycle_part.html", **_at_hand(at)))


def _at_hand(at: Service) -> dict[str, Any]:
    """Return what the template shows, also where adding up has failed: the page goes on asking."""
    try:
        found = at.lifecycles.at_hand(WEEKS)
    except REDIS_ERRORS as error:
        logger.error("the lifecycle cannot be added up: %s", error)
        return {"found": None, "failed": "Redis failed while it was added up what all listeners did"}
    except SnapshotDamaged as error:
        logger.error("the lifecycle cannot be added up: %s", error)
        return {"found": None, "failed": f"It cannot be added up what all listeners did: {error}"}
    return _shown(found) if found else {"found": None, "failed": ""}


def _shown(found: Lifecycle) -> dict[str, Any]:
    likely = by_pair(found)
    return {
        "found": found,
        "tiles": lifecycle_tiles(found),
        "sections": {section.name: section for section in lifecycle_sections(found)},
        "expected": {each.stage: each for each in found.expected},
        "bounds": bounds,
        "next_week": about_next_week(found),
        "notes": notes(found),
        "stages": STAGES,
        "likely": likely,
        "origins": [stage for stage in STAGES if any(origin == stage for origin, _ in likely)],
        "weeks_after": max((len(each.active) for each in found.retention), default=0),
        "weeks": WEEKS,
    }
