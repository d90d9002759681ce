"""Requests counted and timed, for the metrics of `refrain serve`."""

from __future__ import annotations

import time
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stream.metrics import HTTP_REQUESTS, HTTP_SECONDS

__all__ = ["Measured"]

METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
FILES = "/static"
OTHER = "other"
"""Stands for methods and paths that there are no routes for: whoever asks could make up any number."""


class Measured:
    """Counts answers by route and status, and times each until it begins: a stream of events has no end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, answered = time.perf_counter(), False

        async def noted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                _note(scope, message["status"], time.perf_counter() - began)
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except Exception:
            if not answered:
                _note(scope, HTTPStatus.INTERNAL_SERVER_ERROR, time.perf_counter() - began)
            raise


def _note(scope: Scope, status: int, seconds: float) -> None:
    route = _route(scope)
    method = scope["method"] if scope["method"] in METHODS else OTHER
    HTTP_REQUESTS.labels(method, route, str(int(status))).inc()
    HTTP_SECONDS.labels(route).observe(seconds)


def _route(scope: Scope) -> str:
    """Return the route as it is declared: never what somebody has put into the address."""
    if "route" not in scope:
        return FILES if scope["path"].startswith(f"{FILES}/") else OTHER
    # FastAPI keeps beside it what it is with the prefixes of the routers that include it.
    whole = scope.get("fastapi", {}).get("effective_route_context", scope["route"])
    return str(whole.path)
