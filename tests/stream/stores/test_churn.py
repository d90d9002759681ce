"""What is learned of churn, and the frozen days, on every backend."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from models.quality.prequential import Prequential
from models.traits.churn import ChurnModel
from models.traits.churn_span import Span
from stream.connect import AnyRedis
from stream.errors import SnapshotDamaged
from stream.stores import keys
from stream.stores.churn import ChurnStore, FrozenDay, LearnedChurn
from tests.stream.stores.test_forget import full

NAMES = "freq_P_last_7", "freq_P_last_14"


def learned(version: int, day: int = 100) -> LearnedChurn:
    random = np.random.default_rng(version)
    model, quality = ChurnModel(NAMES), Prequential()
    rows, outcome = random.poisson(3.0, (600, 2)).astype(float), random.random(600) < 0.4
    model.learn(rows, outcome)
    quality.add(model.predict(rows), outcome)
    return LearnedChurn(model, quality, Span(20, 7), version, 5.5, day)


def frozen(until: int, *users: str) -> FrozenDay:
    number = len(users)
    rows = np.arange(2 * number, dtype=np.float32).reshape(-1, 2)
    return FrozenDay(until, Span(20, 7), users, NAMES, rows, np.full(number, np.nan, np.float32))


async def test_what_is_learned_is_read_as_it_was_written(redis: AnyRedis) -> None:
    store, written, rows = ChurnStore(redis), learned(1), np.array([[1.0, 5.0]])
    assert await store.keep(written, instead_of=0)
    read = await store.learned()
    assert read is not None
    assert (read.version, read.made_at, read.learned, read.span) == (1, 5.5, 100, Span(20, 7))
    assert np.array_equal(read.model.predict(rows), written.model.predict(rows))
    assert read.quality.figures() == written.quality.figures()


async def test_its_figures_are_there_without_the_model(redis: AnyRedis) -> None:
    store, written = ChurnStore(redis), learned(1)
    assert await store.figures() is None
    await store.keep(written, instead_of=0)
    found = await store.figures()
    assert found is not None
    assert (found.version, found.outcome, found.examples) == (1, 7, 600)
    assert found.foresight == written.quality.figures()


async def test_of_two_that_go_on_from_one_version_the_first_is_kept(redis: AnyRedis) -> None:
    store = ChurnStore(redis)
    assert await store.keep(learned(1, day=100), instead_of=0)
    assert not await store.keep(learned(2, day=101), instead_of=0)
    assert await store.version() == 1


async def test_a_day_is_frozen_once(redis: AnyRedis) -> None:
    store = ChurnStore(redis)
    assert await store.freeze(frozen(7, "a", "b"))
    assert not await store.freeze(frozen(7, "c"))
    read = await store.frozen(7)
    assert read is not None
    assert (read.span, read.user_ids, read.names) == (Span(20, 7), ("a", "b"), NAMES)
    assert read.rows.tolist() == [[0, 1], [2, 3]]
    assert await store.frozen_days() == [7]


async def test_a_forgotten_listener_is_in_no_frozen_day(redis: AnyRedis) -> None:
    store = ChurnStore(redis)
    await store.freeze(frozen(7, "a", "b"))
    await store.freeze(frozen(8, "a"))
    await store.forget("a")
    seven, eight = await store.frozen(7), await store.frozen(8)
    assert seven is not None
    assert (seven.user_ids, seven.rows.tolist()) == (("b",), [[2, 3]])
    assert eight is not None
    assert eight.user_ids == ()


async def test_of_several_who_are_forgotten_at_once_none_comes_back(redis: AnyRedis) -> None:
    store, gone = ChurnStore(redis), [f"u{n}" for n in range(10)]
    for day in range(7, 17):
        await store.freeze(frozen(day, *gone, "left"))
    await asyncio.gather(*map(store.forget, gone))
    for day in range(7, 17):
        left = await store.frozen(day)
        assert left is not None
        assert (left.user_ids, left.rows.tolist()) == (("left",), [[20, 21]])


async def test_a_full_redis_forgets_who_was_frozen(redis: AnyRedis) -> None:
    store = ChurnStore(redis)
    await store.freeze(frozen(7, "a", "b"))
    await store.forget("nobody")
    async with full(redis):
        await store.forget("a")
    left = await store.frozen(7)
    assert left is not None
    assert left.user_ids == ("b",)


async def test_a_frozen_day_that_cannot_be_read_is_said_to_be_damaged_and_keeps_nobody(
    redis: AnyRedis,
) -> None:
    store = ChurnStore(redis)
    await redis.hset(keys.CHURN_FROZEN, "7", b"\x93no")
    with pytest.raises(SnapshotDamaged, match="frozen on day 7 cannot be read"):
        await store.frozen(7)
    await store.forget("a")
    assert await store.frozen_days() == []


async def test_what_cannot_be_read_is_said_to_be_damaged(redis: AnyRedis) -> None:
    await redis.hset(keys.CHURN_MODEL, "packed", b"\x93no")
    with pytest.raises(SnapshotDamaged, match="churn cannot be read"):
        await ChurnStore(redis).learned()
