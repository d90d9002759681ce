"""A model serves once replicas have it, where they are waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from consumers.runtime.wiring import Stores
from consumers.train.publish import Publisher
from consumers.train.schedule import Reason
from stream.connect import open_redis
from stream.errors import NotDurable
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores.heartbeats import Heartbeat
from stream.stores.lease import Lease
from tests.consumers.crowd import crowd_model
from tests.consumers.own_redis import OwnRedis
from tests.waiting import wait_for, wait_for_it


@dataclass
class Press:
    """Publishes on a primary that has a replica."""

    primary: OwnRedis
    replica: OwnRedis
    stores: Stores
    publisher: Publisher


@pytest.fixture
async def press(tmp_path: Path) -> AsyncIterator[Press]:
    primary, replica = (OwnRedis(tmp_path / name) for name in ("primary", "replica"))
    primary.start()
    replica.start()
    replica.follow(primary)
    settings = Settings(redis=primary.url, redis_replicas=1)
    redis = await open_redis(settings)
    stores = Stores.on(redis, settings)
    await stores.durability.begin()
    publisher = Publisher(
        stores.cohorts,
        stores.catalogue,
        stores.snapshots,
        stores.song_models,
        stores.durability,
        Lease(redis, "train"),
        Heartbeat(redis, "train"),
        Retry(asyncio.Event()),
        3600.0,
    )
    yield Press(primary, replica, stores, publisher)
    await redis.aclose()
    primary.kill()
    replica.kill()


async def test_a_model_does_not_serve_before_replicas_have_it(press: Press) -> None:
    snapshots = press.stores.snapshots

    async def newer() -> bool:
        return await snapshots.newest() == 2

    await press.publisher.publish(crowd_model(1), Reason.TIME)
    with press.replica.client() as replica:
        assert replica.get("model:current") == "1"
        replica.replicaof("127.0.0.1", 1)  # a port that nobody listens on
        publishing = asyncio.ensure_future(press.publisher.publish(crowd_model(2), Reason.TIME))
        await wait_for_it(newer, "the snapshot to be written")
        with pytest.raises(NotDurable):
            await press.stores.durability.acknowledged(press.stores.durability.primaries)
        assert await snapshots.current() == 1
        press.replica.follow(press.primary)
        await publishing
        assert await snapshots.current() == 2
        wait_for(lambda: replica.get("model:current") == "2", "the replica")


async def test_after_a_failover_no_model_has_the_version_of_one_that_was_published(press: Press) -> None:
    snapshots = press.stores.snapshots
    version = await snapshots.next_version()
    with press.primary.client() as primary:
        primary.delete("model:counter")  # as if it had been lost
    await press.publisher.publish(crowd_model(version), Reason.TIME)
    assert await snapshots.next_version() == version + 1


async def test_how_many_listeners_artists_have_is_written_again_where_a_redis_was_started_anew(
    press: Press,
) -> None:
    model = crowd_model(1)
    counted = keys.artist(model.artists[0])
    await press.publisher.publish(model, Reason.TIME)
    with press.primary.client() as primary:
        assert primary.hdel(counted, "listeners") == 1  # as if it had been lost
    await press.publisher.publish(crowd_model(2), Reason.TIME)
    press.primary.kill()
    press.primary.start()
    with press.primary.client() as primary:
        assert not primary.hexists(counted, "listeners")
        await press.publisher.publish(crowd_model(3), Reason.TIME)
        assert primary.hexists(counted, "listeners")
