"""Records that hardly are events: Kafka takes them, clients of the ordinary kind do not send them."""

from __future__ import annotations

import asyncio

from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

from stream.settings import Settings

__all__ = ["send_nothing", "send_too_large"]


def send_nothing(settings: Settings, topic: str, key: bytes | None, partition: int) -> None:
    """Send a record without a value; to a compacted topic Kafka takes none without a key."""
    asyncio.run(_send_nothing(settings, topic, key, partition))


async def _send_nothing(settings: Settings, topic: str, key: bytes | None, partition: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    try:
        batch = producer.create_batch()
        batch.append(key=key, value=None, timestamp=None)
        await (await producer.send_batch(batch, topic, partition=partition))
    finally:
        await producer.stop()


def send_too_large(settings: Settings, topic: str, partition: int) -> None:
    """Send 5,000,000 spaces: few while compressed, too many for the dead letters as they are."""
    producer = KafkaProducer(
        bootstrap_servers=settings.kafka, compression_type="gzip", max_request_size=9_000_000
    )
    producer.send(topic, key=b"k", value=b" " * 5_000_000, partition=partition).get(timeout=30)
    producer.close()
