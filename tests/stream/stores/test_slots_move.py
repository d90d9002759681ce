"""Slots of a Redis Cluster move while listeners are read and written: a script does all or nothing."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot
from redis.exceptions import ClusterError, RedisError

from models.listener import Click, OffsetSource
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.listeners import Listeners
from stream.stores.merges import Forward, Merges
from stream.stores.recommended import Recommended
from stream.stores.traits import Traits
from stream.stores.waiting import Waiting
from tests.redis_cluster import RedisCluster
from tests.stream.written import listener_of, put, read_one, write

CLICK = Click("u", OffsetSource(0), 2, 100.0, "unknown", (), "play")
STATE = b"00000001" + b"0" * 16
DAY = 86_400
FORWARD = Forward("u", "v", "token")


@pytest.fixture
async def redis(redis_cluster: RedisCluster) -> AsyncIterator[AnyRedis]:
    client = await open_redis(Settings(redis=redis_cluster.url))
    yield client
    await client.aclose()


async def test_a_click_that_comes_while_its_slot_moves_is_written_whole_afterwards(
    redis: AnyRedis, redis_cluster: RedisCluster, listeners: Listeners
) -> None:
    await put(listeners, listener_of("u", {"a": 1.0}))
    found = await read_one(listeners, "u")
    record = await redis.hgetall(keys.user("u"))
    found.offsets = {"0": 2}
    with redis_cluster.moving(keys.user("u")):
        with pytest.raises(ClusterError):  # which is retried
            await write(listeners, [found], waiting=[CLICK])
        assert await redis.hgetall(keys.user("u")) == record
    assert await write(listeners, [found], waiting=[CLICK]) == []
    assert (await read_one(listeners, "u")).offsets == {"0": 2}
    assert await redis.hkeys(keys.user_waiting("u")) == [b"0:2"]


async def test_one_who_has_moved_in_part_is_not_read_in_part(
    redis_cluster: RedisCluster, listeners: Listeners
) -> None:
    await put(listeners, listener_of("u", {"a": 1.0}))
    with redis_cluster.moving(keys.user("u")) as move:
        move(keys.user_artists("u"))
        with pytest.raises(ClusterError):
            await read_one(listeners, "u")
    assert (await read_one(listeners, "u")).affinities == {"a": 1.0}


async def test_one_who_has_not_moved_yet_is_there_beside_one_who_has(
    redis_cluster: RedisCluster, listeners: Listeners
) -> None:
    one, other = of_one_slot()
    await put(listeners, listener_of(one), listener_of(other))
    with redis_cluster.moving(keys.user(one)) as move:
        move(keys.user(one))
        with pytest.raises(ClusterError):
            await listeners.clocks([one, other])
        move(keys.user(other))
        assert (await listeners.clocks([one, other]))[:, 0].tolist() == [100.25, 100.25]


async def test_listeners_are_met_on_a_node_that_has_no_slots_yet(tmp_path: Path) -> None:
    with RedisCluster(tmp_path) as cluster:
        redis = await open_redis(Settings(redis=cluster.url))
        async with aclosing(redis):
            await put(Listeners(redis), listener_of("u"))
            cluster.join()
            with cluster.moving(keys.user("u"), to_the_last=True) as move:
                move(keys.user("u"))
                assert await redis.hget(keys.user("u"), "clicks") == b"3"
                assert (await Listeners(redis).clocks(["u"]))[:, 0].tolist() == [100.25]
            assert (await read_one(Listeners(redis), "u")).clicks == 3


def of_one_slot() -> tuple[str, str]:
    met: dict[int, str] = {}
    for number in itertools.count():
        user = f"u{number}"
        other = met.setdefault(key_slot(user.encode()), user)
        if other != user:
            return other, user
    raise AssertionError


async def expire_parts(redis: AnyRedis) -> None:
    await redis.sadd(keys.user_ids("v"), "u")
    await Merges(redis).expire(["v"])


STEPS: dict[str, Callable[[AnyRedis], Awaitable[Any]]] = {
    "read": lambda redis: Listeners(redis).read(["u"], activity=True),
    "rows": lambda redis: Listeners(redis).rows(["u"], 5),
    "artists": lambda redis: Listeners(redis).artists(["u"], 5),
    "activities": lambda redis: Listeners(redis).activities(["u"]),
    "expire": lambda redis: Listeners(redis).expire({"u": STATE}),
    "read traits": lambda redis: Traits(redis, Listeners(redis)).read(["u"], ["churn"]),
    "write traits": lambda redis: Traits(redis, Listeners(redis)).write({"u": {"churn": 0.5}}),
    "note dormant": lambda redis: Traits(redis, Listeners(redis)).note_dormant({"u": 1}, 0.0),
    "become part of another": lambda redis: Merges(redis).fence("u", "v", "", 0.0),
    "whose part": lambda redis: Merges(redis).read("u"),
    "follow": lambda redis: Merges(redis).finish(FORWARD, DAY),
    "expire what there was": expire_parts,
    "be oneself again": lambda redis: Merges(redis).restore(FORWARD),
    "keep what was recommended": lambda redis: Recommended(redis, 60.0).put("u", b"songs"),
    "put back": lambda redis: Waiting(redis).put_back({"a dead letter": CLICK}, 0.0, DAY),
}


@pytest.mark.parametrize("step", STEPS)
async def test_no_script_begins_that_would_meet_a_key_on_another_node(
    redis: AnyRedis, redis_cluster: RedisCluster, listeners: Listeners, step: str
) -> None:
    await put(listeners, listener_of("u", {"a": 1.0}))
    await redis.hset(keys.user("u"), "state", STATE)
    with redis_cluster.moving(keys.user("u")):
        try:
            await STEPS[step](redis)
        except RedisError as error:
            assert isinstance(error, ClusterError), error
    await STEPS[step](redis)
