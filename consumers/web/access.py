"""Who asks, and whether they may: API keys with roles, sessions of browsers, requests of other sites."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from consumers.queries.now import Now
from consumers.runtime.reach import is_loopback
from consumers.web.rates import Rates
from consumers.web.service import At, Service
from stream.stores.api_keys import ApiKeys, Role

__all__ = [
    "ANYBODY_HERE",
    "COOKIE",
    "Administers",
    "Caller",
    "Follows",
    "Looks",
    "Publishes",
    "check_site",
]

COOKIE = "refrain_session"
"""Cookie of a browser that has signed in: it holds no key, so that no page could tell one."""

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
PASSED_ON = ("x-forwarded-", "x-real-ip", "forwarded", "via")
"""How the names of headers begin that a proxy adds."""
FIRST_KEY = "`refrain key add NAME --role administer` makes the first key"

_bearer = HTTPBearer(auto_error=False, description="An API key, as `refrain key add` prints it.")
_cookie = APIKeyCookie(name=COOKIE, auto_error=False, description="What a browser has that has signed in.")


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes
    ----------
    name
        Of the key; "this machine" where there are no keys.
    by_key
        The key's id; "" where there are none.
    """

    name: str
    role: Role
    by_key: str = ""


ANYBODY_HERE = Caller("this machine", Role.ADMINISTER)


async def _caller(
    request: Request,
    at: At,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> Caller:
    """Return who asks.

    Raises
    ------
    HTTPException
        Where that cannot be said, or another site's page asks in their name.
    """
    rates: Rates = request.app.state.rates
    address = _address(request)
    if bearer is None:
        check_site(request)
    caller = await _known(request, at, bearer.credentials if bearer else None, cookie)
    if caller is None:
        await rates.count_refused(address)
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "this key is not known: it may have been revoked, or the session is over"
            if bearer or cookie
            else "an API key is needed, as `Authorization: Bearer KEY`; `refrain key add NAME` makes one",
            headers={"WWW-Authenticate": "Bearer"},
        )
    await rates.count(caller.by_key or address)
    return caller


async def _known(request: Request, at: Service, text: str | None, cookie: str | None) -> Caller | None:
    store = ApiKeys(at.redis)
    if text is not None or cookie is not None:
        key = await store.check(text) if text is not None else await store.signed_in(cookie or "")
        if key:
            return Caller(key.name, key.role, key.key_id)
        if text is not None:
            return None
    # A browser keeps its cookie also where the keys are gone, or another service listens there by now.
    if await store.any() or not is_loopback(at.settings.web_host):
        return None
    # A proxy on this machine asks from this machine, whoever asked the proxy.
    if not is_loopback(_address(request)) or any(name.startswith(PASSED_ON) for name in request.headers):
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            f"without keys it answers this machine alone, and nothing that a proxy passed on; {FIRST_KEY}",
        )
    # A page of another site could let its own name lead to this address, and read the answers.
    if not is_loopback(request.url.hostname or ""):
        raise HTTPException(
            HTTPStatus.FORBIDDEN,
            f"without keys it answers to 127.0.0.1, not to {request.url.hostname!r}; {FIRST_KEY}",
        )
    return ANYBODY_HERE


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def check_site(request: Request) -> None:
    """Refuse what a page of another site lets a browser send: browsers say so themselves.

    Raises
    ------
    HTTPException
        403.
    """
    if request.method in SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    here = f"{request.url.scheme}://{request.headers.get('host')}"
    if site not in (None, "same-origin", "none") or (site is None and origin not in (None, here)):
        raise HTTPException(HTTPStatus.FORBIDDEN, "a page of another site may not ask for this")


def _may(role: Role) -> Callable[[Caller], Awaitable[Caller]]:
    async def check(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if caller.role < role:
            raise HTTPException(
                HTTPStatus.FORBIDDEN,
                f"this takes the role {role.word}; the key {caller.name!r} has the role {caller.role.word}",
            )
        return caller

    return check


Looks = Annotated[Caller, Depends(_may(Role.LOOK))]
Publishes = Annotated[Caller, Depends(_may(Role.PUBLISH))]
Administers = Annotated[Caller, Depends(_may(Role.ADMINISTER))]


async def _following(
    request: Request,
    at: At,
    caller: Looks,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    cookie: Annotated[str | None, Depends(_cookie)],
) -> AsyncIterator[AsyncIterator[Now]]:
    """Give what goes on, for as long as the key is known that it was asked for with."""

    async def may() -> bool:
        try:
            return await _known(request, at, bearer.credentials if bearer else None, cookie) is not None
        except HTTPException:
            return False  # the last key is gone, and whoever asks like this is not answered without keys

    with at.watch.stream_of(caller.by_key or _address(request)):
        yield at.watch.follow(may)


Follows = Annotated[AsyncIterator[Now], Depends(_following)]
"""Gives a route what goes on, each second; a caller may follow a few streams at once."""
