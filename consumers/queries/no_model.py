"""What to tell somebody who asks for cohorts before there are any."""

from __future__ import annotations

from stream.connect import AnyRedis
from stream.errors import NoModel
from stream.settings import Settings
from stream.stores.cohorts import Cohorts
from stream.stores.heartbeats import heartbeats, starting_for
from stream.stores.listeners import Listeners

__all__ = ["no_model"]


async def no_model(redis: AnyRedis, settings: Settings) -> NoModel:
    """Return the error that says how far the first model is away, and what it waits for."""
    alive = list((await heartbeats(redis)).values())
    clicked = await Cohorts(redis, Listeners(redis)).unplaced()
    trainers = [state for state in alive if state["kind"] == "train"]
    clicks = sum(int(state.get("clicks", 0)) for state in alive if state["kind"] == "ingest")
    first = (
        f"no model yet: the first one comes when {settings.first_model_listeners:,} listeners have clicked "
        f"(REFRAIN_FIRST_MODEL_LISTENERS); so far {clicked:,} have"
    )
    if clicks:
        first += f", with {clicks:,} clicks"
    if not trainers:
        return NoModel(
            f"{first}. No trainer runs", hint="Start `refrain train`, or `refrain up` for everything."
        )
    if all(starting_for(state) is not None for state in trainers):
        return NoModel(f"{first}. The trainer is still starting")
    met = max(int(float(state.get("sample", 0))) for state in trainers)
    return NoModel(
        f"{first}. The trainer has learned from {met:,} of them; who only skips has no taste to learn from."
    )
