"""What was written is in Redis's file and on replicas, or is said not to be."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as RedisOfOne
from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from stream.connect import AnyRedis, open_redis
from stream.errors import NotDurable
from stream.settings import Settings
from stream.stores import durability as durability_module
from stream.stores.durability import Durability, Node
from tests.consumers.own_redis import OwnRedis
from tests.waiting import wait_for_it


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[OwnRedis, OwnRedis]]:
    servers = [OwnRedis(tmp_path / name, unixsocket="redis.sock") for name in ("primary", "replica")]
    for server in servers:
        server.start()
    primary, replica = servers
    replica.follow(primary)
    yield primary, replica
    for server in servers:
        server.kill()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[OwnRedis]:
    server = OwnRedis(tmp_path / "alone", appendfsync="everysec")
    server.start()
    yield server
    server.kill()


async def test_what_a_redis_that_goes_on_answers_is_written_once(redis: AnyRedis) -> None:
    durability = Durability(redis, 0)
    await durability.begin()
    assert len(durability.primaries) in {1, 3}
    assert await durability.acknowledged(durability.primaries)


async def test_of_a_cluster_that_changes_meanwhile_all_are_asked_who_were_there(redis: AnyRedis) -> None:
    durability = Durability(redis, 0)
    look = durability._look

    async def another_is_away(key: str, node: Node) -> str:
        if isinstance(redis, RedisCluster):
            redis.nodes_manager.slots_cache.clear()
        return await look(key, node)

    durability._look = another_is_away  # type: ignore[method-assign]
    await asyncio.wait_for(durability.begin(), 60)
    assert len(durability.primaries) in {1, 3}


async def test_another_primary_of_a_cluster_does_not_answer_for_those_whose_connections_broke(
    redis_cluster_url: str,
) -> None:
    redis = await open_redis(Settings(redis=redis_cluster_url))
    assert isinstance(redis, RedisCluster)
    durability = Durability(redis, 0)
    await durability.begin()
    since = durability.primaries
    for node in redis.get_primaries()[:2]:  # of these one at most is whom redis-py asks in their place
        with RedisOfOne(host=node.host, port=node.port) as admin:
            admin.client_kill_filter(_type="normal", skipme=True)
    with pytest.raises(RedisConnectionError, match="of 3 primaries"):
        await durability.acknowledged(since)
    assert durability.primaries == since
    assert await durability.acknowledged(since)
    await redis.aclose()


async def test_what_a_redis_started_anew_may_lack_is_written_again(alone: OwnRedis) -> None:
    redis = await open_redis(Settings(redis=alone.url))
    durability = Durability(redis, 0)
    await durability.begin()
    since = durability.primaries
    alone.kill()
    alone.start()
    with pytest.raises(RedisError):  # on the connection to the one that was killed
        await durability.acknowledged(since)
    assert not await durability.acknowledged(since)
    assert await durability.acknowledged(durability.primaries)
    await redis.aclose()


@pytest.mark.parametrize("looks", [False, True], ids=["waited for", "shown in the same round trip"])
async def test_what_is_kept_survives_that_redis_is_killed_under_load(alone: OwnRedis, looks: bool) -> None:
    redis = await open_redis(Settings(redis=alone.url))
    durability, value = Durability(redis, 0), os.urandom(4000)
    await durability.begin()
    kept = 0

    async def fill() -> None:
        while True:
            pipeline = redis.pipeline(transaction=False)
            for at in range(200):
                pipeline.set(f"filler {at}", value)
            await pipeline.execute()

    async def count() -> None:
        nonlocal kept
        for number in itertools.count(1):
            pipeline = redis.pipeline(transaction=False)
            pipeline.set("number", number)
            for call in durability.look() if looks else ():
                pipeline.execute_command(*call.command)
            _, *answers = await pipeline.execute()
            if not durability.shown(answers, durability.primaries):
                assert await durability.acknowledged(durability.primaries)
            kept = number

    writing = [asyncio.create_task(fill()), asyncio.create_task(count())]
    await wait_for_it(lambda: done(kept > 300 or writing[1].done()), "writes")
    for _ in range(1000):  # most are lost where Redis has just begun to hold them back, if it does here
        if (await redis.info("persistence"))["aof_buffer_length"] > 3_000_000:
            break
    alone.kill()
    for ended in await asyncio.gather(*writing, return_exceptions=True):
        assert isinstance(ended, RedisError)
    await redis.aclose()
    alone.start()
    with alone.client() as client:
        assert int(client.get("number")) >= kept


def test_nothing_is_shown_of_a_redis_that_may_answer_first_or_is_another_or_was_not_looked_at() -> None:
    ours, another = {"master_replid": "ours"}, {"master_replid": "another"}
    idle = {"aof_pending_bio_fsync": 0, "aof_buffer_length": 90, "aof_last_write_status": "ok"}
    alone, threads = {"io_threads_active": 0}, {"io_threads_active": 1}
    since = frozenset({"ours"})
    assert Durability.shown([ours, idle, alone], since)
    assert Durability.shown([ours, {}, {}], since), "it has no file"
    assert not Durability.shown([ours, idle | {"aof_pending_bio_fsync": 1}, alone], since)
    assert not Durability.shown([ours, idle | {"aof_last_write_status": "err"}, alone], since)
    assert not Durability.shown([ours, idle, threads], since)
    assert not Durability.shown([another, idle, alone], since)
    assert not Durability.shown([], since)


async def done(so: bool) -> bool:
    return so


class Seen:
    """What a primary says of itself, one after the other."""

    def __init__(self, *said: tuple[Any, ...]) -> None:
        self.left = list(said)

    async def __call__(self, pipeline: object, node: object) -> tuple[list[object], durability_module._Seen]:
        return [], durability_module._Seen(*self.left.pop(0))


@pytest.fixture
async def begun(redis: AnyRedis) -> Durability:
    durability = Durability(redis, 0)
    durability.primaries = frozenset({"one"})
    durability._each = lambda: iter([("a key", {})])
    return durability


@pytest.mark.parametrize(
    "said",
    [
        pytest.param([("one", 100, 10), ("one", 100, 30), ("one", 110, 20)], id="appended"),
        pytest.param([("one", 100, 10), ("one", 50, 5), ("one", 55, 1)], id="rewritten meanwhile"),
        pytest.param([("one", 100, 10), ("one", 70, 0)], id="rewritten, and nothing held back"),
        pytest.param(
            [("one", 100, 10, 60), ("one", 130, 12, 120), ("one", 142, 1, 120)], id="rewritten, and larger"
        ),
        pytest.param([("one", 0, 0)], id="no file"),
    ],
)
async def test_what_redis_holds_back_from_its_file_is_waited_for(
    begun: Durability, monkeypatch: pytest.MonkeyPatch, said: list[tuple[Any, ...]]
) -> None:
    seen = Seen(*said)
    monkeypatch.setattr(durability_module, "_seen", seen)
    assert await begun.acknowledged(frozenset({"one"}))
    assert not seen.left


async def test_what_was_held_back_when_redis_was_started_anew_is_written_again(
    begun: Durability, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability_module, "_seen", Seen(("one", 100, 10), ("two", 90, 0)))
    assert not await begun.acknowledged(frozenset({"one"}))


async def test_a_file_that_is_not_appended_to_is_an_error(
    begun: Durability, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durability_module, "APPENDED_SECONDS", 0.05)
    monkeypatch.setattr(durability_module, "_seen", Seen(*[("one", 100, 10)] * 100))
    with pytest.raises(NotDurable, match="10 bytes were not appended to its file within"):
        await begun.acknowledged(frozenset({"one"}))


async def test_without_the_right_to_ask_it_is_said_once_and_nothing_waited_for(
    alone: OwnRedis, caplog: pytest.LogCaptureFixture
) -> None:
    with alone.client() as admin:
        admin.execute_command("ACL", "SETUSER", "limited", "on", ">secret", "~*", "+@all", "-info")
    redis = await open_redis(Settings(redis=alone.url.replace("//", "//limited:secret@")))
    durability = Durability(redis, 0)
    await durability.begin()
    assert await durability.acknowledged(durability.primaries)
    assert [each.message for each in caplog.records if "may not ask INFO" in each.message]
    await redis.aclose()


async def test_of_every_primary_replicas_are_missed(redis: AnyRedis) -> None:
    durability = Durability(redis, 1)
    await durability.begin()
    assert len(durability.primaries) in {1, 3}
    with pytest.raises(NotDurable, match="0 of 1 replicas"):
        await durability.acknowledged(durability.primaries)


async def test_what_another_primary_may_lack_is_written_again(pair: tuple[OwnRedis, OwnRedis]) -> None:
    primary, replica = pair
    redis = await open_redis(Settings(redis=primary.url))
    durability, written = Durability(redis, 1), 0
    await durability.begin()

    async def write() -> int:
        nonlocal written
        written += 1
        if written == 1:
            swap(primary, replica)
            swap(replica, primary)  # the address is right again, and the server not the same
        return written

    assert await durability.kept(write) == 2
    assert await durability.kept(write) == 3
    await redis.aclose()


def swap(primary: OwnRedis, replica: OwnRedis) -> None:
    replica.promote()
    primary.follow(replica)


async def test_the_server_that_was_the_primary_is_left_though_it_takes_writes(
    pair: tuple[OwnRedis, OwnRedis], tmp_path: Path
) -> None:
    primary, replica = pair
    name, url = tmp_path / "name", f"unix://{tmp_path}/name"
    name.symlink_to(primary.folder / "redis.sock")
    redis = await open_redis(Settings(redis=url))
    durability = Durability(redis, 1)
    await durability.begin()
    lanes = await asyncio.gather(*[redis.pipeline().set("a key", "a value").execute() for _ in range(5)])
    assert len(lanes) == 5  # so many connections lead to the first
    replica.promote()
    name.unlink()
    name.symlink_to(replica.folder / "redis.sock")
    third = OwnRedis(tmp_path / "third")
    third.start()
    third.follow(replica)
    await redis.connection_pool._available_connections[-1].disconnect()  # the one that is used next
    assert not await durability.acknowledged(durability.primaries)
    await asyncio.gather(*[redis.incr("written") for _ in range(5)])
    with replica.client() as client:
        assert client.get("written") == "5"
    await redis.aclose()
    third.kill()
