"""Models: which are kept, which one serves."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from consumers.actions.use_ctr_model import use_ctr_model
from consumers.actions.use_model import Serving, use_model
from consumers.queries.ctr_models import CtrModelSummary, list_ctr_models
from consumers.queries.models import ModelContent, ModelList, list_models, read_model
from consumers.queries.training import Training, read_training
from consumers.web.access import Administers, Looks
from consumers.web.service import At

__all__ = ["LARGEST", "router"]

router = APIRouter(tags=["models"])

LARGEST = 2**53

Version = Annotated[int, Field(ge=1, le=LARGEST)]


class Use(BaseModel):
    """Which model is to serve.

    Attributes
    ----------
    version
        None: the newest.
    pin
        Whether it stays when the trainer publishes newer ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Version | None = None
    pin: bool = False


class UseCtr(BaseModel):
    """Which CTR model is to rank audiences; 0: none, taste alone does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=0, le=LARGEST)]


@router.get("/models")
async def get_models(at: At, caller: Looks) -> ModelList:
    """List the snapshots that are kept, the newest first, and how well each predicted."""
    return await list_models(at.redis, at.settings)


@router.put("/models/serving")
async def put_serving(at: At, caller: Administers, use: Use) -> Serving:
    """Let a snapshot serve, in every process within a second."""
    return await use_model(at.redis, at.settings, use.version, pin=use.pin)


@router.get("/models/serving")
async def get_serving(at: At, caller: Looks) -> ModelContent:
    """Show what the snapshot holds that serves."""
    return await read_model(at.redis, at.settings, None)


@router.get("/models/{version}")
async def get_model(at: At, caller: Looks, version: Annotated[int, Path(ge=1, le=LARGEST)]) -> ModelContent:
    """Show what a snapshot holds."""
    return await read_model(at.redis, at.settings, version)


@router.get("/training")
async def get_training(at: At, caller: Looks) -> Training | None:
    """Say how far the trainer is, and whether listening drifts away from the model; null: none runs."""
    return await read_training(at.redis, at.settings)


@router.get("/ctr-models")
async def get_ctr_models(at: At, caller: Looks) -> tuple[CtrModelSummary, ...]:
    """List the CTR models, and how well each predicts it."""
    return await list_ctr_models(at.redis, at.settings)


@router.put("/ctr-models/serving")
async def put_ctr_serving(at: At, caller: Administers, use: UseCtr) -> tuple[CtrModelSummary, ...]:
    """Let a CTR model rank audiences, until the trainer publishes the next."""
    await use_ctr_model(at.redis, use.version)
    return await list_ctr_models(at.redis, at.settings)
