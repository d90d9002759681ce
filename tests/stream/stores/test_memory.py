from __future__ import annotations

import numpy as np
import pytest

from models.affinity import DAY
from models.listener import Move
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.memory import DAYS, Measured, Memory
from tests.stream.written import listener_of, write

NOW = 20_000 * DAY


async def put(listeners: Listeners, cohorts: Cohorts, first: int, number: int) -> list[str]:
    """Write listeners of 5 to 44 artists, half of them in a cohort."""
    there = []
    for at in range(first, first + number):
        artists = {f"artist {n}": 1.0 for n in range(5 + at % 40)}
        there.append(listener_of(f"listener {at}", artists, cohort="c1" if at % 2 else ""))
    await write(listeners, there, np.ones((number, 8)))
    await cohorts.place([Move(each.user_id, "", each.cohort, 1.0) for each in there])
    return [each.user_id for each in there]


async def test_what_a_listener_takes_is_what_others_add_to_the_memory(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    memory = Memory(redis, cohorts)
    there = await put(listeners, cohorts, 0, 400)
    before = sum(server.used for server in await memory.servers())
    estimated = await memory.of_listener(there, 400)
    # So many that what Redis takes and gives back for itself, some 100 KB a server, hardly counts.
    for first in range(400, 8400, 2000):
        await put(listeners, cohorts, first, 2000)
    added = sum(server.used for server in await memory.servers()) - before
    assert estimated == pytest.approx(added / 8000, rel=0.15)


async def test_of_each_day_the_last_measurement_is_remembered_for_a_month(
    redis: AnyRedis, cohorts: Cohorts
) -> None:
    memory = Memory(redis, cohorts)
    for day in range(DAYS + 5):
        for hour in (1, 23):
            await memory.remember(NOW + day * DAY + hour * 3600.0)
    measured = await memory.measured()
    assert [each.at for each in measured] == [NOW + day * DAY + 23 * 3600.0 for day in range(5, DAYS + 5)]
    assert min(each.used for each in measured) > 100_000
    assert await redis.hlen(keys.MEMORY_DAYS) == DAYS
    assert isinstance(measured[0], Measured)


async def test_memory_that_is_not_limited_is_the_machines(redis: AnyRedis, cohorts: Cohorts) -> None:
    servers = await Memory(redis, cohorts).servers()
    assert all(server.limit > server.used for server in servers)
