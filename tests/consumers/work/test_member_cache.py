"""The tastes at hand for a release."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from consumers.work.member_cache import MemberCache, Members
from models.model import Model
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.taste_codec import pack
from stream.stores.told import Told
from stream.stores.traits import Traits
from stream.wire.where import parse_where
from tests.consumers.small_model import made_up_model, small_model
from tests.waiting import wait_for_it

MODEL = small_model()


@pytest.fixture
async def redis(redis_url: str):  # type: ignore[no-untyped-def]
    client = Redis.from_url(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def member_cache(redis: Redis) -> MemberCache:
    listeners = Listeners(redis)
    return MemberCache(listeners, Cohorts(redis, listeners), Told(redis))


async def join(redis: Redis, user: str, taste: tuple[float, ...] | None, cohort: str = "c1") -> None:
    await redis.sadd(keys.cohort_users(cohort), user)
    await redis.zadd("cohorts", {cohort: await redis.scard(keys.cohort_users(cohort))})
    if taste:
        fraction = np.array([taste]) / 8  # of 2 ** 3
        packed = pack(fraction, np.array([3]), np.zeros((1, len(taste))), version=1)
        await redis.set(keys.user_taste(user), packed[0])


async def held(member_cache: MemberCache, cohort: str = "c1", model: Model = MODEL) -> Members:
    return (await member_cache.members([cohort], model))[cohort]


def played(found: Members, member_cache: MemberCache) -> list[tuple[str, str]]:
    names = [member_cache.artists.names[number] for number in found.artists]
    return sorted((found.users[at], name) for at, name in zip(found.players, names, strict=True))


async def test_members_come_with_tastes_of_unit_length(redis: Redis, member_cache: MemberCache) -> None:
    await join(redis, "ana", (3.0, 0.0, 4.0))
    await join(redis, "bo", None)
    found = await held(member_cache)
    assert (found.users, found.counted) == (("ana",), 2)
    assert found.tastes == pytest.approx(np.array([[0.6, 0.0, 0.8]]))


async def likes(redis: Redis, user: str, *artists: str) -> None:
    await redis.delete(keys.user_artists(user))
    await redis.zadd(keys.user_artists(user), dict.fromkeys(artists, 1.0))


async def test_names_of_artists_whom_no_member_plays_any_more_are_given_up(
    redis: Redis, member_cache: MemberCache
) -> None:
    for cohort, user in (("c1", "ana"), ("c2", "bo")):
        await join(redis, user, (1.0, 0.0, 0.0), cohort)
    await likes(redis, "bo", "b1", "b2")
    for at in range(10):
        await likes(redis, "ana", "a", f"only at {at}")
        member_cache.held.pop("c1", None)
        await member_cache.members(["c1", "c2"], MODEL)
    await member_cache.refresh(MODEL)
    assert set(member_cache.artists.names) == {"a", "only at 9", "b1", "b2"}
    for cohort, expected in (("c1", ["a", "only at 9"]), ("c2", ["b1", "b2"])):
        found = member_cache.held[cohort]
        assert [name for _, name in played(found, member_cache)] == expected
        assert (np.diff(found.artists) >= 0).all()
    assert (member_cache.numbers(["b2", "only at 3"]) >= 0).tolist() == [True, False]


async def test_members_that_are_found_together_have_the_same_numbers_of_artists(
    redis: Redis, member_cache: MemberCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cohort, user in (("c1", "ana"), ("c2", "bo")):
        await join(redis, user, (1.0, 0.0, 0.0), cohort)
    await likes(redis, "bo", "b1", "b2")
    member_cache.artists.places([f"before {at}" for at in range(10)])
    await likes(redis, "ana", "a1", "a2")
    await held(member_cache)
    tastes = member_cache._listeners.tastes

    async def given_up_meanwhile(*given: Any) -> Any:
        found = await tastes(*given)
        member_cache._give_up_artists()
        return found

    monkeypatch.setattr(member_cache._listeners, "tastes", given_up_meanwhile)
    found = await member_cache.members(["c1", "c2"], MODEL)
    assert set(member_cache.artists.names) == {"a1", "a2", "b1", "b2"}
    assert played(found["c1"], member_cache) == [("ana", "a1"), ("ana", "a2")]
    assert played(found["c2"], member_cache) == [("bo", "b1"), ("bo", "b2")]


async def test_members_come_with_the_artists_they_like(redis: Redis, member_cache: MemberCache) -> None:
    for user, weights in (("ana", {"x": 2.0, "y": 3.0, "skipped": -1.0}), ("bo", {"y": 1.0})):
        await join(redis, user, (1.0, 0.0, 0.0))
        await redis.zadd(keys.user_artists(user), weights)
    await join(redis, "cy", (1.0, 0.0, 0.0))
    found = await held(member_cache)
    assert played(found, member_cache) == [("ana", "x"), ("ana", "y"), ("bo", "y")]
    assert (np.diff(found.artists) >= 0).all()


async def test_members_come_without_artists_that_they_hardly_play_any_more(
    redis: Redis, member_cache: MemberCache
) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0))
    await redis.zadd(keys.user_artists("ana"), {"now": 2.0**70, "of late": 2.0**68, "long ago": 2.0**67})
    today = replace(MODEL, play_now=2.0**70)
    found = await held(member_cache, model=today)
    assert played(found, member_cache) == [("ana", "now"), ("ana", "of late")]


async def test_a_cohort_that_is_held_is_not_read_for_a_release(
    redis: Redis, member_cache: MemberCache
) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0))
    before = await held(member_cache)
    await join(redis, "bo", (1.0, 0.0, 0.0))
    assert await held(member_cache) is before


async def test_a_refresh_takes_up_tastes_that_have_changed(redis: Redis, member_cache: MemberCache) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0))
    await held(member_cache)
    await join(redis, "ana", (0.0, 0.0, 1.0))
    await member_cache.refresh(MODEL)
    assert (await held(member_cache)).tastes.tolist() == [[0.0, 0.0, 1.0]]


async def test_refreshing_goes_round_all_cohorts(redis: Redis, member_cache: MemberCache) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0), "c1")
    await join(redis, "bo", (1.0, 0.0, 0.0), "c2")
    before = [await held(member_cache, cohort) for cohort in ("c1", "c2")]
    await member_cache.refresh(MODEL)
    await member_cache.refresh(MODEL)
    after = [await held(member_cache, cohort) for cohort in ("c1", "c2")]
    assert not any(new is old for new, old in zip(after, before, strict=True))


async def test_a_cohort_that_has_grown_is_refreshed_before_one_read_a_little_earlier(
    redis: Redis, member_cache: MemberCache
) -> None:
    for cohort in ("c1", "c2"):
        await join(redis, f"first of {cohort}", (1.0, 0.0, 0.0), cohort)
        await held(member_cache, cohort)
    for number in range(1000):
        await redis.sadd(keys.cohort_users("c2"), f"u{number}")
    await join(redis, "bo", (1.0, 0.0, 0.0), "c2")
    await member_cache.refresh(MODEL)
    assert set((await held(member_cache, "c2")).users) == {"first of c2", "bo"}


async def test_sizes_come_from_memory_where_all_cohorts_asked_for_are_held(
    redis: Redis, member_cache: MemberCache
) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0), "c1")
    await join(redis, "bo", (1.0, 0.0, 0.0), "c2")
    await member_cache.refresh(MODEL)
    await redis.zadd("cohorts", {"c1": 5})
    assert await member_cache.sizes(["c1", "c2"]) == {"c1": 5, "c2": 1}
    await member_cache.refresh(MODEL)
    assert await member_cache.sizes(["c1", "c2"]) == {"c1": 1, "c2": 1}


async def test_a_cohort_that_a_new_model_has_brought_has_its_size_at_once(
    redis: Redis, member_cache: MemberCache
) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0), "c1")
    await member_cache.refresh(MODEL)
    await join(redis, "bo", (1.0, 0.0, 0.0), "c2")
    assert await member_cache.sizes(["c1", "c2"]) == {"c1": 1, "c2": 1}


async def test_a_cohort_that_is_no_more_is_let_go(redis: Redis, member_cache: MemberCache) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0), "c1")
    await member_cache.refresh(MODEL)
    await redis.delete("cohorts")
    await member_cache.refresh(MODEL)
    assert not member_cache.held


async def test_for_a_model_of_other_dimensions_members_are_read_anew(
    redis: Redis, member_cache: MemberCache
) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0))
    await held(member_cache)
    other = made_up_model(version=4, seed=0, artists=("a0", "a1"), n_dims=2, cohorts=("c1",))
    assert (await held(member_cache, model=other)).tastes.shape == (0, 2)


async def test_cohorts_for_which_there_is_no_room_are_read_each_time(redis: Redis) -> None:
    listeners = Listeners(redis)
    small = MemberCache(listeners, Cohorts(redis, listeners), Told(redis), limit_mb=2.3e-4)
    for cohort in ("c1", "c2"):
        await join(redis, f"of {cohort}", (1.0, 0.0, 0.0), cohort)
        await small.refresh(MODEL)
    await small.refresh(MODEL)
    assert len(small.held) == 1
    (missing,) = {"c1", "c2"} - small.held.keys()
    assert (await held(small, missing)).users == (f"of {missing}",)
    await redis.zadd("cohorts", {missing: 7})
    assert (await small.sizes(["c1", "c2"]))[missing] == 7


async def test_nothing_is_read_in_the_background_while_a_release_is_answered(redis: Redis) -> None:
    listeners, idle = Listeners(redis), asyncio.Event()
    cache = MemberCache(listeners, Cohorts(redis, listeners), Told(redis), idle)
    await join(redis, "ana", (1.0, 0.0, 0.0))
    refreshing = asyncio.create_task(cache.refresh(MODEL))
    assert (await held(cache)).users == ("ana",), "a release itself reads what is missing"
    await join(redis, "bo", (1.0, 0.0, 0.0))
    assert not refreshing.done()
    idle.set()
    await refreshing
    assert set((await held(cache)).users) == {"ana", "bo"}


async def test_a_cohort_read_after_the_last_change_is_not_read_again(
    redis: Redis, member_cache: MemberCache
) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0))
    before = await held(member_cache)
    await member_cache.refresh(MODEL, changed_at=before.read_at - 1.0)
    assert await held(member_cache) is before
    await member_cache.refresh(MODEL, changed_at=time.monotonic())
    assert await held(member_cache) is not before


async def test_a_cohort_serves_for_its_least_age_unless_its_size_changes_much(
    redis: Redis, member_cache: MemberCache
) -> None:
    await join(redis, "ana", (1.0, 0.0, 0.0))
    before = await held(member_cache)
    await member_cache.refresh(MODEL, least_age=3600.0)
    assert await held(member_cache) is before
    await join(redis, "bo", (1.0, 0.0, 0.0))
    await member_cache.refresh(MODEL, changed_at=-np.inf, least_age=3600.0)
    assert set((await held(member_cache)).users) == {"ana", "bo"}


async def test_members_who_are_held_get_the_traits_that_are_named_later(redis: Redis) -> None:
    listeners = Listeners(redis)
    traits = Traits(redis, listeners)
    cache = MemberCache(listeners, Cohorts(redis, listeners), Told(redis), trait_store=traits)
    for user in ("ana", "bo"):
        await join(redis, user, (1.0, 0.0, 0.0))
    await redis.hset(keys.user_traits("ana"), mapping={"stage": "fading", "churn": 0.7})
    before = await held(cache)
    assert (before.traits, cache.lacking_traits()) == ({}, [])
    cache.traits = ("churn", "stage")
    assert cache.lacking_traits() == ["c1"]
    await cache.refresh(MODEL, changed_at=-np.inf)
    found = await held(cache)
    assert found.tastes is before.tastes, "only traits were read"
    at = found.users.index("ana")
    assert (found.traits["stage"][at], found.traits["churn"][at]) == ("fading", 0.7)
    assert (found.traits["stage"][1 - at], bool(np.isnan(found.traits["churn"][1 - at]))) == ("", True)
    for conditions, fails in (("churn>0.5", -1), ("stage=new", 0), ("churn>0.5", -1), ("churn<0.5", 0)):
        assert found.failing(parse_where(conditions))[at] == fails
    assert cache.lacking_traits() == []


class HeldUp(Cohorts):
    """Counts what it is asked for, and answers once it is let."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, Listeners(redis))
        self.asked = list[str]()
        self.let = asyncio.Event()

    async def everyone(self, cohorts: Sequence[str]) -> dict[str, list[str]]:
        self.asked += cohorts
        await self.let.wait()
        return await super().everyone(cohorts)


