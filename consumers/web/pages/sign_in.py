"""A key for a session of the browser, and back."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Cookie, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from consumers.web.access import COOKIE, check_site
from consumers.web.pages.layout import page
from consumers.web.rates import Rates
from consumers.web.service import At
from stream.stores.api_keys import SESSION_SECONDS, ApiKeys

__all__ = ["router", "sign_in_url"]

router = APIRouter(include_in_schema=False)

LONGEST = 2000
SITE = re.compile(r"^https?://[^/?#]*")
HERE = re.compile(r"/(?![/\\])[^\x00-\x1f\x7f]*")
"""An address of this site. Two slashes begin the name of another; browsers take a backslash for one, and
leave out tabs and ends of lines before they look."""


def sign_in_url(request: Request) -> str:
    """Return the address of the page that takes a key, and goes on with what was asked for.

    That is the page that one looks at: of a request that htmx makes, the one it is made from; of one that
    sends something, none, as its address may not be one to be opened.
    """
    if "hx-request" in request.headers:
        asked = SITE.sub("", request.headers.get("hx-current-url", "")).partition("#")[0]
    elif request.method == "GET":
        asked = f"{request.url.path}?{request.url.query}".removesuffix("?")
    else:
        asked = "/"
    return f"/sign-in?next={quote(_here(asked))}"


@router.get("/sign-in", response_class=HTMLResponse)
async def get_sign_in(next: str = "/") -> HTMLResponse:  # noqa: A002 - the name in the address
    """Show where to give a key."""
    return page("sign_in.html", "Sign in", "/sign-in", None, next=_here(next), wrong="")


@router.post("/sign-in")
async def post_sign_in(
    request: Request,
    at: At,
    key: Annotated[str, Form(max_length=200)],
    next: Annotated[str, Form(max_length=LONGEST)] = "/",  # noqa: A002
) -> Response:
    """Begin a session."""
    check_site(request)
    keys = ApiKeys(at.redis)
    known = await keys.check(key.strip())
    if known is None:
        rates: Rates = request.app.state.rates
        await rates.count_refused(request.client.host if request.client else "")
        wrong = "This key is not known: it may have been mistyped, or revoked."
        return page(
            "sign_in.html",
            "Sign in",
            "/sign-in",
            None,
            HTTPStatus.UNAUTHORIZED,
            next=_here(next),
            wrong=wrong,
        )
    answer = RedirectResponse(_here(next), HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        COOKIE,
        await keys.sign_in(known),
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out")
async def post_sign_out(
    request: Request, at: At, cookie: Annotated[str | None, Cookie(alias=COOKIE)] = None
) -> Response:
    """End the session."""
    check_site(request)
    if cookie is not None:
        await ApiKeys(at.redis).sign_out(cookie)
    answer = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _here(address: str) -> str:
    """Return an address of this site; the first page where another's was given."""
    return address if len(address) <= LONGEST and HERE.fullmatch(address) else "/"
