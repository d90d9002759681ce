"""What a test of a process starts from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
import redis

from consumers.work.worker import work
from stream.broker import Servers
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from tests.consumers.desk import Desk
from tests.consumers.kafka_log import KafkaLog, kafka_log
from tests.consumers.placed import MEMBERS, place
from tests.consumers.running import Running
from tests.everybody import EVERYBODY
from tests.fresh_topics import make_topics_anew


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


@pytest.fixture(name="redis")
async def _redis(settings: Settings) -> AsyncIterator[AnyRedis]:
    """The empty Redis, as the processes ask it."""
    client = await open_redis(settings)
    yield client
    await client.aclose()


@pytest.fixture
def desk(settings: Settings, log: KafkaLog, db: redis.Redis) -> Desk:
    """The label desk, before empty topics and an empty Redis."""
    return Desk(settings, log, db)


@pytest.fixture(scope="module")
def office(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A label desk and one worker for all tests of a module: each has releases and listeners of its own.

    The cohorts c1, c2 and c5 have 2,500, 700 and 300 members.
    """
    settings = Settings(
        kafka=servers.kafka,
        redis=servers.redis,
        data=tmp_path_factory.mktemp("data"),
        group=f"test-{uuid4().hex[:8]}",
        partitions=4,
        **EVERYBODY,
    )
    make_topics_anew(settings)
    with redis.Redis.from_url(settings.redis, decode_responses=True) as db, kafka_log(settings) as log:
        db.flushall()
        place(settings, MEMBERS)
        with Running(work, settings):
            yield Desk(settings, log, db)
