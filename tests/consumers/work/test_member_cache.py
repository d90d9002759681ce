"""The tastes at hand for a release."""

from __future__ import annotations

import numpy as np
import pytest
from redis.asyncio import Redis

from consumers.work.member_cache import MemberCache
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.taste_codec import pack

DIMS = 3


@pytest.fixture
async def redis(redis_url: str):  # type: ignore[no-untyped-def]
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def member_cache(redis: Redis) -> MemberCache:
    listeners = Listeners(redis, 200)
    return MemberCache(listeners, Cohorts(redis, listeners))


async def join(redis: Redis, user: str, taste: tuple[float, ...] | None, cohort: str = "c1") -> None:
    await redis.sadd(keys.cohort_users(cohort), user)
    await redis.zadd("cohorts", {cohort: await redis.scard(keys.cohort_users(cohort))})
    if taste:
        packed = pack(np.array([taste]), np.zeros((1, len(taste))), version=1)
        await redis.set(keys.user_taste(user), packed[0])


async def test_members_come_with_tastes_of_unit_length(redis: Redis, member_cache: MemberCache) -> None:
    await join(redis, "ana", (3.0, 0.0, 4.0))
    await join(redis, "bo", None)
    held = (await member_cache.members({"c1": 2}, DIMS))["c1"]
    assert held.users == ("ana",)
    assert held.tastes == pytest.approx(np.array([[0.6, 0.0, 0.8]]))


async def test_a_cohort_that_has_grown_is_read_anew_at_once(redis: Redis, member_cache: MemberCache) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0))
    await member_cache.members({"c1": 1}, DIMS)
    await join(redis, "bo", (0.0, 1.0, 0.0))
    assert set((await member_cache.members({"c1": 2}, DIMS))["c1"].users) == {"ana", "bo"}


async def test_a_cohort_of_the_same_size_is_not_read_again(redis: Redis, member_cache: MemberCache) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0))
    before = (await member_cache.members({"c1": 1}, DIMS))["c1"]
    assert (await member_cache.members({"c1": 1}, DIMS))["c1"] is before


async def test_keeping_takes_up_tastes_that_have_changed(redis: Redis, member_cache: MemberCache) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0))
    await member_cache.members({"c1": 1}, DIMS)
    await join(redis, "ana", (0.0, 0.0, 1.0))
    await member_cache.keep(DIMS)
    assert (await member_cache.members({"c1": 1}, DIMS))["c1"].tastes.tolist() == [[0.0, 0.0, 1.0]]


async def test_keeping_goes_round_all_cohorts(redis: Redis, member_cache: MemberCache) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0), "c1")
    await join(redis, "bo", (1.0, 0.0, 0.0), "c2")
    await member_cache.keep(DIMS)
    await member_cache.keep(DIMS)
    assert set(member_cache.held) == {"c1", "c2"}


async def test_a_cohort_that_is_no_more_is_let_go(redis: Redis, member_cache: MemberCache) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0), "c1")
    await member_cache.keep(DIMS)
    await redis.delete("cohorts")
    await member_cache.keep(DIMS)
    assert not member_cache.held


async def test_a_model_of_other_dimensions_has_members_read_anew(
    redis: Redis, member_cache: MemberCache
) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0))
    await member_cache.members({"c1": 1}, DIMS)
    assert (await member_cache.members({"c1": 1}, 2))["c1"].tastes.shape == (0, 2)
