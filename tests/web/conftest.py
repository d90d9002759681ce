"""A small service that is served over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import pytest

from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from tests.cli.conftest import service
from tests.consumers.kafka_log import KafkaLog, kafka_log
from tests.web.served import Served, apart, serving

__all__ = ["log", "served", "service"]


@pytest.fixture
def with_redis(settings: Settings) -> Callable[[Callable[[AnyRedis], Awaitable[object]]], object]:
    """Runs something on the Redis of the test."""

    def run(work: Callable[[AnyRedis], Awaitable[object]]) -> object:
        async def whole() -> object:
            redis = await open_redis(settings)
            try:
                return await work(redis)
            finally:
                await redis.aclose()

        return apart(whole)

    return run


@pytest.fixture
def served(service: Settings) -> Iterator[Served]:
    with serving(service) as running:
        yield running


@pytest.fixture
def log(topics: Settings) -> Iterator[KafkaLog]:
    with kafka_log(topics) as opened:
        yield opened
