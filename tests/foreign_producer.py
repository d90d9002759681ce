"""A producer that is none of ours: every codec, transactions, and batches that no client would send."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Iterable
from typing import Any

import confluent_kafka
import cramjam
from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

from stream.settings import Settings

__all__ = ["batch", "broken_lz4", "compressed", "send_batch", "send_compressed", "transaction"]

HEADER = 61  # bytes of a batch before its records
ATTRIBUTES = 21  # where its checksum begins to count
LZ4 = 3


def send_compressed(settings: Settings, codec: str, topic: str, events: Iterable[dict[str, Any]]) -> None:
    """Send events with librdkafka, compressed by a codec of its, in as few batches as it can."""
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": settings.kafka, "compression.type": codec, "linger.ms": 50}
    )
    for event in events:
        producer.produce(topic, json.dumps(event).encode(), key=b"a key", partition=0)
    assert producer.flush(30) == 0


def transaction(
    settings: Settings, topic: str, events: Iterable[dict[str, Any]], *, commit: bool, partition: int = 0
) -> None:
    """Send events in one transaction, and commit it or abort it."""
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": settings.kafka, "transactional.id": f"{settings.group}-{topic}"}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for event in events:
        producer.produce(topic, json.dumps(event).encode(), key=b"a key", partition=partition)
    assert producer.flush(30) == 0
    if commit:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


def batch(values: Iterable[bytes], *, base: int = 0) -> bytearray:
    """Return a batch that is not compressed, as it is on the wire."""
    builder = DefaultRecordBatchBuilder(
        2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 20
    )
    for at, value in enumerate(values):
        builder.append(at, 1_600_000_000_000, b"a key", value, [])
    made = bytearray(builder.build())
    struct.pack_into(">q", made, 0, base)
    return made


def compressed(plain: bytearray, payload: bytes, codec: int) -> bytearray:
    """Return a batch with another payload, said to be of a codec; its checksum is right."""
    made = plain[:HEADER] + payload
    struct.pack_into(">h", made, ATTRIBUTES, codec)
    struct.pack_into(">i", made, 8, len(made) - 12)
    struct.pack_into(">I", made, 17, calc_crc32c(bytes(made[ATTRIBUTES:])))
    return made


def broken_lz4(values: Iterable[bytes]) -> bytearray:
    """Return a batch whose content has another checksum than its LZ4 frame says: brokers do not look."""
    plain = batch(values)
    frame = bytearray(_frame(bytes(plain[HEADER:])))
    frame[-1] ^= 0xFF
    return compressed(plain, bytes(frame), LZ4)


def _frame(content: bytes) -> bytes:
    compressor = cramjam.lz4.Compressor(content_checksum=True, block_linked=False)
    compressor.compress(content)
    return bytes(compressor.finish())


def send_batch(settings: Settings, topic: str, partition: int, made: bytearray) -> None:
    """Send a batch as it is."""
    asyncio.run(_send_batch(settings, topic, partition, made))


async def _send_batch(settings: Settings, topic: str, partition: int, made: bytearray) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, acks="all")
    await producer.start()
    try:
        builder = producer.create_batch()
        builder.append(key=b"a key", value=b"in its place goes what is given", timestamp=None)
        builder.close()
        builder._buffer = made
        await (await producer.send_batch(builder, topic, partition=partition))
    finally:
        await producer.stop()
