from __future__ import annotations

import json

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from tests.apart import WithRedis
from tests.refrain_command import Refrain


async def everything(redis: AnyRedis) -> dict[bytes, object]:
    """All that is in a Redis, by key."""
    readers = {
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"string": redis.get,
        b"stream": redis.xrange,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
    }
    return {key: await readers[await redis.type(key)](key) async for key in redis.scan_iter()}


async def tell(redis: AnyRedis) -> None:
    for user in ("u1", "u2"):
        await redis.hset(keys.user_waiting(user), "0:9", b"a click")
        await redis.sadd(keys.user_redriven(user), "clicks:0:8:00000000")
        await redis.set(keys.user_heard(user), b"\0" * 4)
        await redis.set(keys.recommended(user), f'{{"user_id": "{user}"}}')
        await redis.sadd(keys.waiting_song("s"), user)
        await redis.zadd(keys.WAITING, {"s": 1.0})
        await redis.hset(keys.release_told("r1"), user, "c1")
        await redis.hset(keys.release_seen("r1"), f"{user}}}clicked", "0:7")


def test_a_listener_is_found_in_whichever_unicode_form_they_are_typed_and_erased_in_both(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    apart, together = "Zoe\N{COMBINING DIAERESIS}", "Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}"

    async def copy(redis: AnyRedis) -> None:
        for user in (apart, together):  # an earlier version kept both
            await redis.copy(keys.user("u1"), keys.user(user))

    async def left(redis: AnyRedis) -> int:
        return await redis.exists(keys.user(apart), keys.user(together))

    with_redis(copy)
    assert json.loads(refrain.run("user", apart, "--json").stdout)["user_id"] == together
    done = refrain.run("forget", together, "--json")
    assert json.loads(done.stdout)["ids"] == [apart], done.stderr
    assert with_redis(left) == 0


def test_nothing_of_a_forgotten_listener_is_left(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(tell)
    before = with_redis(everything)
    done = refrain.run("forget", "u1", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["clicks"], said["artists"], said["cohorts"], said["told_of_releases"]) == (10, 2, ["c1"], 1)
    after = with_redis(everything)
    assert isinstance(before, dict)
    assert isinstance(after, dict)
    packed = {key for key in after if key.endswith(b":taste") or key == b"model:4"}  # any bytes
    assert not [key for key, held in after.items() if key not in packed and "u1" in f"{key} {held}"]
    assert not [key for key in packed if b"u1" in key]
    gone = {key for key in before if key not in after}
    assert gone == {
        b"user:{u1}",
        b"user:{u1}:artists",
        b"user:{u1}:taste",
        b"user:{u1}:heard",
        b"recommended:{u1}",
        b"user:{u1}:waiting",
        b"user:{u1}:redriven",
    }
    noted = after.pop(b"listeners:erased")  # a hash and a time, for exports
    assert [len(name) for name, _ in noted] == [32]
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {
        *(b"cohort:{c1}:users", b"cohort:{c1}", b"cohorts", b"release:{r1}:told", b"release:{r1}:seen"),
        b"waiting:{s}",
    }


def test_sizes_follow(service: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    assert refrain.run("forget", "u1").returncode == 0
    sizes = with_redis(lambda redis: Cohorts(redis, Listeners(redis)).sizes())
    assert sizes == {"c1": 2, "c2": 2}


def test_one_who_opted_out_stays_so(service: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    with_redis(lambda redis: redis.sadd(keys.OPTED_OUT, "u1"))
    done = refrain.run("forget", "u1")
    assert "kept: the id, among those who have opted out" in done.stdout
    assert with_redis(lambda redis: redis.smembers(keys.OPTED_OUT)) == {b"u1"}
    again = refrain.run("forget", "u1")
    assert again.returncode == 1
    assert "that they have opted out is remembered" in again.stderr


def test_there_is_nothing_to_erase_of_nobody(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("forget", "nobody", "--json")
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["kind"] == "UnknownListener"


def test_a_full_redis_forgets_all_the_same(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(tell)
    with_redis(lambda redis: redis.config_set("maxmemory", "1"))
    try:
        done = refrain.run("forget", "u1", "--json")
    finally:
        with_redis(lambda redis: redis.config_set("maxmemory", "0"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["told_of_releases"] == 1
    sizes = with_redis(lambda redis: Cohorts(redis, Listeners(redis)).sizes())
    assert sizes == {"c1": 2, "c2": 2}


def test_where_redis_fails_on_the_way_it_says_what_is_left_and_goes_on_when_run_again(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: redis.set(keys.release_told("r1"), "no hash"))
    failed = refrain.run("forget", "u1")
    assert failed.returncode == 1
    assert "not erased wholly: having been told of releases may be left" in failed.stderr
    assert "`refrain forget u1` again" in failed.stderr
    with_redis(lambda redis: redis.delete(keys.release_told("r1")))
    with_redis(tell)
    done = refrain.run("forget", "u1")
    assert done.returncode == 0, done.stderr
    assert "notifications of 1 release" in done.stdout
