"""What tests/conftest.py promises to every test."""

from __future__ import annotations

import asyncio
import gc
from urllib.parse import urlsplit

import pytest
import redis
from aiokafka.conn import create_conn
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from stream.settings import Settings
from stream.wire.topics import TOPICS
from tests.redis_cluster import cluster_client


def _produce_and_set(settings: Settings) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.kafka)
    producer.send("clicks", key=b"u", value=b"{}", partition=0).get(timeout=30)
    producer.close()
    with redis.Redis.from_url(settings.redis) as client:
        client.set("k", 1)


def test_topics_and_redis_begin_empty(topics: Settings) -> None:
    _assert_empty(topics)
    _produce_and_set(topics)


def test_topics_and_redis_begin_empty_again(topics: Settings) -> None:
    _assert_empty(topics)
    _produce_and_set(topics)


def _assert_empty(settings: Settings) -> None:
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    assert {topic.name for topic in TOPICS} == {t for t in admin.list_topics() if not t.startswith("__")}
    admin.close()
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka)
    partition = TopicPartition("clicks", 0)
    assert consumer.end_offsets([partition]) == {partition: 0}
    consumer.close()
    with redis.Redis.from_url(settings.redis) as client:
        assert client.dbsize() == 0


def test_a_cluster_refuses_to_cross_slots(redis_cluster_url: str) -> None:
    with cluster_client(redis_cluster_url) as cluster:
        assert len(cluster.get_primaries()) == 3
        cluster.mset_nonatomic({f"k{i}": i for i in range(100)})
        assert cluster.mget_nonatomic([f"k{i}" for i in range(100)]) == [str(i).encode() for i in range(100)]
        with pytest.raises(redis.RedisClusterException, match="slot"):
            cluster.execute_command("MGET", "a", "b")


def test_a_connection_that_aiokafka_leaves_open_is_closed_with_its_loop(settings: Settings) -> None:
    address = urlsplit(f"kafka://{settings.kafka}")

    async def leave_open() -> None:
        left.append(await create_conn(address.hostname, address.port))

    left: list[object] = []
    asyncio.run(leave_open())
    left.clear()
    gc.collect()  # else found here, and said


def test_a_connection_that_kafka_closed_in_the_last_moment_is_closed_with_its_loop(
    settings: Settings,
) -> None:
    address = urlsplit(f"kafka://{settings.kafka}")

    async def leave_open() -> None:
        connection = await create_conn(address.hostname, address.port)
        connection._read_task.cancel()
        await asyncio.sleep(0)
        connection._reader.feed_eof()
        left.append(connection)

    left: list[object] = []
    asyncio.run(leave_open())
    left.clear()
    gc.collect()  # else found here, and said


def test_a_socket_of_which_no_connection_is_left_is_closed_with_its_loop(settings: Settings) -> None:
    address = urlsplit(f"kafka://{settings.kafka}")

    async def leave_open() -> None:
        loop = asyncio.get_running_loop()
        left.append(await loop.create_connection(asyncio.Protocol, address.hostname, address.port))

    left: list[object] = []
    asyncio.run(leave_open())
    left.clear()
    gc.collect()  # else found here, and said


def test_a_client_of_redis_that_is_left_open_says_so(redis_url: str) -> None:
    async def leave_open() -> None:
        client = redis.asyncio.Redis.from_url(redis_url)
        await client.ping()
        left.append(client)

    left: list[object] = []
    asyncio.run(leave_open())
    with pytest.warns(ResourceWarning, match="unclosed Connection"):
        left.clear()
        gc.collect()
