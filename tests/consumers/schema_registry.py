"""A Schema Registry as a test needs it: it says what schemas there are, by their ids."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

__all__ = ["RegistryStub"]


class RegistryStub:
    """Serves `GET /schemas/ids/{id}` and what schemas import, as readers ask, while the ``with`` block runs.

    Attributes
    ----------
    schemas
        Id -> kind of schema, its text.
    imports
        Name that all schemas import -> its text; the subject has the same name.
    asked
        The ids asked for.
    away
        Whether it answers as one that has lost its store.
    """

    def __init__(self, schemas: dict[int, tuple[str, str]]) -> None:
        self.schemas, self.asked, self.away = schemas, list[int](), False
        self.imports: dict[str, str] = {}
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path.startswith("/subjects/") and not stub.away:
                    name = path.split("/")[2]
                    self.answer(200, {"subject": name, "version": 1, "id": 100, "schema": stub.imports[name]})
                    return
                schema = int(path.removeprefix("/schemas/ids/"))
                stub.asked.append(schema)
                if stub.away:
                    self.answer(500, {"error_code": 50001, "message": "no store"})
                elif schema in stub.schemas:
                    kind, text = stub.schemas[schema]
                    refers = [{"name": name, "subject": name, "version": 1} for name in stub.imports]
                    self.answer(200, {"schema": text, "schemaType": kind, "references": refers})
                else:
                    self.answer(404, {"error_code": 40403, "message": "Schema not found"})

            def answer(self, status: int, body: dict[str, object]) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/vnd.schemaregistry.v1+json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> RegistryStub:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
