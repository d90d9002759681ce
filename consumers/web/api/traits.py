"""What listeners are about to do: lifecycle, churn, segments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from consumers.queries.churn import ChurnFigures, read_churn
from consumers.queries.lifecycle import MOST_WEEKS, Lifecycle
from consumers.queries.segments import Segment, SegmentSummary, list_segments, read_segment
from consumers.web.access import Looks
from consumers.web.api.answers import Id, Limit, Top
from consumers.web.service import At

__all__ = ["router"]

MOST_MEMBERS = 2**32  # in a sorted set of Redis

router = APIRouter(tags=["traits"])


@router.get("/lifecycle")
async def get_lifecycle(
    at: At, caller: Looks, weeks: Annotated[int, Query(ge=1, le=MOST_WEEKS, description="weeks ahead")] = 4
) -> Lifecycle:
    """Say in which stage listeners are, how that changes, who will leave.

    All listeners are looked at for it, which takes a while: an answer is some minutes old at most (`at`).
    """
    return await at.lifecycles.of(weeks)


@router.get("/churn")
async def get_churn(at: At, caller: Looks) -> ChurnFigures | None:
    """Say how well it is predicted who does not come back; null: nothing is learned yet."""
    return await read_churn(at.redis, at.settings)


@router.get("/segments")
async def get_segments(at: At, caller: Looks) -> tuple[SegmentSummary, ...]:
    """List what is predicted of listeners by labels."""
    return await list_segments(at.redis, at.settings)


@router.get("/segments/{segment:path}")
async def get_segment(
    at: At,
    caller: Looks,
    segment: Id,
    top: Top = 10,
    start: Annotated[int, Query(ge=0, lt=MOST_MEMBERS, description="the first member to name, from 0")] = 0,
    limit: Limit = 20,
) -> Segment:
    """Show a segment: who is in it, the likeliest first; what speaks for it; how well it is predicted."""
    return await read_segment(at.redis, at.settings, segment, top, start, limit, at.live)
