"""The release desk: whom a release would be for, and publishing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from pydantic import ValidationError

from consumers.queries.audience import ExplainedPreview, Preview
from consumers.queries.release import read_release
from consumers.queries.release_request import release_event
from consumers.terminal.audience_tables import REASONS, left_out_words
from consumers.web.access import Caller, Looks, Publishes
from consumers.web.api.releases import AskedRelease, NewRelease, publish
from consumers.web.pages.desk_form import NAMED, DeskForm, suggested_id
from consumers.web.pages.layout import page, part, release_url
from consumers.web.service import At, Service
from stream.errors import AmbiguousArtist, RefrainError, UnknownArtist, UnknownListener
from stream.stores.api_keys import Role
from stream.stores.catalogue import Catalogue
from stream.stores.names import exact_form
from stream.wire.composed import nfc
from stream.wire.parsing import why

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

COMPLETED = 8
FIRST = 10  # listeners that are named
MOST_IDS = 20  # that are tried before one is suggested

SAID = REASONS | {
    "no cohort": "they are in no cohort yet",
    "not met": "they are not migrated to this model yet",
    "min_ctr": "the play rate of their cohort is below the lowest CTR that was asked for",
    "average": "their score is below the average, and nothing says how many to tell",
    "where": "they do not meet the conditions",
}
"""Reason why a listener is told, or is not -> what is said of it; options of the command line are not."""


@router.get("/desk", response_class=HTMLResponse)
async def get_desk(request: Request, at: At, caller: Looks) -> HTMLResponse:
    """Show the desk; the address may fill it in, with the names of its fields."""
    at.desk.open()
    form = DeskForm.of(request.query_params)
    called = await Catalogue(at.redis).names([each for name in NAMED for each in form.values[name]])
    called = _told_apart(called)
    return page("desk.html", "Release desk", "/desk", caller, form=form, called=called, named=NAMED)


@router.get("/desk/artists", response_class=HTMLResponse)
async def get_artists(
    at: At,
    caller: Looks,
    name: Annotated[str, Query(max_length=512)] = "",
    field: Annotated[str, Query(max_length=20)] = "",
) -> HTMLResponse:
    """Complete an artist's name."""
    at.desk.open()
    found = await at.desk.names.complete(name, COMPLETED) if name.strip() else ()
    called = _told_apart({each.artist_id: each.name for each in found})
    return HTMLResponse(
        part("desk_artists.html", found=found, called=called, typed=name.strip(), field=field)
    )


@router.post("/desk/preview", response_class=HTMLResponse)
async def post_preview(request: Request, at: At, caller: Looks) -> HTMLResponse:
    """Show whom the release would be for."""
    at.desk.open()
    form = DeskForm.of(await request.form())
    shown = await _previewed(at, caller, form, request.is_disconnected)
    return HTMLResponse(part("desk_preview.html", **shown))


@router.post("/desk/publish", response_class=HTMLResponse)
async def post_publish(request: Request, at: At, caller: Publishes) -> Response:
    """Publish the release, and go to its page; or say why not."""
    given = await request.form()
    asked, wrong = DeskForm.of(given).asked()
    release_id = nfc(str(given.get("release_id", "")).strip())
    if asked is None:
        return HTMLResponse(part("desk_refused.html", refused="; ".join(wrong), hint=""))
    if not release_id:
        return HTMLResponse(part("desk_refused.html", refused="The release needs an id.", hint=""))
    known = await read_release(at.redis, at.settings, release_id)
    if known is not None and known.audience:
        return HTMLResponse(
            part(
                "desk_refused.html",
                refused=f"There is a release {release_id!r} already: listeners were told of it.",
                hint="Choose another id: nobody is told of the same one twice.",
            )
        )
    try:
        new = NewRelease(release_id=release_id, **asked.model_dump())
        await publish(at, new)
    except ValidationError as error:
        return HTMLResponse(part("desk_refused.html", refused=f"This id cannot be: {why(error)[1]}", hint=""))
    except RefrainError as error:
        return HTMLResponse(part("desk_refused.html", refused=str(error), hint=error.hint))
    return Response(headers={"HX-Redirect": f"{release_url(release_id)}&published=yes"})


async def _previewed(
    at: Service, caller: Caller, form: DeskForm, gone: Callable[[], Awaitable[bool]]
) -> dict[str, Any]:
    """Return what the preview shows: an audience, what is still read, or what is wrong.

    Parameters
    ----------
    gone
        Whether nobody waits for it any more, as the next letter is typed: then nothing is planned.
    """
    shown: dict[str, Any] = {
        "form": form,
        "found": None,
        "why": None,
        "no_why": None,
        "reading": at.desk.reading,
        "wrong": [],
        "error": None,
        "near": (),
        "several": {},
        "typed": "",
        "reasons": SAID,
        "left_out_words": left_out_words,
        "may_publish": caller.role >= Role.PUBLISH,
        "release_id": "",
    }
    if form.empty:
        return shown
    asked, wrong = form.asked()
    if asked is None:
        return shown | {"wrong": wrong}
    try:
        event, new = await release_event(
            at.redis, "preview", asked.request(), live=at.live, names=at.desk.names
        )
        if shown["reading"] or await gone():
            return shown
        try:
            found = await at.desk.plan(event, FIRST, form.why or None)
        except UnknownListener as error:
            shown["no_why"] = error
            found = await at.desk.plan(event, FIRST)
    except RefrainError as error:
        return shown | {"error": error} | _others(error)
    return shown | {
        "found": found,
        "new": new,
        "why": found.why if isinstance(found, ExplainedPreview) else None,
        "release_id": await _free_id(at, asked, found),
    }


def _others(error: RefrainError) -> dict[str, Any]:
    """Return which artists are offered in place of one that was typed."""
    if isinstance(error, UnknownArtist):
        return {"near": error.near, "typed": error.typed}
    if isinstance(error, AmbiguousArtist):
        return {"several": _told_apart(error.called), "typed": error.typed}
    return {}


def _told_apart(called: Mapping[str, str]) -> dict[str, str]:
    """Return what artists are called, by their ids: with the id where others of them are called the same."""
    number = Counter(map(exact_form, called.values()))
    return {
        artist: f"{name} ({artist})" if number[exact_form(name)] > 1 else name
        for artist, name in called.items()
    }


async def _free_id(at: Service, asked: AskedRelease, found: Preview) -> str:
    """Return an id that no release has yet."""
    names = await Catalogue(at.redis).names(list(found.artist_ids[:1]))
    stem = suggested_id(list(names.values()), asked.title or "")
    for number in range(1, MOST_IDS):
        release_id = stem if number == 1 else f"{stem}-{number}"
        if await read_release(at.redis, at.settings, release_id) is None:
            break
    return release_id
