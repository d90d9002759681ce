"""What routes have in common: numbers that may be asked for, errors that may be answered."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Form, Path, Query
from pydantic import AfterValidator

from consumers.web.problems import Problem
from stream.wire.composed import nfc

__all__ = ["COMPOSED", "PROBLEMS", "After", "FormId", "Id", "Limit", "QueryId", "Top"]

MOST_AT_ONCE = 1000

COMPOSED = AfterValidator(nfc)
"""Ids are kept composed, and a browser or a program of macOS may send letters and accents apart."""

Id = Annotated[str, Path(min_length=1, max_length=512), COMPOSED]
"""An id as producers of events name it: slashes may be in it."""

QueryId = Annotated[str, Query(alias="id", min_length=1, max_length=512, description="any id"), COMPOSED]
FormId = Annotated[str, Form(alias="id", min_length=1, max_length=512), COMPOSED]
After = Annotated[str, Query(), COMPOSED]
"""The id that the page before ended with."""

Limit = Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="how many on a page")]
Top = Annotated[int, Query(ge=1, le=MOST_AT_ONCE, description="how many, the best first")]

_PROBLEM = Problem.model_json_schema()

PROBLEMS: dict[int | str, dict[str, Any]] = {
    int(status): {"description": what, "content": {"application/problem+json": {"schema": _PROBLEM}}}
    for status, what in (
        (HTTPStatus.UNAUTHORIZED, "no key, or none that is known"),
        (HTTPStatus.FORBIDDEN, "the key's role may not, or another site's page asks"),
        (HTTPStatus.NOT_FOUND, "there is no such thing"),
        (HTTPStatus.CONFLICT, "it cannot be said yet: nothing is learned"),
        (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large"),
        (HTTPStatus.UNPROCESSABLE_ENTITY, "something asked for cannot be"),
        (HTTPStatus.TOO_MANY_REQUESTS, "too many requests"),
        (HTTPStatus.SERVICE_UNAVAILABLE, "Kafka or Redis does not answer, or refuses"),
    )
}
