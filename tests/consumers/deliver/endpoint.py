"""An HTTP endpoint that takes what is posted, or fails as a test asks it to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.consumers.http_server import Answers, HttpServer

__all__ = ["SECRET", "Endpoint", "Posted", "answer", "break_off", "hold"]

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of the specification's example


@dataclass(frozen=True)
class Posted:
    """A post, and whether it was taken."""

    name: str
    event: dict[str, Any]
    headers: dict[str, str]
    at: float
    status: int

    @property
    def data(self) -> dict[str, Any]:
        return self.event["data"]


Behaviour = Callable[["_Answers"], int]
"""Answers a post; returns the status, 0 for none."""


def answer(status: int, **headers: str) -> Behaviour:
    """Answer so."""

    def respond(request: _Answers) -> int:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", "0")
        request.end_headers()
        return status

    return respond


def break_off(request: _Answers) -> int:
    """Break the connection off in the middle of the answer's head."""
    request.wfile.write(b"HTTP/1.1 200 O")
    request.close_connection = True
    return 0


def hold(until: threading.Event) -> Behaviour:
    """Answer nothing before the event is set, and then nothing either."""

    def respond(request: _Answers) -> int:
        until.wait(60)
        request.close_connection = True
        return 0

    return respond


class _Answers(Answers):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        endpoint: Endpoint = self.server.endpoint  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        at = time.monotonic()
        status = endpoint.behave(body)(self)
        event = json.loads(body)
        endpoint.posts.append(Posted(headers["webhook-id"], event, headers, at, status))
        endpoint.signed.append(_is_signed(headers, body))


def _is_signed(headers: dict[str, str], body: bytes) -> bool:
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    digest = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return f"v1,{digest}" in headers["webhook-signature"].split()


class Endpoint(HttpServer):
    """Serves while the ``with`` block runs.

    Parameters
    ----------
    tls
        The server's side of TLS; None: plain HTTP.

    Attributes
    ----------
    posts
        What came, in the order in which it was answered.
    behave
        Body of a post -> how it is answered. All is taken unless a test sets it.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(_Answers)
        self._server.endpoint = self  # type: ignore[attr-defined]
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.posts: list[Posted] = []
        self.signed: list[bool] = []
        self.behave: Callable[[bytes], Behaviour] = lambda body: answer(204)
        scheme, host = ("https", "localhost") if tls else ("http", "127.0.0.1")
        self.url = f"{scheme}://{host}:{self._server.server_port}/hook/TOKEN-of-path"

    @property
    def taken(self) -> list[Posted]:
        return [post for post in self.posts if post.status and post.status < 300]

    def first_taken(self) -> list[Posted]:
        """What was taken, each idempotency key once."""
        return list({post.name: post for post in reversed(self.taken)}.values())[::-1]

    def fails(self, *behaviours: Behaviour) -> None:
        """Answer each post so, one behaviour after the other, then take it."""
        seen: dict[bytes, int] = {}

        def behave(body: bytes) -> Behaviour:
            number = seen.get(body, 0)
            seen[body] = number + 1
            return behaviours[number] if number < len(behaviours) else answer(204)

        self.behave = behave
