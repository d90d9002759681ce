"""The topic `labels`, read on a real Kafka into a real Redis."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, closing

import redis

from consumers.actions.forget_segment import forget_segment
from consumers.runtime.process import together
from consumers.runtime.startup import begin_producer
from consumers.traits.labels import LabelReader, parse_labels
from stream.connect import open_redis
from stream.retry import Retry
from stream.settings import Settings
from stream.stores import keys
from stream.stores.heartbeats import Heartbeat
from stream.stores.merges import Merges
from stream.stores.segments import MOST_CLASSES, Segments
from stream.wire.record import Record
from stream.wire.topic_watch import TopicWatch
from tests.consumers.durable import durable
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running
from tests.fresh_topics import make_topics_anew, shapes_of
from tests.waiting import wait_for


async def read_labels(settings: Settings, stop: asyncio.Event) -> None:
    async with AsyncExitStack() as stack:
        client = await open_redis(settings)
        stack.push_async_callback(client.aclose)
        producer = await begin_producer(settings, stack)
        shapes = shapes_of(settings, ["labels"])
        watch = stack.enter_context(closing(TopicWatch(settings, shapes)))
        consumer = LabelReader.consumer(settings, watch)
        stack.push_async_callback(consumer.stop)
        heartbeat = Heartbeat(client, "traits")
        reader = LabelReader(
            consumer,
            Segments(client),
            Merges(client),
            await durable(client),
            producer,
            heartbeat,
            Retry(stop),
            stop,
            shapes["labels"].topic_id,
        )
        await consumer.start()
        await together(reader.run(), heartbeat.keep())


async def forget(settings: Settings, segment: str) -> None:
    client = await open_redis(settings)
    await forget_segment(client, settings, segment)
    await client.aclose()


def event(user: str, value: object, ts: float = 5.0, **more: object) -> bytes:
    return json.dumps({"user_id": user, "segment": "rap", "value": value, "ts": ts, **more}).encode()


def test_labels_are_in_redis_once_they_are_committed_and_read_again_change_nothing(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    sent = [json.loads(event(f"u{number}", number % 2)) for number in range(50)]
    log.send("labels", sent)
    with Running(read_labels, settings):
        log.wait_until_caught_up("labels", "labels")
    held = db.hgetall(keys.segment_labels("rap"))
    revision = db.hgetall(keys.segment_values("rap"))
    assert held == {f"u{number}": str(number % 2) for number in range(50)}
    log.reset("labels", "labels")
    with Running(read_labels, settings):
        log.wait_until_caught_up("labels", "labels")
    assert db.hgetall(keys.segment_labels("rap")) == held
    assert db.hgetall(keys.segment_values("rap")) == revision


def test_what_is_no_label_is_a_dead_letter_with_its_reason(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    soon = time.time() + 3600
    log.send("labels", [b"{", event("u", None), event("u", 1, soon), event("{", 1), event("u", 1)])
    with Running(read_labels, settings):
        log.wait_until_caught_up("labels", "labels")
    letters = log.records("dead-letters")
    reasons = sorted(dict(letter.headers)["reason"].decode() for letter in letters)
    assert reasons == ["bad-id", "bad-value", "not-json", "too-far-in-the-future"]
    wait_for(lambda: db.hgetall(keys.segment_labels("rap")) == {"u": "1"}, "the label that is one")


def test_numbers_for_classes_are_dead_letters_once_there_are_very_many(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    log.send("labels", [event("u0", "0.001"), *(event(f"u{n}", f"score {n}") for n in range(150))])
    log.send("labels", [event("late", "score 7", ts=6.0), event("yes", 1)])
    with Running(read_labels, settings):
        log.wait_until_caught_up("labels", "labels")
    assert len(db.hkeys(keys.segment_values("rap"))) == MOST_CLASSES + 1
    held = db.hgetall(keys.segment_labels("rap"))
    assert held["yes"] == "1"
    letters = log.records("dead-letters")
    assert len(letters) >= 150 + 1 - MOST_CLASSES
    headers = dict(letters[0].headers)
    assert headers["reason"] == b"bad-value"
    assert f"rap has {MOST_CLASSES} classes already".encode() in headers["detail"]


def test_0_and_1_are_read_however_they_are_written() -> None:
    written = [0, 1, False, True, "0", "1", "false", "TRUE", "18-25"]
    records = [Record("labels", 0, at, None, event("u", value)) for at, value in enumerate(written)]
    labels, dead = parse_labels(records, now=10.0)
    assert [label.value for label in labels] == [0, 1, 0, 1, 0, 1, 0, 1, "18-25"]
    assert dead == []


def test_a_number_that_is_neither_0_nor_1_is_refused() -> None:
    values = (2, 0.5, "", "a{b", [1])
    records = [Record("labels", 0, 0, None, event("u", value)) for value in values]
    labels, dead = parse_labels(records, now=10.0)
    assert labels == []
    assert {letter.reason.value for letter in dead} == {"bad-value"}


def test_a_segments_name_has_no_colon_as_that_is_a_class_of_another() -> None:
    records = [Record("labels", 0, 0, None, event("u", 1).replace(b"rap", b"age:old"))]
    labels, (letter,) = parse_labels(records, now=10.0)
    assert labels == []
    assert "SEGMENT:CLASS" in letter.detail


def test_a_label_of_an_id_that_is_part_of_a_listener_is_the_listeners(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    db.hset(keys.user_into("visitor"), "into", "u")
    log.send(
        "labels",
        [event("visitor", 1), event("visitor", 0, segment="jazz"), event("u", 1, 9.0, segment="jazz")],
    )
    with Running(read_labels, settings):
        log.wait_until_caught_up("labels", "labels")
    assert db.hgetall(keys.segment_labels("rap")) == {"u": "1"}
    assert db.hgetall(keys.segment_labels("jazz")) == {"u": "1"}


def test_labels_of_a_forgotten_segment_that_are_read_again_do_not_bring_it_back(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    log.send("labels", [event(f"u{n}", n % 2) for n in range(20)] + [event("u", 1, segment="jazz")])
    with Running(read_labels, settings):
        log.wait_until_caught_up("labels", "labels")
    asyncio.run(forget(settings, "rap"))
    assert db.smembers("segments") == {"jazz"}
    log.reset("labels", "labels")
    with Running(read_labels, settings):
        log.wait_until_caught_up("labels", "labels")
    assert not db.exists(keys.segment_labels("rap"), keys.segment_values("rap"))
    assert db.smembers("segments") == {"jazz"}
    assert db.hgetall(keys.segment_labels("jazz")) == {"u": "1"}
    log.send("labels", [event("late", 1, ts=1.0)])  # also with an earlier time
    with Running(read_labels, settings):
        log.wait_until_caught_up("labels", "labels")
    assert db.hgetall(keys.segment_labels("rap")) == {"late": "1"}
    assert db.smembers("segments") == {"jazz", "rap"}


def test_labels_of_a_topic_that_is_made_anew_count_though_their_offsets_are_lower(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    log.send("labels", [event(f"u{n}", n % 2) for n in range(20)])
    with Running(read_labels, settings):
        log.wait_until_caught_up("labels", "labels")
    asyncio.run(forget(settings, "rap"))
    make_topics_anew(settings)
    log.send("labels", [event("u", 1)])
    with Running(read_labels, settings):
        wait_for(lambda: db.hgetall(keys.segment_labels("rap")) == {"u": "1"}, "the label")
