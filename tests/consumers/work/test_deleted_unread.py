"""What a worker is told of events that were deleted before it read them."""

from __future__ import annotations

import json

import redis
from kafka import KafkaAdminClient, TopicPartition

from consumers.work.worker import work
from stream.settings import Settings
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running
from tests.waiting import wait_for


def test_what_was_deleted_of_a_topic_of_the_workers_is_told_and_the_rest_is_read(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    log.send("feedback", [feedback(0)], partition=2)
    with Running(work, settings):
        log.wait_until_caught_up("work", "feedback")
    log.send("feedback", [feedback(number) for number in range(1, 20)], partition=2)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    admin.delete_records({TopicPartition("feedback", 2): 15})
    admin.close()
    with Running(work, settings):
        log.wait_until_caught_up("work", "feedback")
        assert wait_for(lambda: told(db), "the count of what was deleted") == "14"
    assert opted_out(db) == {"u0", "u15", "u16", "u17", "u18", "u19"}


def feedback(number: int) -> bytes:
    event = {"release_id": "r", "user_id": f"u{number}", "kind": "opted_out", "ts": 5.0}
    return json.dumps(event).encode()


def told(db: redis.Redis) -> str | None:
    found = [db.hget(f"process:{{{name}}}", "deleted:feedback:2") for name in db.zrange("processes", 0, -1)]
    return next((number for number in found if number), None)


def opted_out(db: redis.Redis) -> set[str]:
    return set(db.smembers("opted-out"))
