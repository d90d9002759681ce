"""What is learned of listeners' next week, on every backend."""

from __future__ import annotations

from dataclasses import replace

import msgpack
import pytest

from models.traits.next_week import Foresight, NextWeek
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.next_week_model import NextWeekModel


@pytest.fixture
async def store(redis: AnyRedis) -> NextWeekModel:
    """A store that holds a model of 40 examples, which has been judged."""
    store, blank = NextWeekModel(redis), NextWeek()
    await store.keep(NextWeek(replace(blank.zero, examples=40), blank.count, Foresight(30.0, 3.0, 9.0)))
    return store


async def test_how_well_weeks_were_predicted_is_kept(store: NextWeekModel) -> None:
    assert (await store.load()).foresight == Foresight(30.0, 3.0, 9.0)


async def test_how_well_an_earlier_version_predicted_others_than_are_judged_now_is_left_out(
    store: NextWeekModel, redis: AnyRedis
) -> None:
    held = msgpack.unpackb(await redis.get(keys.NEXT_WEEK))
    held.pop("judged", None)
    held["foresight"] = [1000.0, 10.0, 900.0]
    await redis.set(keys.NEXT_WEEK, msgpack.packb(held))
    model = await store.load()
    assert (model.version, model.foresight.examples) == (40, 0.0)
