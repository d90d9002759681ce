"""What a test of a process starts from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from stream.settings import Settings
from tests.consumers.kafka_log import KafkaLog, kafka_log


@pytest.fixture
def log(topics: Settings) -> Iterator[KafkaLog]:
    """Empty topics."""
    with kafka_log(topics) as opened:
        yield opened


@pytest.fixture
def db(settings: Settings) -> Iterator[redis.Redis]:
    """The empty Redis, text in and out."""
    with redis.Redis.from_url(settings.redis, decode_responses=True) as client:
        yield client
