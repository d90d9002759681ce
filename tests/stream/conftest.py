"""Every test of a store runs against every backend that there is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.releases import Releases
from stream.stores.snapshots import Snapshots

MAX_ARTISTS = 20


@pytest.fixture(params=["redis_url", "redis_cluster_url"], ids=["redis", "cluster"])
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[AnyRedis]:
    client = await open_redis(Settings(redis=request.getfixturevalue(request.param)))
    yield client
    await client.aclose()


@pytest.fixture
def listeners(redis: AnyRedis) -> Listeners:
    return Listeners(redis)


@pytest.fixture
def cohorts(redis: AnyRedis, listeners: Listeners) -> Cohorts:
    return Cohorts(redis, listeners)


@pytest.fixture
def catalogue(redis: AnyRedis) -> Catalogue:
    return Catalogue(redis)


@pytest.fixture
def releases(redis: AnyRedis) -> Releases:
    return Releases(redis, keep_seconds=3600)


@pytest.fixture
def snapshots(redis: AnyRedis) -> Snapshots:
    return Snapshots(redis)
