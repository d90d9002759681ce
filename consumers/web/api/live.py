"""What happens now, as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterable

from fastapi import APIRouter
from fastapi.sse import EventSourceResponse, ServerSentEvent

from consumers.queries.now import Now
from consumers.web.access import Follows, Looks
from consumers.web.service import At

__all__ = ["changes", "router"]

router = APIRouter(tags=["live"])


@router.get("/now")
async def get_now(at: At, caller: Looks) -> Now:
    """Say what goes on at this moment."""
    async for now in at.watch.follow():
        return now
    raise RuntimeError("the process is ending")


@router.get("/live", response_class=EventSourceResponse)
async def get_live(follows: Follows) -> AsyncIterable[ServerSentEvent]:
    """Follow what goes on, as server-sent events.

    `now`: once a second, as `/now` answers; `model`: another model serves; `release`: a release is new, or
    something about it is (told, clicked, stopped). It ends within seconds once the key is revoked.
    """
    before: Now | None = None
    async for now in follows:
        yield ServerSentEvent(event="now", data=now)
        for kind, what in changes(before, now):
            yield ServerSentEvent(event=kind, data=what)
        before = now


def changes(before: Now | None, now: Now) -> list[tuple[str, object]]:
    """Return what is another since a moment before: the kind of event, and its data."""
    if before is None:
        return []
    found: list[tuple[str, object]] = []
    if now.model_version != before.model_version:
        found.append(("model", {"version": now.model_version}))
    known = set(before.releases)
    return found + [("release", release) for release in now.releases if release not in known]
