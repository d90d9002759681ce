"""The application: its routes, and what holds for all of them."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.responses import JSONResponse

from consumers.web.api import cohorts, health, listeners, live, models, releases, traits
from consumers.web.api.answers import PROBLEMS
from consumers.web.armour import AnswerHeaders, BodyLimit
from consumers.web.problems import answer_problems, problem
from consumers.web.rates import Rates
from consumers.web.service import At, Service
from stream.connect import REDIS_ERRORS

__all__ = ["API", "make_app"]

API = "/api/v1"

SAYS = """\
Who listens to what, whom a release is for, what listeners are about to do. An API key is given as
`Authorization: Bearer KEY`; `refrain key add NAME --role look|publish|administer` makes one. Errors are
`application/problem+json`, with what to do in `hint`. Times are Unix seconds.
"""


def make_app(service: Service) -> FastAPI:
    """Return the application."""
    app = FastAPI(
        title="Refrain",
        version=version("refrain-cohorts"),
        description=SAYS,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # these pages would load scripts from another host
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    app.state.service = service
    app.state.rates = Rates(service.settings.web_requests_a_minute)
    answer_problems(app)
    app.add_middleware(BodyLimit)
    app.add_middleware(AnswerHeaders)
    api = APIRouter(prefix=API, responses=PROBLEMS)
    for part in (cohorts, listeners, releases, models, traits, health, live):
        api.include_router(part.router)
    app.include_router(api)
    app.include_router(_probes())
    return app


def _probes() -> APIRouter:
    """Return what supervisors of containers ask; it needs no key, and tells nothing else."""
    probes = APIRouter(tags=["probes"])

    @probes.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process lives."""
        return {"state": "lives"}

    @probes.get("/readyz", responses={int(HTTPStatus.SERVICE_UNAVAILABLE): {}})
    async def readyz(at: At) -> JSONResponse:
        """Say whether requests can be answered: whether Redis answers."""
        try:
            await at.redis.ping()
        except REDIS_ERRORS:
            return problem(HTTPStatus.SERVICE_UNAVAILABLE, "Redis does not answer")
        return JSONResponse({"state": "ready"})

    return probes
