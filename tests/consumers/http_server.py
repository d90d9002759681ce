"""An HTTP server of a test's own, on 127.0.0.1."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

__all__ = ["Answers", "HttpServer"]


class Answers(BaseHTTPRequestHandler):
    """Answers requests, and says nothing of them."""

    content_type = "application/json"

    def answer(self, status: int, body: dict[str, object]) -> None:
        """Answer in JSON."""
        self.send_response(status)
        self.send_header("Content-Type", self.content_type)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class HttpServer:
    """Serves at `address` while the ``with`` block runs."""

    def __init__(self, answers: type[Answers]) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
