"""What was written is on replicas, or is said not to be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stream.connect import AnyRedis, open_redis
from stream.errors import NotReplicated
from stream.settings import Settings
from stream.stores.replication import Replication
from tests.consumers.own_redis import OwnRedis


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


async def test_nothing_is_waited_for_unless_asked(redis: AnyRedis) -> None:
    replication = Replication(redis, 0)
    await replication.begin()
    assert await replication.acknowledged(replication.primaries)


async def test_of_every_primary_replicas_are_missed(redis: AnyRedis) -> None:
    replication = Replication(redis, 1)
    await replication.begin()
    assert len(replication.primaries) in {1, 3}
    with pytest.raises(NotReplicated, match="0 of 1 replicas"):
        await replication.acknowledged(replication.primaries)


async def test_what_another_primary_may_lack_is_written_again(pair: tuple[OwnRedis, OwnRedis]) -> None:
    primary, replica = pair
    redis = await open_redis(Settings(redis=primary.url))
    replication, written = Replication(redis, 1), 0
    await replication.begin()

    async def write() -> int:
        nonlocal written
        written += 1
        if written == 1:
            swap(primary, replica)
            swap(replica, primary)  # the address is right again, and the server not the same
        return written

    assert await replication.kept(write) == 2
    assert await replication.kept(write) == 3
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
    replication = Replication(redis, 1)
    await replication.begin()
    lanes = await asyncio.gather(*[redis.pipeline().set("a key", "a value").execute() for _ in range(5)])
    assert len(lanes) == 5  # so many connections lead to the first
    replica.promote()
    name.unlink()
    name.symlink_to(replica.folder / "redis.sock")
    third = OwnRedis(tmp_path / "third")
    third.start()
    third.follow(replica)
    await redis.connection_pool._available_connections[-1].disconnect()  # the one that is used next
    assert not await replication.acknowledged(replication.primaries)
    await asyncio.gather(*[redis.incr("written") for _ in range(5)])
    with replica.client() as client:
        assert client.get("written") == "5"
    await redis.aclose()
    third.kill()
