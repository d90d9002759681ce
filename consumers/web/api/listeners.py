"""Listeners: pages of them, one, what one was told, songs for one, forgetting one."""

from __future__ import annotations

import time

from fastapi import APIRouter

from consumers.actions.forget_listener import Forgotten, forget_listener
from consumers.queries.listener import ListenerView, read_listener
from consumers.queries.listeners import ListenerPage, list_listeners
from consumers.queries.recommend import SongsForListener, recommend
from consumers.queries.told_lately import ToldRelease, read_told_lately
from consumers.web.access import Administers, Looks
from consumers.web.api.answers import After, Id, Limit, Top
from consumers.web.service import At

__all__ = ["router"]

router = APIRouter(tags=["listeners"])


@router.get("/listeners")
async def get_listeners(at: At, caller: Looks, limit: Limit = 100, after: After = "") -> ListenerPage:
    """List listeners by id, a page at a time.

    `after` of the answer, given as `after`, asks for the next page; null: this was the last.
    """
    return await list_listeners(at.redis, at.settings, None, limit, after)


@router.get("/listeners/{user_id:path}")
async def get_listener(at: At, caller: Looks, user_id: Id, top: Top = 10) -> ListenerView:
    """Show a listener: cohort and why this one, artists, activity, traits."""
    return await read_listener(at.redis, at.settings, user_id, top, time.time(), at.live)


@router.delete("/listeners/{user_id:path}")
async def delete_listener(at: At, caller: Administers, user_id: Id) -> Forgotten:
    """Forget a listener: erase all that Redis holds of them, except that they have opted out."""
    return await forget_listener(at.redis, at.settings, user_id)


@router.get("/songs/{user_id:path}")
async def get_songs(at: At, caller: Looks, user_id: Id, top: Top = 10) -> SongsForListener:
    """Recommend songs to a listener."""
    return await recommend(at.redis, at.settings, user_id, top, time.time(), at.recommenders)


@router.get("/told/{user_id:path}")
async def get_told(at: At, caller: Looks, user_id: Id) -> tuple[ToldRelease, ...]:
    """List the releases that a listener was told of in the last seven days, the latest first."""
    return await read_told_lately(at.redis, at.settings, user_id, time.time())
