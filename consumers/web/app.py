"""The application: its routes, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import version

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from consumers.web.access import Looks
from consumers.web.api import artists, cohorts, health, listeners, live, models, releases, traits
from consumers.web.api.answers import PROBLEMS
from consumers.web.armour import AnswerHeaders, BodyLimit
from consumers.web.measured import Measured
from consumers.web.pages import cohorts as cohort_pages
from consumers.web.pages import desk, listener, now, release, sign_in
from consumers.web.pages import health as health_page
from consumers.web.pages import lifecycle as lifecycle_page
from consumers.web.pages import models as model_pages
from consumers.web.pages.layout import STATIC, page
from consumers.web.problems import Problem, answer_problems, as_json, problem
from consumers.web.rates import Rates
from consumers.web.service import At, Service
from stream.connect import REDIS_ERRORS

__all__ = ["API", "answer_by", "make_app"]

API = "/api/v1"
PAGES = (
    now.router,
    cohort_pages.router,
    desk.router,
    release.router,
    listener.router,
    model_pages.router,
    lifecycle_page.router,
    health_page.router,
    sign_in.router,
)

SAYS = """\
Who listens to what, whom a release is for, what listeners are about to do. An API key is given as
`Authorization: Bearer KEY`; `refrain key add NAME --role look|publish|administer` makes one. Errors are
`application/problem+json`, with what to do in `hint`. Times are Unix seconds.
"""


def answer_by(app: FastAPI, service: Service) -> None:
    """Let the application answer with what this service knows."""
    app.state.service = service
    app.state.rates = Rates(service.settings.web_requests_a_minute)


def make_app() -> FastAPI:
    """Return the application. `answer_by` says what it is to answer with."""
    app = FastAPI(
        title="Refrain",
        version=version("refrain-cohorts"),
        description=SAYS,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,  # these pages would load scripts from another host
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    answer_problems(app, _answer)
    app.add_middleware(BodyLimit)
    app.add_middleware(AnswerHeaders)
    app.add_middleware(Measured)
    api = APIRouter(prefix=API, responses=PROBLEMS)
    for part in (cohorts, listeners, artists, releases, models, traits, health, live):
        api.include_router(part.router)
    api.include_router(releases.by_id)
    app.include_router(api)
    app.include_router(_probes())
    app.include_router(_metrics())
    for router in PAGES:
        app.include_router(router)
    app.mount("/static", _Files(directory=STATIC))
    return app


class _Files(StaticFiles):
    """Files of the page: their addresses change with them, so that a browser may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return answer


def _answer(request: Request, what: Problem, headers: Mapping[str, str]) -> Response:
    """Answer a person with a page, a program with JSON."""
    if "hx-request" in request.headers and what.status == HTTPStatus.UNAUTHORIZED:
        return Response(status_code=what.status, headers={"HX-Redirect": sign_in.sign_in_url(request)})
    if request.url.path.startswith(API) or "text/html" not in request.headers.get("accept", ""):
        return as_json(what, headers)
    if what.status == HTTPStatus.UNAUTHORIZED:
        return RedirectResponse(sign_in.sign_in_url(request), HTTPStatus.SEE_OTHER)
    heading = HTTPStatus(what.status).phrase
    answer = page(
        "problem.html", heading, "", None, what.status, heading=heading, detail=what.detail, hint=what.hint
    )
    answer.headers.update(headers)
    return answer


def _metrics() -> APIRouter:
    """Return what Prometheus asks for."""
    metrics = APIRouter(tags=["metrics"], responses=PROBLEMS)

    @metrics.get("/metrics", response_class=PlainTextResponse)
    async def ask_metrics(at: At, _: Looks) -> Response:
        """Return the metrics of this process, as Prometheus reads them."""
        return Response(generate_latest(at.metrics), media_type=CONTENT_TYPE_PLAIN_0_0_4)

    return metrics


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
            return as_json(problem(HTTPStatus.SERVICE_UNAVAILABLE, "Redis does not answer"))
        return JSONResponse({"state": "ready"})

    return probes