@pytest.fixture
def held_up(redis: Redis) -> HeldUp:
    return HeldUp(redis)


def cache_of(redis: Redis, cohorts: Cohorts, **more: float) -> MemberCache:
    return MemberCache(Listeners(redis), cohorts, Told(redis), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("limit_mb", [1.0, 0.0])
async def test_a_cohort_is_read_once_for_all_who_want_it_meanwhile(
    limit_mb: float, redis: Redis, held_up: HeldUp
) -> None:
    cache = cache_of(redis, held_up, limit_mb=limit_mb)
    await join(redis, "ana", (1.0, 0.0, 0.0))
    asking = [asyncio.create_task(held(cache)) for _ in range(20)]
    await wait_for_it(lambda: waits_for(cache, 20), "all of them waiting")
    held_up.let.set()
    assert {found.users for found in await asyncio.gather(*asking)} == {("ana",)}
    assert held_up.asked == ["c1"]


async def test_many_who_fill_a_cold_cache_read_each_cohort_once(redis: Redis, held_up: HeldUp) -> None:
    cache = cache_of(redis, held_up)
    for cohort in ("c1", "c2", "c3"):
        await join(redis, f"of {cohort}", (1.0, 0.0, 0.0), cohort)
    filling = [asyncio.create_task(cache.fill(MODEL)) for _ in range(20)]
    await wait_for_it(lambda: waits_for(cache, 20), "all of them waiting")
    held_up.let.set()
    await asyncio.gather(*filling)
    assert sorted(held_up.asked) == sorted(cache.held) == ["c1", "c2", "c3"]


async def test_who_goes_away_does_not_end_what_others_wait_for(redis: Redis, held_up: HeldUp) -> None:
    cache = cache_of(redis, held_up)
    await join(redis, "ana", (1.0, 0.0, 0.0))
    first, second = (asyncio.create_task(held(cache)) for _ in range(2))
    await wait_for_it(lambda: waits_for(cache, 2), "both waiting")
    first.cancel()
    await asyncio.wait([first])
    held_up.let.set()
    assert (await second).users == ("ana",)
    assert (first.cancelled(), held_up.asked) == (True, ["c1"])


async def test_what_nobody_waits_for_any_more_is_read_anew_for_the_next(
    redis: Redis, held_up: HeldUp
) -> None:
    cache = cache_of(redis, held_up)
    await join(redis, "ana", (1.0, 0.0, 0.0))
    gone = asyncio.create_task(held(cache))
    await wait_for_it(lambda: waits_for(cache, 1), "one waiting")
    gone.cancel()
    await asyncio.wait([gone])
    held_up.let.set()
    assert (await held(cache)).users == ("ana",)
    assert held_up.asked == ["c1", "c1"]


async def test_a_read_that_fails_fails_for_all_who_wait_and_for_nobody_later(
    redis: Redis, held_up: HeldUp
) -> None:
    cache = cache_of(redis, held_up)
    await redis.set(keys.cohort_users("c1"), "no set")
    asking = [asyncio.create_task(held(cache)) for _ in range(2)]
    await wait_for_it(lambda: waits_for(cache, 2), "both waiting")
    held_up.let.set()
    failed = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in failed] == [ResponseError] * 2
    await redis.delete(keys.cohort_users("c1"))
    await join(redis, "ana", (1.0, 0.0, 0.0))
    assert (await held(cache)).users == ("ana",)


async def waits_for(cache: MemberCache, number: int) -> bool:
    return sum(read.waiting for read in cache._reads.values()) == number
