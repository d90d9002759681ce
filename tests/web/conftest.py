"""A small service that is served over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stream.settings import Settings
from tests.cli.conftest import service, with_redis
from tests.consumers.kafka_log import KafkaLog, kafka_log
from tests.web.served import Served, serving

__all__ = ["log", "served", "service", "with_redis"]


@pytest.fixture
def served(service: Settings) -> Iterator[Served]:
    with serving(service) as running:
        yield running


@pytest.fixture
def log(topics: Settings) -> Iterator[KafkaLog]:
    with kafka_log(topics) as opened:
        yield opened
