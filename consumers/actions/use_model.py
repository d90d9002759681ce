"""Makes a snapshot of the model serve, and watches listeners being migrated to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from stream.connect import AnyRedis
from stream.errors import NoModel, NotMigrated
from stream.settings import Settings
from stream.stores.cohorts import APART, Cohorts
from stream.stores.heartbeats import heartbeats
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from stream.stores.sweeps import Sweep, Sweeps

__all__ = ["Serving", "SweptServing", "follow_sweep", "use_model"]

LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Serving:
    """The version that serves from now on, and the version that is pinned (None: none is)."""

    serves: int
    pinned: int | None


@dataclass(frozen=True)
class SweptServing(Serving):
    """The same, and the sweep that has migrated every listener to it."""

    sweep: Sweep


async def use_model(redis: AnyRedis, settings: Settings, version: int | None, *, pin: bool) -> Serving:
    """Make a version serve, None for the newest; cohorts get the labels that they have in it.

    Raises
    ------
    NoModel, SnapshotUnusable
        Where there is none that could serve.
    """
    store = Snapshots(redis)
    chosen = await store.newest() if version is None else version
    if chosen is None:
        raise NoModel("there is no model yet", hint="`refrain cohorts` says what the first one waits for.")
    model = await store.load(chosen)
    cohorts = Cohorts(redis, Listeners(redis))
    await cohorts.describe(model, model.standing_out(APART), settings.release_seconds)
    await store.use(chosen, pin=pin)
    return Serving(chosen, chosen if pin else None)


async def follow_sweep(redis: AnyRedis, version: int) -> AsyncIterator[Sweep]:
    """Look at the sweep again and again, until every listener is migrated to a version.

    Raises
    ------
    NotMigrated
        Where no ingester runs, or another version has come to serve.
    """
    store, sweeps = Snapshots(redis), Sweeps(redis)
    while True:
        sweep, serves = await sweeps.now(), await store.current()
        if serves != version:
            raise NotMigrated(
                f"model {serves} serves by now, not {version}: the trainer has published it, or somebody has "
                "asked for it",
                hint="--pin keeps a version.",
            )
        if sweep and sweep.version == version:
            yield sweep
        if sweep and sweep.done == version:
            return
        if not any(state["kind"] == "ingest" for state in (await heartbeats(redis)).values()):
            raise NotMigrated(
                f"model {version} serves, but no ingester runs that would migrate listeners to it",
                hint="Start `refrain ingest`.",
            )
        await asyncio.sleep(LOOK_SECONDS)
