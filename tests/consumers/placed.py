"""Listeners placed straight in Redis under a model of three cohorts, for tests of what comes after clicks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import numpy as np

from models.audience import aim, score_members
from models.listener import Listener, Move
from models.model import Model
from models.taste import log_length, unit
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.snapshots import Snapshots
from tests.consumers.small_model import small_model
from tests.stream.written import write

__all__ = ["MEMBERS", "names", "place", "scores", "use"]


def names(prefix: str, number: int) -> list[str]:
    """Listeners of one cohort."""
    return [f"{prefix}-ü{at}" for at in range(number)]


MEMBERS = {"c1": names("c1", 2500), "c2": names("c2", 700), "c5": names("c5", 300), "": names("nowhere", 50)}


def taste(user: str, model: Model) -> np.ndarray:
    """A taste of the listener's own, the same every time."""
    return np.random.default_rng(list(user.encode())).normal(size=model.n_dims)


def scores(users: Sequence[str], artist: str, model: Model) -> dict[str, float]:
    """How well a release of an artist suits listeners."""
    rows = np.stack([taste(user, model) for user in users])
    found = score_members(model, unit(rows), log_length(rows), aim(model, [artist]))
    return dict(zip(users, found.tolist(), strict=True))


def place(
    settings: Settings,
    members: Mapping[str, Sequence[str]],
    model: Model | None = None,
    bots: Sequence[str] = (),
    clocks: Mapping[str, int] | None = None,
) -> Model:
    """Let a model serve, with these listeners in its cohorts; "" is no cohort.

    `clocks`: of some of them by how many minutes they are ahead of UTC.
    """
    model = model or small_model()
    asyncio.run(_place(settings, members, model, set(bots), clocks or {}))
    return model


async def _place(
    settings: Settings,
    members: Mapping[str, Sequence[str]],
    model: Model,
    bots: set[str],
    clocks: Mapping[str, int],
) -> None:
    redis = await open_redis(settings)
    listeners = Listeners(redis)
    cohorts = Cohorts(redis, listeners)
    who = [(user, cohort) for cohort, users in members.items() for user in users]
    everybody = [_listener(user, cohort, user in bots, clocks.get(user)) for user, cohort in who]
    tastes = [taste(user, model) for user, _ in who]
    await write(listeners, everybody, tastes, version=model.version)
    await cohorts.describe(model, model.standing_out(3), 3600)
    await cohorts.follow([Move(user, "", cohort, 0.0) for user, cohort in who])
    await Snapshots(redis).publish(model)
    await redis.aclose()


def _listener(user: str, cohort: str, bot: bool, clock: int | None) -> Listener:
    return Listener(
        user,
        cohort=cohort,
        clicks=1,
        first_seen=1.0,
        last_seen=1.0,
        bot=bot,
        offsets={"0": 1},
        affinities={"a0": 1.0},
        utc_offset_min=clock,
    )


def use(settings: Settings, version: int) -> None:
    """Go back to a version for good."""

    async def choose() -> None:
        redis = await open_redis(settings)
        await Snapshots(redis).use(version, pin=True)
        await redis.aclose()

    asyncio.run(choose())
