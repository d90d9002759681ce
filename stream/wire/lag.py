"""How far consumer groups are behind, and what the topics hold."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import CoordinatorLoadInProgressError, CoordinatorNotAvailableError, NotCoordinatorError
from kafka.structs import OffsetAndMetadata

from stream.settings import Settings

__all__ = ["behind", "held", "last_reasons"]

PATIENCE, PAUSE = 10.0, 0.1  # seconds
FIRST, END = OffsetSpec.EARLIEST, OffsetSpec.LATEST


def _places(admin: KafkaAdminClient, topics: Iterable[str]) -> list[TopicPartition]:
    described = admin.describe_topics(list(topics))
    return [
        TopicPartition(topic["name"], partition["partition_index"])
        for topic in described
        for partition in topic["partitions"]
    ]


def _offsets(
    admin: KafkaAdminClient, places: Sequence[TopicPartition], spec: int
) -> dict[TopicPartition, int]:
    found = admin.list_partition_offsets(dict.fromkeys(places, spec))
    return {place: found[place].offset for place in places}


def behind(admin: KafkaAdminClient, groups: dict[str, Sequence[str]]) -> dict[str, int]:
    """Return for each group how many events of its topics it has not committed yet.

    Parameters
    ----------
    groups
        Group -> the topics that it reads; all must be there.
    """
    places = _places(admin, dict.fromkeys(topic for topics in groups.values() for topic in topics))
    first, end = _offsets(admin, places, FIRST), _offsets(admin, places, END)
    lags = {}
    for group, topics in groups.items():
        committed = _committed(admin, group)
        lags[group] = 0
        for place in places:
            if place.topic in topics:
                at = committed[place].offset if place in committed else 0
                lags[group] += max(end[place] - max(at, first[place]), 0)
    return lags


def _committed(admin: KafkaAdminClient, group: str) -> dict[TopicPartition, OffsetAndMetadata]:
    give_up = time.monotonic() + PATIENCE
    while True:
        try:
            committed: dict[TopicPartition, OffsetAndMetadata] = admin.list_group_offsets({group: None})[
                group
            ]
        except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
            # A broker keeps no offsets at all until the first time that somebody asks.
            if time.monotonic() > give_up:
                raise
            time.sleep(PAUSE)
        else:
            return dict(committed)


def held(admin: KafkaAdminClient, topic: str) -> int:
    """Return how many events a topic holds."""
    places = _places(admin, [topic])
    first, end = _offsets(admin, places, FIRST), _offsets(admin, places, END)
    return sum(end[place] - first[place] for place in places)


def last_reasons(settings: Settings, admin: KafkaAdminClient, number: int) -> Counter[str]:
    """Return the reasons of about the last `number` dead letters."""
    places = _places(admin, ["dead-letters"])
    first, end = _offsets(admin, places, FIRST), _offsets(admin, places, END)
    filled = [place for place in places if end[place] > first[place]]
    reasons: Counter[str] = Counter()
    if not filled:
        return reasons
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka.split(","), enable_auto_commit=False)
    try:
        consumer.assign(filled)
        for place in filled:
            consumer.seek(place, max(first[place], end[place] - -(-number // len(filled))))
        while any(consumer.position(place) < end[place] for place in filled):
            for messages in consumer.poll(timeout_ms=1000).values():
                for message in messages:
                    reasons[dict(message.headers).get("reason", b"none given").decode()] += 1
        return reasons
    finally:
        consumer.close()
