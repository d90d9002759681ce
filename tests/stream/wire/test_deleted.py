"""What a reader is told of events that were deleted before it read them."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from kafka import KafkaAdminClient, KafkaProducer

from stream.settings import Settings
from stream.wire.consumer import Consumer
from stream.wire.deleted import deleted_unread_told, shorter_told
from stream.wire.topic_watch import TopicWatch
from tests.fresh_topics import shapes_of

Told = list[tuple[TopicPartition, int]]
PLACE = TopicPartition("clicks", 0)


def lose(settings: Settings) -> None:
    """Send ten clicks, and let Kafka delete seven."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka)
    for number in range(10):
        producer.send("clicks", value=b"%d" % number, partition=0)
    producer.close()
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    admin.delete_records({PLACE: 7})
    admin.close()


async def read(
    settings: Settings, at: int, reset: str = "earliest", topics: Collection[str] = ("clicks",)
) -> tuple[int, Told]:
    """Return the position that a reader of an offset goes on from, and what is told."""
    told: Told = []
    consumer = Consumer(settings, auto_offset_reset=reset)
    with deleted_unread_told(topics, lambda place, number: told.append((place, number))):
        await consumer.start()
        try:
            consumer.assign([PLACE])
            consumer.seek(PLACE, at)
            if reset == "earliest":
                first = await consumer.getone()
                return first.offset, told
            while await consumer.position(PLACE) == at:
                await consumer.getmany(timeout_ms=100)
            return await consumer.position(PLACE), told
        finally:
            await consumer.stop()


def test_a_reader_goes_on_from_the_earliest_and_the_number_deleted_is_told(topics: Settings) -> None:
    lose(topics)
    assert asyncio.run(read(topics, 3)) == (7, [(PLACE, 4)])


def test_who_finds_the_same_deleted_once_more_is_told_once(topics: Settings) -> None:
    lose(topics)
    told: Told = []

    async def read_twice() -> None:
        consumer = Consumer(topics, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.assign([PLACE])
            for at in (3, 3, 5):  # before anything is committed, as after a rebalance
                consumer.seek(PLACE, at)
                assert (await consumer.getone()).offset == 7
        finally:
            await consumer.stop()

    with deleted_unread_told(("clicks",), lambda place, number: told.append((place, number))):
        asyncio.run(read_twice())
    assert told == [(PLACE, 4)]


def test_a_reader_behind_whom_alone_was_deleted_is_told_nothing(topics: Settings) -> None:
    lose(topics)
    assert asyncio.run(read(topics, 8)) == (8, [])


def test_a_place_behind_the_end_is_no_loss(topics: Settings) -> None:
    lose(topics)
    assert asyncio.run(read(topics, 500)) == (7, [])


def test_who_goes_on_from_the_end_means_to_pass_over_what_was_not_read(topics: Settings) -> None:
    lose(topics)
    assert asyncio.run(read(topics, 3, "latest")) == (10, [])


def test_only_what_concerns_the_topics_asked_for_is_told(topics: Settings) -> None:
    lose(topics)
    assert asyncio.run(read(topics, 3, topics=("releases",))) == (7, [])


def test_a_partition_that_is_shorter_than_it_was_read_waits_until_its_topic_is_looked_at(
    topics: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    lose(topics)
    watch = TopicWatch(topics, shapes_of(topics, ["clicks"]))

    async def read_and_watch() -> tuple[dict[TopicPartition, list[ConsumerRecord]], int]:
        consumer = Consumer(topics, auto_offset_reset="earliest")
        await consumer.start()
        consumer.assign([PLACE])
        consumer.seek(PLACE, 500)
        with shorter_told(("clicks",), watch.hold_back):
            before = await consumer.getmany(timeout_ms=1500)
            watching = asyncio.create_task(watch.run())
            first = await consumer.getone()
        watching.cancel()
        watch.close()
        await consumer.stop()
        return before, first.offset

    assert asyncio.run(read_and_watch()) == ({}, 7)
    assert "clicks, partition 0, ends before offset 500, where reading was" in caplog.text
