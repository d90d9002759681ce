"""The servers of the tests: a real Kafka and a real Redis for the whole session, as `refrain up` starts them.

What a test asks for is what it gets fresh:

    settings            an empty Redis, a consumer group of its own, a data folder of its own
    topics              the same, and empty topics
    redis_url           an empty Redis
    own_redis           a Redis that the test starts, and may kill
    redis_cluster       an empty Redis Cluster of three nodes, whose slots a test may move
    redis_cluster_url   its address
    refrain             runs the command with `settings`: in this process, as a program to its end, or beside
                        the test; what it started is ended with the test
"""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest
import redis
from typer.main import get_command

from stream import broker
from stream.broker import ports
from stream.settings import Settings
from tests.consumers.own_redis import OwnRedis
from tests.everybody import EVERYBODY
from tests.fresh_topics import make_topics_anew
from tests.open_connections import close_with_their_loop
from tests.redis_cluster import RedisCluster
from tests.refrain_command import Refrain

# The tests start many programs. Each would compile all of Refrain again where nothing may be kept of it,
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# and each Kafka would compile for hours to come what it runs for a minute: with both, twice the work.
os.environ["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# Several processes are tested at once: threads of linear algebra would wait for each other's turn.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# To search for cycles among all that is imported and collected, again and again, takes a tenth of the tests.
gc.set_threshold(10_000, 20, 50)

# What takes longest begins first, or one process would still be at it while others are done.
LONGEST = (
    *("up/test_up.py", "consumers/test_faults.py", "demo/test_demo.py", "consumers/test_secured_kafka.py"),
    *("consumers/work/test_work_crash.py", "web/test_pages.py", "replay/test_replay.py"),
    *("cli/test_evaluate.py", "consumers/deliver/test_webhook.py", "packaging/test_wheel.py"),
    *("cli/test_doctor.py", "consumers/test_repair_sets.py", "consumers/test_failover.py"),
    *("consumers/ingest/test_ingest_crash.py", "models/test_update.py", "consumers/train/test_train.py"),
    *("consumers/history/test_same_as_stream.py", "consumers/work/test_waves.py", "cli/test_errors.py"),
    *("consumers/traits/test_traits.py", "broker/test_servers.py", "consumers/train/test_judge.py"),
    *("consumers/test_simulated_world.py", "web/test_by_clicking.py", "cli/test_churn.py"),
)

# Kafka takes seconds from the look for a free port until it listens there: each process of the tests looks
# among ports of its own.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 8
ports.PORTS = range(20_000 + 1_500 * _WORKER, 20_000 + 1_500 * (_WORKER + 1))

# No test here asserts a duration: not hypothesis either.
hypothesis.settings.register_profile("refrain", deadline=None)
hypothesis.settings.load_profile("refrain")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    place = {here / name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> None:
    for name in [name for name in os.environ if name.startswith("REFRAIN_")]:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _no_connections_left() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        close_with_their_loop(patch)
        yield


@pytest.fixture(scope="session", autouse=True)
def _command_made_once() -> Iterator[None]:
    """Let Typer make the command of an application once: for each run, that took as long as the run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", functools.cache(get_command))
        yield


@pytest.fixture(scope="session")
def servers(
    _no_settings_from_outside: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[broker.Servers]:
    # Java also where Docker would answer: no volume is left behind.
    settings = Settings(data=tmp_path_factory.mktemp("servers"), broker="java", connect_timeout=120)
    with broker.servers(settings) as running:
        yield running


@pytest.fixture(scope="session")
def kafka(servers: broker.Servers) -> str:
    """Bootstrap servers."""
    return servers.kafka


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    """A Redis of the test's own, which the test starts, and may kill."""
    server = OwnRedis(tmp_path / "own redis")
    yield server
    server.kill()


@pytest.fixture
def redis_url(servers: broker.Servers) -> str:
    with redis.Redis.from_url(servers.redis) as client:
        client.flushall()
    return servers.redis


@pytest.fixture
def settings(servers: broker.Servers, redis_url: str, tmp_path: Path) -> Settings:
    return Settings(
        kafka=servers.kafka,
        redis=redis_url,
        data=tmp_path / "data",
        group=f"test-{uuid4().hex[:8]}",
        partitions=4,
        **EVERYBODY,
    )


@pytest.fixture
def topics(settings: Settings) -> Settings:
    """The settings, with all topics of the contract on the broker, and nothing in them."""
    make_topics_anew(settings)
    return settings


@pytest.fixture(scope="session")
def _redis_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisCluster]:
    with RedisCluster(tmp_path_factory.mktemp("redis-cluster")) as cluster:
        yield cluster


@pytest.fixture
def redis_cluster(_redis_cluster: RedisCluster) -> RedisCluster:
    _redis_cluster.flush()
    return _redis_cluster


@pytest.fixture
def redis_cluster_url(redis_cluster: RedisCluster) -> str:
    return redis_cluster.url


@pytest.fixture
def refrain(settings: Settings, tmp_path: Path) -> Iterator[Refrain]:
    with Refrain(settings, tmp_path) as command:
        yield command
