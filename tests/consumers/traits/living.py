"""Listeners of a simulated year in Redis, as an ingester would have written them by some day."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.year import Year
from consumers.runtime.wiring import Stores
from consumers.traits.churn import Churn
from consumers.traits.looks import LOOK_SECONDS, Looks
from consumers.traits.next_week import NextWeekTrait
from consumers.traits.scorer import Scorer
from consumers.traits.segments import SegmentTraits
from models.listener import Move
from models.traits.churn_span import Span
from models.traits.lifecycle import Limits
from stream.connect import AnyRedis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores.activity_codec import HEAD
from stream.stores.heartbeats import Heartbeat
from stream.stores.next_week_model import NextWeekModel
from tests.consumers.producer import Producer
from tests.stream.written import listener_of, put

__all__ = ["live", "put_days", "put_year"]

SECONDS = 86_400.0
WEEK = 7


async def put_year(redis: AnyRedis, stores: Stores, year: Year, until: int) -> list[str]:
    """Write what is known of the listeners who have come before a day; return who they are."""
    active, first = year.active(until), year.first_days(until)
    last = np.full(year.listeners, -1, dtype=np.int64)
    np.maximum.at(last, active.owner, active.days["day"].astype(np.int64))
    users = {at: f"user {at}" for at in np.flatnonzero(first >= 0).tolist()}
    seen = {
        at: {"first_seen": SECONDS * first[at] + 1.0, "last_seen": SECONDS * last[at] + 1.0} for at in users
    }
    await put(stores.listeners, *[listener_of(user, **seen[at]) for at, user in users.items()])
    await stores.cohorts.place([Move(user, "", "", 1.0) for user in users.values()])
    for at, user in users.items():
        await put_days(redis, user, active.days[active.owner == at])
    return list(users.values())


async def put_days(redis: AnyRedis, user: str, days: npt.NDArray[Any]) -> None:
    """Write what a listener did day by day."""
    head = np.zeros(1, dtype=HEAD)
    head["format"], head["days"] = 1, len(days)
    await redis.set(keys.user_activity(user), head.tobytes() + days.tobytes())


async def live(redis: AnyRedis, settings: Settings, year: Year, weeks: int) -> None:
    """Let the last weeks of a year pass, at the end of each of which everybody is scored."""
    stores = Stores.on(redis, settings)
    looks = Looks(stores.listeners, stores.cohorts.drawn, 2000)
    next_week = NextWeekTrait(NextWeekModel(redis), looks)
    now = 0.0
    scorer = Scorer(
        stores.listeners,
        stores.traits,
        next_week,
        Churn(stores.churn, stores.listeners, stores.cohorts.drawn, Span(), 2000),
        SegmentTraits(stores.listeners, stores.segments, lambda: None, 200),
        Limits(),
        Producer(),  # type: ignore[arg-type]
        Heartbeat(redis, "traits"),
        Retry(asyncio.Event()),
        lambda: now,
    )
    for until in range(year.end - WEEK * weeks, year.end + 1, WEEK):
        now = SECONDS * until + 60.0
        users = await put_year(redis, stores, year, until)
        for later in (0.0, LOOK_SECONDS):
            await next_week.look(now + later)
        await scorer.score(users)
    await next_week.keep()
