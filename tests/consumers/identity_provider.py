"""An identity provider as a test needs it: gives tokens to one client, by its credentials."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qs, unquote

from tests.secured_kafka import unsigned_token

__all__ = ["IdentityProvider"]


class IdentityProvider:
    """Serves `POST /token` while the ``with`` block runs.

    Attributes
    ----------
    seconds
        For how long its tokens are valid, says its answer.
    asked
        The form of each request that was answered with a token.
    """

    def __init__(self, client: str, secret: str) -> None:
        self.seconds = 3600
        self.asked: list[dict[str, str]] = []
        provider, right = self, f"{client}:{secret}"

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                given = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
                if ":".join(map(unquote, given.split(":"))) == right:
                    provider.asked.append({name: value for name, (value,) in form.items()})
                    token = unsigned_token(client) if form["scope"] == ["kafka"] else uuid.uuid4().hex
                    self.answer(200, {"access_token": token, "expires_in": provider.seconds})
                else:
                    self.answer(401, {"error": "invalid_client"})

            def answer(self, status: int, body: dict[str, object]) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"

    def __enter__(self) -> IdentityProvider:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
