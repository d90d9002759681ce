"""Artists as they are typed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from consumers.queries.artist_names import CompletedArtist
from consumers.web.access import Looks
from consumers.web.service import At

__all__ = ["router"]

router = APIRouter(tags=["releases"])


@router.get("/artists")
async def get_artists(
    at: At,
    caller: Looks,
    name: Annotated[str, Query(min_length=1, max_length=512, description="how the name begins")],
    top: Annotated[int, Query(ge=1, le=100, description="how many, the likeliest first")] = 10,
) -> tuple[CompletedArtist, ...]:
    """Complete an artist's name as it is typed, also misspelt: ids, names, how many listeners each has."""
    at.desk.open()
    return await at.desk.names.complete(name, top)
