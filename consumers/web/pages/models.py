"""Models: how well each predicts, which serves, and going back to an earlier one."""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form
from fastapi.responses import HTMLResponse, RedirectResponse

from consumers.actions.use_ctr_model import use_ctr_model
from consumers.actions.use_model import use_model
from consumers.queries.churn import read_churn
from consumers.queries.ctr_models import list_ctr_models
from consumers.queries.models import ModelList, list_models
from consumers.queries.training import read_training
from consumers.terminal import churn_model_tables, ctr_model_tables
from consumers.terminal.model_tables import LIFT
from consumers.web.access import Administers, Caller, Looks
from consumers.web.api.models import LARGEST
from consumers.web.pages.layout import page, part
from consumers.web.service import At
from stream.errors import NoModel
from stream.stores.api_keys import Role
from stream.stores.sweeps import Sweeps

__all__ = ["router"]

router = APIRouter(prefix="/models", include_in_schema=False)

HERE = "/models"
LATELY = 3600.0  # seconds for which a drift is worth a note


@router.get("", response_class=HTMLResponse)
async def get_models(at: At, caller: Looks) -> HTMLResponse:
    """Show the models that are kept, and how good they are."""
    found: ModelList | None = None
    missing: NoModel | None = None
    try:
        found = await list_models(at.redis, at.settings)
    except NoModel as error:
        missing = error
    training, clicks, churn = await asyncio.gather(
        read_training(at.redis, at.settings),
        list_ctr_models(at.redis, at.settings),
        read_churn(at.redis, at.settings),
    )
    serving = next((model for model in clicks if model.serves), None)
    return page(
        "models.html",
        "Models",
        HERE,
        caller,
        found=found,
        missing=missing,
        serving=next((model for model in found.models if model.serves), None) if found else None,
        judged=[model for model in found.models if model.foresight][::-1] if found else [],
        training=training,
        drifts=training is not None and time.time() - (training.drifted_at or 0.0) < LATELY,
        lift=LIFT,
        sweep=found.sweep if found else None,
        clicks=clicks,
        clicks_judged=[model for model in clicks if model.foresight][::-1],
        clicks_serve=serving,
        clicks_go_by=ctr_model_tables.goes_by(serving.coefficients) if serving else "",
        unread=ctr_model_tables.UNREAD,
        no_clicks=ctr_model_tables.NO_CLICKS,
        clicks_explained=ctr_model_tables.EXPLAINED,
        churn=churn_model_tables.about_churn(churn) if churn else None,
        no_churn=churn_model_tables.NO_CHURN,
        churn_explained=churn_model_tables.EXPLAINED,
        may_use=_may_use(caller),
    )


@router.get("/sweep", response_class=HTMLResponse)
async def get_sweep(at: At, caller: Looks) -> HTMLResponse:
    """Show how far the sweep is, as long as it is under way."""
    return HTMLResponse(part("sweep_part.html", sweep=await Sweeps(at.redis).now()))


@router.post("/use")
async def post_use(
    at: At,
    caller: Administers,
    version: Annotated[int | None, Form(ge=1, le=LARGEST)] = None,
    pin: Annotated[bool, Form()] = False,
) -> RedirectResponse:
    """Let a snapshot serve; without a version the newest, which the trainer's next one follows."""
    await use_model(at.redis, at.settings, version, pin=pin)
    return RedirectResponse(HERE, HTTPStatus.SEE_OTHER)


@router.post("/clicks/use")
async def post_use_clicks(
    at: At, caller: Administers, version: Annotated[int, Form(ge=0, le=LARGEST)]
) -> RedirectResponse:
    """Let a CTR model rank audiences; 0: taste alone."""
    await use_ctr_model(at.redis, version)
    return RedirectResponse(f"{HERE}#clicks", HTTPStatus.SEE_OTHER)


def _may_use(caller: Caller) -> bool:
    return caller.role >= Role.ADMINISTER
