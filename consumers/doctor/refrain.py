"""What the doctor looks at in Refrain itself: its processes, the model, releases on their way."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Mapping

from consumers.doctor.check import Check
from consumers.queries.no_model import no_model
from consumers.terminal.format import ago
from models.affinity import ForwardDecay
from stream.connect import AnyRedis
from stream.errors import DecayChanged, SnapshotDamaged, SnapshotTooNew
from stream.settings import Settings
from stream.stores import keys
from stream.stores.guards import guard_decay
from stream.stores.heartbeats import heartbeats
from stream.stores.releases import Releases
from stream.stores.snapshots import Snapshots
from stream.stores.sweeps import Sweeps

__all__ = ["KINDS", "check_here", "check_refrain", "processes"]

KINDS = {
    "ingest": "clicks are not read",
    "train": "nothing is learned",
    "work": "releases are not answered",
}
OLD = 10  # times as long as a new model should take
SLOW_RELEASE = 60.0  # seconds
JUDGED = 1000  # discoveries: of fewer nothing is said
BY_CHANCE = 1.5
RECENT = 600.0  # seconds
MOMENT = 3.0  # seconds that a process may take to load a model and to say so
AGAIN = 0.25


async def processes(redis: AnyRedis) -> Counter[str]:
    """Return how many processes of each kind live."""
    return Counter(state["kind"] for state in (await heartbeats(redis)).values())


async def check_here(redis: AnyRedis, kind: str) -> Check:
    """Look whether a process of a kind lives on this machine, or in this container."""
    host = socket.gethostname()
    ours = [name for name in await heartbeats(redis) if name.startswith(f"{kind}-{host}-")]
    if ours:
        return Check.fine(kind, f"lives: {', '.join(ours)}")
    return Check.wrong(
        kind, f"no sign of life on {host}, for ten seconds at least", f"start `refrain {kind}`"
    )


async def check_refrain(redis: AnyRedis, settings: Settings, now: float) -> list[Check]:
    """Look at processes, decay, model and releases."""
    alive = await processes(redis)
    return [
        *(_process(kind, alive[kind], missing) for kind, missing in KINDS.items()),
        await _decay(redis, settings),
        await _model(redis, settings, alive, now),
        *await _taken_up(redis),
        *await _sweep(redis, alive),
        *await _foresight(redis, now),
        await _releases(redis, settings, now),
    ]


def _process(kind: str, number: int, missing: str) -> Check:
    if not number:
        return Check.wrong(kind, f"none runs: {missing}", f"start `refrain {kind}`, or `refrain up` for all")
    return Check.fine(kind, "1 runs" if number == 1 else f"{number} run")


async def _decay(redis: AnyRedis, settings: Settings) -> Check:
    said = f"a click counts half after {settings.half_life_days:g} days"
    if not await redis.exists(keys.DECAY):
        return Check.fine("half-life", said)
    try:
        await guard_decay(redis, ForwardDecay(half_life=settings.half_life))
    except DecayChanged as error:
        what, _, mend = str(error).partition(". ")
        return Check.wrong("half-life", what, mend)
    return Check.fine("half-life", f"{said}, in Redis as in the settings")


async def _model(redis: AnyRedis, settings: Settings, alive: Mapping[str, int], now: float) -> Check:
    store = Snapshots(redis)
    version, pinned = await store.current(), await store.pinned()
    if version is None:
        return Check.odd(
            "model", str(await no_model(redis, settings)), "wait, or lower REFRAIN_FIRST_MODEL_LISTENERS"
        )
    try:
        model = await store.load(version)
    except (SnapshotDamaged, SnapshotTooNew) as error:
        return Check.wrong("model", str(error), "`refrain model use VERSION` lets another serve")
    said = f"version {version}, {ago(now - model.created_at)} old, {len(model.cohort_ids)} cohorts"
    if pinned is not None:
        return Check.odd("model", f"{said}, pinned", "`refrain model use newest` lets the newest serve again")
    if now - model.created_at > OLD * settings.publish_every and not alive.get("train"):
        return Check.wrong("model", f"{said}, and no trainer runs", "start `refrain train`")
    return Check.fine("model", said)


async def _taken_up(redis: AnyRedis) -> list[Check]:
    """Look whether every process has loaded the version that serves; each is given a moment to."""
    give_up = time.monotonic() + MOMENT
    while True:
        serves = await Snapshots(redis).current()
        loaded = {n: int(s["model"]) for n, s in (await heartbeats(redis)).items() if "model" in s}
        behind = [f"{name} has {version}" for name, version in loaded.items() if version != serves]
        if serves is None or not loaded:
            return []
        if not behind:
            return [Check.fine("model loaded", f"version {serves}, by all that serve from it")]
        if time.monotonic() >= give_up:
            break
        await asyncio.sleep(AGAIN)
    return [
        Check.odd(
            "model loaded",
            f"{', '.join(behind)}, not {serves}",
            "look at its log, start it anew; `refrain model use VERSION` lets another serve",
        )
    ]


async def _sweep(redis: AnyRedis, alive: Mapping[str, int]) -> list[Check]:
    serves, sweep = await Snapshots(redis).current(), await Sweeps(redis).now()
    if serves is None:
        return []
    if sweep and sweep.done == serves:
        return [Check.fine("listeners", f"all {sweep.listeners:,} are taken over to model {serves}")]
    of = f"{sweep.met:,} of {sweep.listeners:,}" if sweep and sweep.version == serves else "nobody yet"
    said = f"taken over to model {serves}: {of}"
    if not alive.get("ingest"):
        return [Check.odd("listeners", f"{said}, and no ingester runs", "start `refrain ingest`")]
    return [Check.fine("listeners", said)]


async def _foresight(redis: AnyRedis, now: float) -> list[Check]:
    trainers = (await heartbeats(redis)).values()
    state = next((state for state in trainers if "lift_listener" in state), None)
    if state is None:
        return []
    by_cohort, lift = float(state["lift_cohort"]), float(state["lift_listener"])
    number = float(state["discoveries"])
    said = (
        f"the last {number:,.0f} who discovered an artist were among the 5 % ranked best for it "
        f"{by_cohort:.1f} x as often as by chance by cohort, {lift:.1f} x one by one"
    )
    if refused := int(state.get("refused", 0)):
        said += f"; {refused:,} candidates were worse and not published"
    if number >= JUDGED and lift < BY_CHANCE:
        return [
            Check.odd(
                "foresight", said, "`refrain evaluate` on your clicks shows what can be foreseen of them"
            )
        ]
    if now - float(state.get("drifted", "-inf")) < RECENT:
        return [
            Check.odd(
                "foresight", f"{said}; listening drifts", "nothing: the trainer learns faster for a while"
            )
        ]
    return [Check.fine("foresight", said)]


async def _releases(redis: AnyRedis, settings: Settings, now: float) -> Check:
    slow = await Releases(redis, settings.release_seconds).left_open(now - SLOW_RELEASE)
    if not slow:
        return Check.fine("releases", "none waits for its audience")
    names = ", ".join(release.release_id for release in slow[:3])
    return Check.wrong(
        "releases",
        f"{len(slow):,} wait for their audience for more than a minute: {names}",
        "look at the log of `refrain work`; another worker finishes them",
    )
