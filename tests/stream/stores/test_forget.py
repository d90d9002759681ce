"""Erasing a listener, on every backend."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from redis import exceptions
from redis.asyncio.cluster import RedisCluster

from models.listener import Move
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.decisions import packed, without
from stream.stores.erased import Erased, erased_hash
from stream.stores.erased_lately import ErasedLately
from stream.stores.feedback import FeedbackCounts, Heard
from stream.stores.listeners import Listeners
from stream.stores.opted_out import OptedOut
from stream.stores.release_traces import ReleaseTraces
from stream.stores.releases import Releases
from stream.stores.told import Caps, Told
from stream.wire.events import Feedback
from tests.stream.written import listener_of, put


async def settle(listeners: Listeners, cohorts: Cohorts, *users: str) -> None:
    for user in users:
        await put(listeners, listener_of(user, {"a": 1.0}, cohort="c1"), tastes=[(1.0, 0.0, 0.0, 0.0)])
    await cohorts.follow([Move(user, "", "c1", 1.0) for user in users])


async def test_a_record_is_erased_wholly(redis: AnyRedis, listeners: Listeners, cohorts: Cohorts) -> None:
    await settle(listeners, cohorts, "u", "v")
    assert await listeners.forget("u")
    assert await listeners.about("u") == {}
    assert await listeners.strongest("u", 5) == ([], 0)
    assert (await listeners.about("v"))["cohort"] == "c1"
    assert not await listeners.forget("u")


async def test_membership_is_erased_also_where_a_move_was_not_followed(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    await settle(listeners, cohorts, "u", "v")
    await redis.sadd(keys.cohort_users(""), "u")  # a process died between the two
    await listeners.forget("u")
    assert sorted(await cohorts.forget("u")) == ["", "c1"]
    assert await cohorts.everyone(["", "c1"]) == {"": [], "c1": ["v"]}
    assert await cohorts.sizes() == {"c1": 1}
    assert await cohorts.forget("u") == []


async def test_one_whom_a_click_brings_back_is_a_member_again(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    await settle(listeners, cohorts, "u")
    await listeners.forget("u")
    await put(listeners, listener_of("u", cohort="c1"))  # before the sets are done
    await cohorts.forget("u")
    assert await cohorts.everyone(["c1"]) == {"c1": ["u"]}
    assert await cohorts.sizes() == {"c1": 1}


async def test_who_was_erased_is_known_by_the_id_and_when(redis: AnyRedis) -> None:
    erased = Erased(redis)
    await erased.add(["u", "v"], 1e9)
    await erased.add(["v"], 1e9 + 0.5)
    assert await erased.times({"u", "v", "w"}) == {"u": 1e9, "v": 1e9 + 0.5}
    assert await erased.times([]) == {}


async def test_who_was_erased_within_the_last_hour_is_followed_in_memory_also_if_noted_late(
    redis: AnyRedis,
) -> None:
    now, erased = 1e9, Erased(redis)
    lately = ErasedLately(erased, lambda: now)
    await erased.add(["long ago"], now - 3700)
    await erased.add(["u"], now - 1800)
    assert lately.among(["u", "v"]) == [False, False], "nothing is read yet"
    await lately.refresh()
    assert lately.among(["long ago", "u", "v"]) == [False, True, False]
    await erased.add(["v"], now - 1)  # by another clock
    now += 30
    await lately.refresh()
    assert lately.among(["u", "v"]) == [True, True]
    now += 1800
    await lately.refresh()
    assert lately.among(["u", "v"]) == [False, True]


async def test_what_they_were_told_is_erased_and_counts_stay(redis: AnyRedis, releases: Releases) -> None:
    traces = ReleaseTraces(redis)
    for name in ("r1", "r2", "r3"):
        await redis.hset(keys.release_told(name), mapping={"u": "c1", "v": "c1"})
        await redis.hset(keys.release(name), "state", "done")
    counts = FeedbackCounts(redis, 3600, OptedOut(redis), Told(redis))
    feedback = [Feedback(release_id="r1", user_id=user, kind="clicked", ts=1.0) for user in ("u", "v")]
    await counts.count([Heard(entry, "0", place) for place, entry in enumerate(feedback)])
    assert await traces.forget(["u", "nobody"]) == {"u": 3}
    assert await traces.forget(["u"]) == {}
    assert b"u}clicked" not in await redis.hgetall(keys.release_seen("r1"))
    assert (await releases.about("r1"))["clicked"] == "2"
    again = Feedback(release_id="r1", user_id="u", kind="opened", ts=2.0)
    assert await counts.count([Heard(again, "0", 9)]) == 0  # of one who was never told


async def test_who_was_written_of_a_release_after_they_were_erased_is_erased_from_it(redis: AnyRedis) -> None:
    told, now = Told(redis, Caps(a_day=1)), 1e9
    await told.reserve("r1", ["a"], ["u", "v"], [False, False], now)
    of_two = packed(["u", "v"], np.ones((2, 3), dtype=np.float32))
    await redis.hset(keys.release_decisions("r1"), "0", of_two)
    for name in ("r1", "r2"):
        await redis.hset(keys.release_told(name), mapping={"u": "c1", "v": "c1"})
        await redis.hset(keys.release_parts(name), mapping={"u": "2", "v": "2"})
    await redis.hset(keys.release_control("r1"), mapping={"apart": "c1", "w": "c1"})
    await redis.hset(keys.release_held("r1"), mapping={"late": "[1]", "w": "[1]"})
    await ReleaseTraces(redis).forget_again("r1", set(map(erased_hash, ["u", "apart", "late", "nobody"])))
    assert await redis.hgetall(keys.release_told("r1")) == {b"v": b"c1"}
    assert await redis.hgetall(keys.release_parts("r1")) == {b"v": b"2"}
    assert await redis.hgetall(keys.release_control("r1")) == {b"w": b"c1"}
    assert await redis.hkeys(keys.release_held("r1")) == [b"w"]
    assert await redis.hget(keys.release_decisions("r1"), "0") == without(of_two, ["u"])
    assert [each.releases for each in await told.of(["u", "v"])] == [{}, {"r1": now}]
    assert await redis.hlen(keys.release_told("r2")) == 2, "the erasure itself comes to the others"


@asynccontextmanager
async def full(redis: AnyRedis) -> AsyncIterator[None]:
    """A Redis that has reached its maxmemory."""
    nodes = {"target_nodes": RedisCluster.ALL_NODES} if isinstance(redis, RedisCluster) else {}
    await redis.config_set("maxmemory", "1", **nodes)
    try:
        with pytest.raises(exceptions.OutOfMemoryError):
            await redis.set("anything", "else")
        yield
    finally:
        await redis.config_set("maxmemory", "0", **nodes)


async def test_a_full_redis_erases_and_its_sizes_agree(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    await settle(listeners, cohorts, "u", "v")
    await redis.hset(keys.release_told("r1"), mapping={"u": "c1", "v": "c1"})
    await redis.hset(keys.release_seen("r1"), "u}clicked", "0:7")
    async with full(redis):
        assert await listeners.forget("u")
        assert await cohorts.forget("u") == ["c1"]
        assert await ReleaseTraces(redis).forget(["u"]) == {"u": 1}
    assert await cohorts.everyone(["c1"]) == {"c1": ["v"]}
    assert await cohorts.sizes() == {"c1": 1}
    assert (await cohorts.about("c1"))["size"] == "1"
    assert await redis.hgetall(keys.release_told("r1")) == {b"v": b"c1"}
    assert not await redis.exists(keys.release_seen("r1"))


@pytest.mark.parametrize(
    "order", list(itertools.permutations([keys.release_control("r1"), keys.release_seen("r1")])), ids=str
)
async def test_a_control_group_loses_who_is_erased_with_their_plays(
    redis: AnyRedis, releases: Releases, order: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await redis.hset(keys.release_control("r1"), mapping={"u": "c1", "v": "c1", "w": "c1"})
    counts = FeedbackCounts(redis, 3600, OptedOut(redis), Told(redis))
    plays = [Feedback(release_id="r1", user_id=user, kind="played", ts=1.0) for user in ("u", "v")]
    await counts.count([Heard(entry, "0", place) for place, entry in enumerate(plays)])

    async def in_order(**_: object) -> AsyncIterator[bytes]:
        for key in order:
            yield key.encode()

    monkeypatch.setattr(redis, "scan_iter", in_order)  # that of Redis is by chance
    async with full(redis):
        await ReleaseTraces(redis).forget(["u", "w"])
        await ReleaseTraces(redis).forget(["u", "w"])
    response = await releases.response("r1")
    assert (response.control, response.counts) == (1, {"c1:control_played": 1})
    assert (await releases.about("r1"))["control_played"] == "1"
    assert await redis.hgetall(keys.release_seen("r1")) == {b"v}played": b"0:1"}


async def test_one_who_waits_for_a_cohort_is_erased_from_a_full_redis(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    await put(listeners, listener_of("u"))
    await cohorts.follow([Move("u", "", "", 1.0)])
    async with full(redis):
        assert await listeners.forget("u")
        assert await cohorts.forget("u") == [""]
    assert await cohorts.unplaced() == 0


async def test_a_size_that_an_attempt_before_left_wrong_is_mended(
    redis: AnyRedis, listeners: Listeners, cohorts: Cohorts
) -> None:
    await settle(listeners, cohorts, "u", "v")
    await redis.srem(keys.cohort_users("c1"), "u")  # and died
    await listeners.forget("u")
    async with full(redis):
        assert await cohorts.forget("u") == []
    assert await cohorts.sizes() == {"c1": 1}
