"""Releases: the latest, and what becomes of one."""

from __future__ import annotations

import hashlib
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from consumers.actions.stop_release import stop_release
from consumers.queries.release_report import ReleaseReport, read_release_report
from consumers.queries.releases import list_releases
from consumers.terminal.release_report import about, no_ctr, no_uplift
from consumers.web.access import Caller, Looks, Publishes
from consumers.web.api.answers import FormId, Id, QueryId
from consumers.web.pages.layout import page, part, release_url
from consumers.web.service import At, Service
from stream.errors import UnknownRelease
from stream.stores.api_keys import Role
from stream.stores.heartbeats import heartbeats
from stream.stores.releases import State

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

LATEST = 100
CHARTED = 20  # cohorts

SHOWN_APART = {"audience", "left out", "clicked", "predicted", "played", "telling brought", "A/B"}
"""Facts that the page has a place of their own for."""


@router.get("/releases", response_class=HTMLResponse)
async def get_releases(at: At, caller: Looks) -> HTMLResponse:
    """List the latest releases."""
    found = await list_releases(at.redis, at.settings, LATEST)
    return page("releases.html", "Releases", "/releases", caller, found=found)


@router.get("/release/part", response_class=HTMLResponse)
async def get_part(at: At, caller: Looks, release_id: QueryId, seen: str = "") -> Response:
    """Show what has become of a release; nothing where that is what was seen."""
    shown = await _shown(at, caller, release_id, published=True)
    if shown["seen"] == seen:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return HTMLResponse(part("release_part.html", **shown))


@router.post("/release/stop")
async def post_stop(at: At, caller: Publishes, release_id: FormId) -> RedirectResponse:
    """Stop a release."""
    await stop_release(at.redis, at.settings, release_id)
    return RedirectResponse(release_url(release_id), HTTPStatus.SEE_OTHER)


@router.get("/release", response_class=HTMLResponse)
async def get_release(at: At, caller: Looks, release_id: QueryId, published: str = "") -> HTMLResponse:
    """Show what has become of a release; `published`: it may not have reached a worker yet."""
    shown = await _shown(at, caller, release_id, published=bool(published))
    report = shown["report"]
    title = (report.title if report else "") or release_id
    return page("release.html", title, "/releases", caller, **shown)


@router.get("/releases/{release_id:path}")
async def get_release_by_path(caller: Looks, release_id: Id) -> RedirectResponse:
    """Go to where the release's page is."""
    return RedirectResponse(release_url(release_id))


async def _shown(at: Service, caller: Caller, release_id: str, *, published: bool) -> dict[str, Any]:
    report: ReleaseReport | None = None
    try:
        report = await read_release_report(at.redis, at.settings, release_id)
    except UnknownRelease:
        if not published:
            raise
    working = any(state["kind"] == "work" for state in (await heartbeats(at.redis)).values())
    facts = about(report) if report else {}
    apart = SHOWN_APART if report and report.sent else SHOWN_APART | {"notified"}
    stops = report is not None and report.state in (State.NEW, State.STARTED, State.PAUSED)
    return {
        "release_id": release_id,
        "report": report,
        "facts": facts,
        "plain_facts": {name: said for name, said in facts.items() if said and name not in apart},
        "no_ctr": no_ctr(report) if report else "",
        "no_uplift": no_uplift(report) if report else "",
        "charted": [each for each in report.cohorts if each.ctr is not None][:CHARTED] if report else [],
        "working": working,
        "may_stop": stops and caller.role >= Role.PUBLISH,
        "every": "2s" if report is None or report.state not in (State.DONE, "history") else "10s",
        "seen": hashlib.sha256(repr((report, working)).encode()).hexdigest()[:16],
    }
