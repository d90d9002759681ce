"""Listeners: what one likes, where they are and why, what they were told; forgetting one."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from consumers.actions.forget_listener import forget_listener
from consumers.queries.listener import read_listener
from consumers.queries.recommend import recommend
from consumers.queries.told_lately import read_told_lately
from consumers.terminal.activity_words import activity_in_words
from consumers.terminal.placement_words import why_in_words
from consumers.terminal.trait_words import traits_in_words
from consumers.web.access import Administers, Looks
from consumers.web.api.answers import COMPOSED, FormId, QueryId
from consumers.web.pages.layout import page, part
from consumers.web.service import At
from stream.errors import NoModel, NoTaste, UnknownListener
from stream.stores.api_keys import Role

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

ARTISTS = 20
SONGS = 10
TITLE, HERE = "Listeners", "/listener"


@router.get("/listener", response_class=HTMLResponse)
async def get_listener(
    at: At, caller: Looks, user_id: Annotated[str, Query(alias="id", max_length=512), COMPOSED] = ""
) -> HTMLResponse:
    """Show a listener, or where to say which."""
    user_id, now = user_id.strip(), time.time()
    if not user_id:
        return page("listener_search.html", TITLE, HERE, caller, user_id="", error=None)
    try:
        found = await read_listener(at.redis, at.settings, user_id, ARTISTS, now, at.live)
        told = await read_told_lately(at.redis, at.settings, user_id, now)
    except UnknownListener as error:
        status = HTTPStatus.NOT_FOUND
        return page("listener_search.html", TITLE, HERE, caller, status, user_id=user_id, error=error)
    return page(
        "listener.html",
        user_id,
        HERE,
        caller,
        user_id=user_id,
        found=found,
        why=why_in_words(found),
        activity=activity_in_words(found.activity) if found.activity else (),
        traits=traits_in_words(found.traits) if found.traits else {},
        told=told,
        may_forget=caller.role >= Role.ADMINISTER,
        retention_days=at.settings.retention_days,
    )


@router.get("/listener/songs", response_class=HTMLResponse)
async def get_songs(at: At, caller: Looks, user_id: QueryId) -> HTMLResponse:
    """Show songs for a listener: apart, as the first answer reads all that is known of songs."""
    songs, missing = None, None
    try:
        songs = await recommend(at.redis, at.settings, user_id, SONGS, time.time(), at.recommenders)
    except (NoModel, NoTaste, UnknownListener) as error:
        missing = error
    return HTMLResponse(part("listener_songs.html", songs=songs, missing=missing))


@router.post("/listener/forget", response_class=HTMLResponse)
async def post_forget(at: At, caller: Administers, user_id: FormId) -> HTMLResponse:
    """Forget a listener, and say what was erased."""
    erased = await forget_listener(at.redis, at.settings, user_id)
    return page("listener_forgotten.html", TITLE, HERE, caller, user_id="", erased=erased)
