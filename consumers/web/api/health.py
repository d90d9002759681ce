"""What the doctor says, and which processes run."""

from __future__ import annotations

from fastapi import APIRouter

from consumers.doctor import Check
from consumers.queries.processes import RunningProcess, list_processes
from consumers.web.access import Looks
from consumers.web.service import At

__all__ = ["router"]

router = APIRouter(tags=["health"])


@router.get("/doctor")
async def get_doctor(at: At, caller: Looks) -> list[Check]:
    """Look at Kafka, Redis and Refrain, and say what to do about what is not fine; as of some seconds ago."""
    return await at.examination.get()


@router.get("/processes")
async def get_processes(at: At, caller: Looks) -> tuple[RunningProcess, ...]:
    """List the processes that live, and what each says of itself."""
    return await list_processes(at.redis, at.settings)
