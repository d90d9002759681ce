"""Lets a snapshot serve, and watches listeners being taken over to it."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.commands.session import redis_of
from consumers.local.servers import connected_settings
from stream.connect import AnyRedis
from stream.errors import NoModel, NotTakenOver
from stream.settings import Settings
from stream.stores.cohorts import APART, Cohorts
from stream.stores.heartbeats import heartbeats
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from stream.stores.sweeps import Sweep, Sweeps

__all__ = ["follow", "let_serve", "wait_for_sweep"]

LOOK_SECONDS = 0.2


async def let_serve(redis: AnyRedis, settings: Settings, version: int | None, *, pin: bool) -> dict[str, Any]:
    """Let a version serve, None for the newest; cohorts are called again what they are called in it.

    Raises
    ------
    NoModel, SnapshotDamaged, SnapshotTooNew
        Where there is none that could serve.
    """
    store = Snapshots(redis)
    chosen = await store.newest() if version is None else version
    if chosen is None:
        raise NoModel("there is no model yet; `refrain cohorts` says what the first one waits for")
    model = await store.load(chosen)
    cohorts = Cohorts(redis, Listeners(redis, settings.max_artists))
    await cohorts.describe(model, model.standing_out(APART), settings.release_seconds)
    await store.use(chosen, pin=pin)
    return {"serves": chosen, "pinned": chosen if pin else None}


def wait_for_sweep(version: int) -> dict[str, Any]:
    """Wait until every listener is taken over to a version, with a progress bar, and return the sweep.

    Raises
    ------
    NotTakenOver
        Where nobody does it, or another version has come to serve.
    """

    async def whole() -> Sweep:
        async with redis_of(connected_settings(kafka=False)) as redis:
            with _bar() as bar:
                return await follow(redis, version, bar)

    return asdict(asyncio.run(whole()))


def _bar() -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("listeners"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


async def follow(redis: AnyRedis, version: int, bar: Progress) -> Sweep:
    """Show on a bar how far the sweep is, until everybody is taken over to a version."""
    store, sweeps = Snapshots(redis), Sweeps(redis)
    task = bar.add_task(f"taking over to model {version}", total=None)
    while True:
        sweep, serves = await sweeps.now(), await store.current()
        if serves != version:
            raise NotTakenOver(
                f"model {serves} serves by now, not {version}: the trainer has published it, or somebody has "
                "asked for it. --pin keeps a version"
            )
        if sweep and sweep.done == version:
            return sweep
        if not any(state["kind"] == "ingest" for state in (await heartbeats(redis)).values()):
            raise NotTakenOver(
                f"model {version} serves, but no ingester runs that would take listeners over to it: start "
                "`refrain ingest`"
            )
        if sweep and sweep.version == version:
            bar.update(task, completed=sweep.met, total=sweep.listeners)
        await asyncio.sleep(LOOK_SECONDS)
