"""What the doctor says, and which processes run."""

from __future__ import annotations

import time

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from consumers.doctor import KINDS, Check, State
from consumers.queries.processes import list_processes
from consumers.web.access import Looks
from consumers.web.pages.layout import page, part
from consumers.web.service import At

__all__ = ["router"]

router = APIRouter(prefix="/health", include_in_schema=False)

WORST_FIRST = (State.WRONG, State.WARNING, State.FINE)


@router.get("", response_class=HTMLResponse)
async def get_health(at: At, caller: Looks) -> HTMLResponse:
    """Show which processes run; what the doctor says follows, as it takes a while."""
    processes = await list_processes(at.redis, at.settings)
    alive = {process.kind for process in processes}
    at_work = {process.kind for process in processes if process.starting_since is None}
    return page(
        "health.html",
        "Health",
        "/health",
        caller,
        processes=processes,
        missing={kind: what for kind, what in KINDS.items() if kind not in alive},
        starting={kind: what for kind, what in KINDS.items() if kind in alive - at_work},
        now=time.time(),
    )


@router.get("/checks", response_class=HTMLResponse)
async def get_checks(at: At, caller: Looks) -> HTMLResponse:
    """Show what the doctor says, the worst first."""
    checks = await at.examination.get()
    by_state: dict[State, list[Check]] = {state: [] for state in WORST_FIRST}
    for check in checks:
        by_state[check.state].append(check)
    return HTMLResponse(part("checks_part.html", by_state=by_state, at=time.time()))
