"""A small service that is served over HTTP, and a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from stream.settings import Settings
from tests.cli.conftest import service, with_redis
from tests.consumers.kafka_log import KafkaLog, kafka_log
from tests.web.browser import chromium
from tests.web.served import Served, serving

__all__ = ["browser", "log", "served", "service", "with_redis"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def served(service: Settings) -> Iterator[Served]:
    with serving(service) as running:
        yield running


@pytest.fixture
def log(topics: Settings) -> Iterator[KafkaLog]:
    with kafka_log(topics) as opened:
        yield opened
