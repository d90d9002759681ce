"""Errors as answers: problem+json (RFC 9457), with what to do about it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from stream import errors
from stream.connect import REDIS_ERRORS
from stream.error_policy import case_of
from stream.errors import RefrainError

__all__ = ["Answer", "Problem", "answer_problems", "as_json", "problem", "problem_of"]

logger = logging.getLogger(__name__)

STATUS: Mapping[type[RefrainError], HTTPStatus] = {
    errors.UnknownArtist: HTTPStatus.NOT_FOUND,
    errors.UnknownCohort: HTTPStatus.NOT_FOUND,
    errors.UnknownListener: HTTPStatus.NOT_FOUND,
    errors.UnknownRelease: HTTPStatus.NOT_FOUND,
    errors.UnknownSegment: HTTPStatus.NOT_FOUND,
    errors.UnknownSnapshot: HTTPStatus.NOT_FOUND,
    errors.UnknownSong: HTTPStatus.NOT_FOUND,
    errors.AmbiguousArtist: HTTPStatus.CONFLICT,
    errors.WrongUse: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NoModel: HTTPStatus.CONFLICT,
    errors.NoTaste: HTTPStatus.CONFLICT,
    errors.NoAbTest: HTTPStatus.CONFLICT,
    errors.Unreachable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""Kind of error -> what is answered; a kind that is not there goes by the one that it is derived from."""


class Problem(BaseModel):
    """What is wrong, and what to do.

    Attributes
    ----------
    title
        The kind of error: a word of this API, or the phrase of the status.
    detail
        What is wrong, in a sentence.
    hint
        What to do; empty where the detail leaves no choice.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    hint: str = ""


Answer: TypeAlias = Callable[[Request, Problem, Mapping[str, str]], Response]
"""Makes the answer to a request of a problem and of further headers."""


def problem(status: HTTPStatus, detail: str, *, title: str = "", hint: str = "") -> Problem:
    """Return what is wrong; the title is the status's phrase where none is given."""
    return Problem(title=title or status.phrase, status=status, detail=detail, hint=hint)


def as_json(what: Problem, headers: Mapping[str, str] = {}) -> JSONResponse:
    """Return the answer for programs."""
    return JSONResponse(
        what.model_dump(), what.status, headers=dict(headers), media_type="application/problem+json"
    )


def problem_of(error: RefrainError) -> Problem:
    """Return what is wrong, of an error."""
    kinds = (STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    status = next(kinds, HTTPStatus.INTERNAL_SERVER_ERROR)
    return problem(status, str(error), title=type(error).__name__, hint=error.hint)


def answer_problems(app: FastAPI, answer: Answer) -> None:
    """Let an app answer every error as a problem."""

    @app.exception_handler(RefrainError)
    async def ours(request: Request, error: RefrainError) -> Response:
        what = problem_of(error)
        if what.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            logger.error("%s %s: %s %s", request.method, request.url.path, error, error.hint)
        return answer(request, what, {})

    async def away(request: Request, error: Exception) -> Response:
        logger.error("%s %s: Redis failed: %s", request.method, request.url.path, error)
        case = case_of(error)
        hint = case.hint or "`refrain doctor` looks why."
        what = problem(HTTPStatus.SERVICE_UNAVAILABLE, case.fact, hint=hint)
        return answer(request, what, {})

    for kind in REDIS_ERRORS:
        app.exception_handler(kind)(away)

    @app.exception_handler(RequestValidationError)
    async def cannot_be(request: Request, error: RequestValidationError) -> Response:
        said = "; ".join(f"{_place(each['loc'])}: {each['msg']}" for each in error.errors())
        return answer(request, problem(HTTPStatus.UNPROCESSABLE_ENTITY, said, title="WrongUse"), {})

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        detail = error.detail
        if status is HTTPStatus.NOT_FOUND and detail == status.phrase:
            detail = f"there is nothing at {request.url.path}"
        return answer(request, problem(status, detail), error.headers or {})

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        # Starlette logs it with its traceback, as it raises it again.
        what = problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a fault of Refrain's; its log says more")
        return answer(request, what, {})


def _place(parts: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in parts[1:]) or str(parts[0])
