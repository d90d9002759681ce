"""A Schema Registry as a test needs it: it says what schemas there are, by their ids."""

from __future__ import annotations

from tests.consumers.http_server import Answers, HttpServer

__all__ = ["MISSING", "RegistryStub"]

MISSING: dict[str, object] = {"error_code": 40403, "message": "Schema not found"}


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
    refusal
        HTTP status and body where it does not have a schema.
    """

    def __init__(self, schemas: dict[int, tuple[str, str]]) -> None:
        self.schemas, self.asked, self.away = schemas, list[int](), False
        self.imports: dict[str, str] = {}
        self.refusal: tuple[int, dict[str, object]] = (404, MISSING)
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
                    self.answer(*stub.refusal)

        super().__init__(Handler)
        self.url = self.address
