"""Learns on one thread, as processes do: waiting for a second one takes longer than such small matrices."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from stream.connect import open_redis
from stream.settings import Settings
from tests.consumers.traits.bureau import Bureau
from tests.models.traits.conftest import one_thread

__all__ = ["bureau", "one_thread"]


@pytest.fixture(params=["redis_url", "redis_cluster_url"])
async def bureau(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Bureau]:
    """On a Redis and on a Redis Cluster."""
    url = request.getfixturevalue(request.param)
    redis = await open_redis(settings.model_copy(update={"redis": url}))
    bureau = Bureau(redis, settings)
    # As each process does: else the first that waits takes Redis for another, and reconnects under all.
    await bureau.stores.durability.begin()
    yield bureau
    await redis.aclose()
