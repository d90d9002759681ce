"""What goes on, live."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncIterable, Iterable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from fastapi.sse import EventSourceResponse, ServerSentEvent

from consumers.doctor import KINDS
from consumers.queries.now import Now, read_now
from consumers.web.access import Follows, Looks
from consumers.web.pages.layout import page, part
from consumers.web.service import At

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

SECONDS = 120  # of clicks a second that are drawn


@router.get("/", response_class=HTMLResponse)
async def get_now(at: At, caller: Looks) -> HTMLResponse:
    """Show what goes on."""
    now = await read_now(at.redis, at.settings, time.time())
    return page("now.html", "Now", "/", caller, **_shown(now, ()))


@router.get("/now/live", response_class=EventSourceResponse)
async def get_now_live(follows: Follows) -> AsyncIterable[ServerSentEvent]:
    """Yield the same, rendered, each second."""
    rates = deque[float](maxlen=SECONDS)
    async for now in follows:
        if now.clicks_per_second is not None:
            rates.append(now.clicks_per_second)
        yield ServerSentEvent(event="now", raw_data=part("now_part.html", **_shown(now, rates)))


def _shown(now: Now, rates: Iterable[float]) -> dict[str, Any]:
    absent = [kind for kind in KINDS if kind not in now.processes]
    return {
        "now": now,
        "missing": [f"refrain {kind}" for kind in absent if kind not in now.starting],
        "starting": [f"refrain {kind}" for kind in absent if kind in now.starting],
        "spark": _spark(list(rates)),
    }


def _spark(rates: list[float]) -> str:
    """Return the points of a line, 100 wide and 20 high; "" for fewer than two."""
    if len(rates) < 2:  # noqa: PLR2004 - no line has one end
        return ""
    most = max(*rates, 1.0)
    step = 100 / (len(rates) - 1)
    return " ".join(f"{step * at:.1f},{19 - 18 * rate / most:.1f}" for at, rate in enumerate(rates))
