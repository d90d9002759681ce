"""An identity provider as a test needs it: gives tokens to one client, by its credentials."""

from __future__ import annotations

import base64
import uuid
from urllib.parse import parse_qs, unquote

from tests.consumers.http_server import Answers, HttpServer
from tests.secured_kafka import unsigned_token

__all__ = ["IdentityProvider"]


class IdentityProvider(HttpServer):
    """Serves `POST /token` while the ``with`` block runs.

    Attributes
    ----------
    seconds
        For how long its tokens are valid, says its answer.
    asked
        The form of each request that was answered with a token.
    """

    def __init__(self, client: str, secret: str) -> None:
        self.seconds: int | None = 3600
        self.asked: list[dict[str, str]] = []
        provider, right = self, f"{client}:{secret}"

        class Handler(Answers):
            def do_POST(self) -> None:  # noqa: N802 - http.server's name
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                given = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
                if ":".join(map(unquote, given.split(":"))) == right:
                    provider.asked.append({name: value for name, (value,) in form.items()})
                    token = unsigned_token(client) if form["scope"] == ["kafka"] else uuid.uuid4().hex
                    self.answer(200, {"access_token": token, "expires_in": provider.seconds})
                else:
                    self.answer(401, {"error": "invalid_client"})

        super().__init__(Handler)
        self.url = f"{self.address}/token"
