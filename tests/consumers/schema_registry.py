"""A Schema Registry as a test needs it: it says what schemas there are, by their ids."""

from __future__ import annotations

from tests.consumers.http_server import Answers, HttpServer

__all__ = ["RegistryStub"]


class RegistryStub(HttpServer):
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

        class Handler(Answers):
            content_type = "application/vnd.schemaregistry.v1+json"

            def do_GET(self) -> None:  # noqa: N802 - http.server's name
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

        super().__init__(Handler)
        self.url = self.address
