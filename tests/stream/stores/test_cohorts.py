from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Collection

import numpy as np
import pytest

from models.listener import Move
from models.model import Model
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from tests.consumers.small_model import two_cohorts
from tests.stream.written import listener_of, put


async def members(redis: AnyRedis, cohort: str) -> set[str]:
    return {user.decode() for user in await redis.smembers(keys.cohort_users(cohort))}


async def assert_sizes(redis: AnyRedis, cohorts: Cohorts, expected: dict[str, int]) -> None:
    assert await cohorts.sizes() == expected
    for cohort, size in expected.items():
        assert await redis.scard(keys.cohort_users(cohort)) == size
        assert int(await redis.hget(keys.cohort(cohort), "size")) == size


async def test_one_who_is_born_waits_in_no_cohort(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    await put(listeners, listener_of("u"))
    await cohorts.follow([Move("u", "", "", 1.0)])
    assert await members(redis, "") == {"u"}
    assert await cohorts.sizes() == {}
    assert await cohorts.listeners() == 1


async def test_sets_and_sizes_follow_moves(redis: AnyRedis, listeners: Listeners, cohorts: Cohorts) -> None:
    for user in "abc":
        await put(listeners, listener_of(user, cohort="c1"))
    await cohorts.follow([Move(user, "", "c1", 1.0) for user in "abc"])
    await assert_sizes(redis, cohorts, {"c1": 3})
    await put(listeners, listener_of("b", cohort="c2"))
    await cohorts.follow([Move("b", "c1", "c2", 2.0)])
    assert await members(redis, "c1") == {"a", "c"}
    assert await members(redis, "c2") == {"b"}
    assert await members(redis, "") == set()
    await assert_sizes(redis, cohorts, {"c1": 2, "c2": 1})
    assert await cohorts.listeners() == 3


async def test_following_twice_changes_nothing(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    await put(listeners, listener_of("u", cohort="c1"))
    for _ in range(2):
        await cohorts.follow([Move("u", "", "c1", 1.0)])
        assert await members(redis, "c1") == {"u"}
        await assert_sizes(redis, cohorts, {"c1": 1})


async def test_several_moves_of_one_listener_leave_one_membership(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    await put(listeners, listener_of("u", cohort="c3"))
    await cohorts.follow([Move("u", "", "", 1.0), Move("u", "", "c2", 2.0), Move("u", "c2", "c3", 3.0)])
    assert [await members(redis, c) for c in ("", "c2", "c3")] == [set(), set(), {"u"}]


async def test_sets_follow_the_record_where_the_move_is_not_the_last(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    await put(listeners, listener_of("u", cohort="c3"))
    await cohorts.follow([Move("u", "c2", "c3", 2.0)])
    await cohorts.follow([Move("u", "c1", "c2", 1.0)])  # comes late
    assert [await members(redis, c) for c in ("c1", "c2", "c3")] == [set(), set(), {"u"}]
    assert (await cohorts.sizes())["c3"] == 1


async def test_processes_that_move_the_same_listeners_at_once_leave_each_in_the_set_on_record(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    users = [f"u{i}" for i in range(20)]
    await put(listeners, *(listener_of(user, cohort="c0") for user in users))
    await cohorts.follow([Move(user, "", "c0", 0.0) for user in users])
    where = dict.fromkeys(users, "c0")
    moving = []
    for rev in range(1, 13):
        moves = []
        for at, user in enumerate(users):
            to = f"c{(at + rev * 7) % 5}"
            await put(listeners, listener_of(user, cohort=to))
            moves.append(Move(user, where[user], to, float(rev)))
            where[user] = to
        moving.append(asyncio.create_task(cohorts.follow(moves)))
        if rev % 3 == 0:  # three at once, in whatever order
            await asyncio.gather(*moving)
            for cohort in {f"c{i}" for i in range(5)} | {""}:
                assert await members(redis, cohort) == {u for u in users if where[u] == cohort}
            sizes = {f"c{i}": list(where.values()).count(f"c{i}") for i in range(5)}
            found = await cohorts.sizes()
            assert {cohort: found.get(cohort, 0) for cohort in sizes} == sizes


async def test_the_largest_cohort_comes_first(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    for user, cohort in zip("abcd", ("c1", "c2", "c2", "c2"), strict=True):
        await put(listeners, listener_of(user, cohort=cohort))
    await cohorts.follow([Move(u, "", c, 1.0) for u, c in zip("abcd", ("c1", "c2", "c2", "c2"), strict=True)])
    assert list(await cohorts.sizes()) == ["c2", "c1"]


async def test_all_members_are_met_a_part_at_a_time(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    await redis.sadd(keys.cohort_users("c1"), *(f"u{i}" for i in range(3000)))
    parts = [part async for part in cohorts.members("c1")]
    assert len(parts) > 1
    assert {user for part in parts for user in part} == {f"u{i}" for i in range(3000)}
    assert len((await cohorts.everyone(["c1", "c2"]))["c1"]) == 3000


async def test_all_members_of_hundreds_of_cohorts_come_at_once(redis: AnyRedis, cohorts: Cohorts) -> None:
    names = [f"c{i}" for i in range(400)]
    for name in names:
        await redis.sadd(keys.cohort_users(name), f"u{name}")
    assert await cohorts.everyone(names) == {name: [f"u{name}"] for name in names}


async def test_a_sample_is_drawn_from_every_set(redis: AnyRedis, cohorts: Cohorts) -> None:
    for cohort in ("", "c1", "c2"):
        await redis.sadd(keys.cohort_users(cohort), *(f"{cohort}u{i}" for i in range(50)))
    await cohorts.resize(["c1", "c2"])
    found = await cohorts.sample(30)
    assert len(found) == len(set(found)) == 30
    assert {user.partition("u")[0] for user in found} == {"", "c1", "c2"}


async def test_who_is_no_more_leaves_the_set_and_its_size(redis: AnyRedis, cohorts: Cohorts) -> None:
    await redis.sadd(keys.cohort_users("c1"), "a", "b")
    await cohorts.leave("c1", ["a", "never there"])
    await assert_sizes(redis, cohorts, {"c1": 1})


@pytest.mark.parametrize("living", [{"c1"}, {"c1", "c2"}])
async def test_a_cohort_is_buried_where_it_has_neither_members_nor_a_model(
    redis: AnyRedis, cohorts: Cohorts, living: Collection[str]
) -> None:
    await redis.sadd(keys.cohort_users("c1"), "a")
    await redis.sadd(keys.cohort_users("c3"), "b")
    await redis.zadd("cohorts", {"c1": 1, "c2": 0, "c3": 1})
    await cohorts.bury(living)
    assert set(await cohorts.sizes()) == {"c1", "c3", *living}


async def test_cohorts_are_described_and_keep_their_size_and_counts(
    redis: AnyRedis, cohorts: Cohorts
) -> None:
    await redis.hset(keys.cohort("c1"), mapping={"size": 5, "sent": 9})
    await redis.zadd("cohorts", {"c1": 5})
    await redis.zadd(keys.cohort_artists("c1"), {"old": 4.0})
    await cohorts.describe(_model(), [{"ana": 3.0}, {}], 3600)
    first = {k.decode(): v.decode() for k, v in (await redis.hgetall(keys.cohort("c1"))).items()}
    about = {"label": "Ana", "born": "10.0", "parent": "", "model_version": "2"}
    assert abs(float(first.pop("map_x"))) == pytest.approx(2**0.5 / 2)  # half way to the other cohort
    assert float(first.pop("map_y")) == pytest.approx(0.0)
    assert first == {"size": "5", "sent": "9"} | about
    assert await redis.zrange(keys.cohort_artists("c1"), 0, -1, withscores=True) == [(b"ana", 3.0)]
    assert await redis.hget(keys.cohort("c2"), "size") == b"0"
    assert await cohorts.sizes() == {"c1": 5, "c2": 0}


def _model() -> Model:
    return two_cohorts(version=2, created_at=20.0, born=np.array([10.0, 20.0]))


async def places(redis: AnyRedis) -> list[tuple[float, float]]:
    found = [await redis.hmget(keys.cohort(cohort), ["map_x", "map_y"]) for cohort in ("c1", "c2")]
    return [(float(x), float(y)) for x, y in found]


async def test_cohorts_stay_where_they_are_on_the_map_whoever_describes_the_next_model(
    redis: AnyRedis, cohorts: Cohorts
) -> None:
    await cohorts.describe(_model(), [{}, {}], 3600)
    before = await places(redis)
    other = Cohorts(redis, Listeners(redis))
    await other.describe(dataclasses.replace(_model(), version=3, sizes=np.array([1, 9])), [{}, {}], 3600)
    assert await places(redis) == before


async def test_each_listener_is_as_likely_to_be_drawn_as_any_other(redis: AnyRedis, cohorts: Cohorts) -> None:
    for cohort, size in (("", 20), ("c1", 180)):
        await redis.sadd(keys.cohort_users(cohort), *(f"{cohort}u{i}" for i in range(size)))
    await cohorts.resize(["c1"])
    draws = [await cohorts.drawn(20) for _ in range(100)]
    assert all(len(set(draw)) == 20 for draw in draws)
    assert 1.5 < sum(user.startswith("u") for draw in draws for user in draw) / 100 < 2.5
    assert len(await cohorts.drawn(1000)) == 200
