"""What the doctor looks at in the model: which one serves, who has loaded it, how well it predicts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from consumers.doctor.check import Check
from consumers.doctor.processes import Alive
from consumers.queries.no_model import no_model
from consumers.terminal.format import ago
from stream.connect import AnyRedis
from stream.errors import SnapshotUnusable
from stream.settings import Settings
from stream.stores.heartbeats import heartbeats, starting_for
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels
from stream.stores.sweeps import Sweeps

__all__ = ["check_model", "check_serving"]

OLD = 10  # times as long as a new model should take
JUDGED = 1000  # discoveries: fewer say nothing
FEW = 20  # discoveries: with fewer a lift is noise
BY_CHANCE = 1.5  # lift, below which a model hardly predicts anything
RECENT = 600.0  # seconds since a drift was seen
MOMENT = 3.0  # seconds that a process may take to load a model and to say so
LOOK_SECONDS = 0.25
BEHIND = 2 * 86_400.0  # seconds that songs may be older than the model


async def check_model(redis: AnyRedis, settings: Settings, alive: Alive, now: float) -> list[Check]:
    """Look at the model that serves, and at what follows it.

    Parameters
    ----------
    alive
        Which processes live.
    now
        Unix seconds.
    """
    checks = [
        await check_serving(redis, settings, alive, now),
        await _loaded(redis),
        await _sweep(redis, alive),
        await _foresight(redis, now),
        await _songs(redis, now),
    ]
    return [check for check in checks if check]


async def check_serving(redis: AnyRedis, settings: Settings, alive: Alive, now: float) -> Check:
    """Look at the model that serves, or at what the first one waits for.

    Parameters
    ----------
    alive
        Which processes live.
    now
        Unix seconds.
    """
    store = Snapshots(redis)
    version, pinned = await store.current(), await store.pinned()
    if version is None:
        waits_for = str(await no_model(redis, settings))
        return Check.warning("model", waits_for, "wait, or lower REFRAIN_FIRST_MODEL_LISTENERS")
    try:
        model = await store.load(version)
    except SnapshotUnusable as error:
        return Check.wrong("model", str(error), "`refrain model use VERSION` lets another serve")
    age = now - model.created_at
    found = f"version {version}, {ago(age)} old, {len(model.cohort_ids)} cohorts"
    if pinned is not None:
        return Check.warning(
            "model", f"{found}, pinned", "`refrain model use newest` lets the newest serve again"
        )
    if age > OLD * settings.publish_every and not alive.has("train"):
        return Check.wrong("model", f"{found}, and no trainer runs", "start `refrain train`")
    return Check.fine("model", found)


async def _loaded(redis: AnyRedis) -> Check | None:
    """Look whether every process has loaded the version that serves; each is given a moment to."""
    give_up = time.monotonic() + MOMENT
    while True:
        serves = await Snapshots(redis).current()
        loaded = {n: int(s["model"]) for n, s in (await heartbeats(redis)).items() if _has_model(s)}
        behind = [f"{name} has {version}" for name, version in loaded.items() if version != serves]
        if serves is None or not loaded:
            return None
        if not behind:
            return Check.fine("model loaded", f"version {serves}, by every process")
        if time.monotonic() >= give_up:
            return Check.warning(
                "model loaded",
                f"{', '.join(behind)}, not {serves}",
                "look at its log and restart it; `refrain model use VERSION` lets another serve",
            )
        await asyncio.sleep(LOOK_SECONDS)


def _has_model(state: Mapping[str, str]) -> bool:
    """Whether a process goes from model to model: one that starts has read one, and comes to that later."""
    return "model" in state and starting_for(state) is None


async def _sweep(redis: AnyRedis, alive: Alive) -> Check | None:
    serves, sweep = await Snapshots(redis).current(), await Sweeps(redis).now()
    if serves is None:
        return None
    if sweep and sweep.done == serves:
        return Check.fine("listeners", f"all {sweep.listeners:,} are migrated to model {serves}")
    met = f"{sweep.met:,} of {sweep.listeners:,}" if sweep and sweep.version == serves else "none yet"
    found = f"migrated to model {serves}: {met}"
    if not alive.has("ingest"):
        return Check.warning("listeners", f"{found}, and no ingester runs", "start `refrain ingest`")
    if not alive.at_work["ingest"]:
        return Check.fine("listeners", f"{found}; the ingester is still starting")
    return Check.fine("listeners", found)


async def _foresight(redis: AnyRedis, now: float) -> Check | None:
    """Look how well listeners who discovered an artist had been ranked for it; nothing before it is known."""
    trainers = (await heartbeats(redis)).values()
    trainer = next((state for state in trainers if "lift_listener" in state), None)
    if trainer is None:
        return None
    discoveries, lift = float(trainer["discoveries"]), float(trainer["lift_listener"])
    found = (
        f"lift at 5 % {float(trainer['lift_cohort']):.1f} x by cohort, {lift:.1f} x one by one, over the "
        f"last {discoveries:,.0f} discoveries of an artist"
        if discoveries >= FEW
        else f"too few discoveries of an artist to say yet ({discoveries:,.0f})"
    )
    if "calibration_error" in trainer:
        found += f"; play rates are off by {100 * float(trainer['calibration_error']):.1f} points"
    if refused := int(trainer.get("refused", 0)):
        found += f"; {refused:,} candidates were worse and not published"
    if discoveries >= JUDGED and lift < BY_CHANCE:
        return Check.warning(
            "foresight", found, "`refrain evaluate` shows what can be predicted from your clicks"
        )
    if now - float(trainer.get("drifted", "-inf")) < RECENT:
        return Check.warning(
            "foresight", f"{found}; listening drifts", "nothing: the trainer learns faster for a while"
        )
    return Check.fine("foresight", found)


async def _songs(redis: AnyRedis, now: float) -> Check | None:
    """Look whether song vectors have stayed behind the model that serves; nothing where not."""
    made_at = await SongModels(redis).made_at()
    serves = dict(await Snapshots(redis).versions()).get(await Snapshots(redis).current() or 0, 0.0)
    if not made_at or serves - made_at <= BEHIND:
        return None
    return Check.warning(
        "songs",
        f"song vectors are {ago(now - made_at)} old, and go on serving",
        "others come with a model, once the trainer that runs has read plays of songs enough: look in its "
        "log whether it is started again and again, and whether clicks name songs",
    )
