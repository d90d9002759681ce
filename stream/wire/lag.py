"""How far consumer groups are behind, and what the topics hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from aiokafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from stream.retry import retried
from stream.settings import Settings
from stream.wire.consumer import Consumer

__all__ = ["behind", "deleted_unread", "ends", "held", "last_reasons"]

ASK_AGAIN = Retrying(
    retry=retry_if_exception(retried), wait=wait_fixed(0.1), stop=stop_after_delay(10.0), reraise=True
)
WAIT_MS = 500
FETCH_BYTES = 64 * 1024  # of a partition at once: a first record is looked for, seldom more
FIRST, END = OffsetSpec.EARLIEST, OffsetSpec.LATEST

Offsets = dict[TopicPartition, int]


def _places(admin: KafkaAdminClient, topics: Iterable[str]) -> list[TopicPartition]:
    described = admin.describe_topics(list(topics))
    return [
        TopicPartition(topic["name"], partition["partition_index"])
        for topic in described
        for partition in topic["partitions"]
    ]


def _offsets(admin: KafkaAdminClient, places: Sequence[TopicPartition], spec: int) -> Offsets:
    found = admin.list_partition_offsets(dict.fromkeys(places, spec))
    return {place: found[place].offset for place in places}


def behind(
    settings: Settings, admin: KafkaAdminClient, groups: Mapping[str, Sequence[str]]
) -> dict[str, int]:
    """Return for each group how many events of its topics it has not committed yet.

    Markers of transactions are no events, nor are records of a transaction that was aborted or is still open.

    Parameters
    ----------
    groups
        Group -> the topics that it reads; all must be there.
    """
    places = _places(admin, dict.fromkeys(topic for topics in groups.values() for topic in topics))
    first, end = _offsets(admin, places, FIRST), _offsets(admin, places, END)
    starts: dict[str, Offsets] = {}
    for group, topics in groups.items():
        committed = _committed(admin, group)
        at = {place: max(committed.get(place, 0), first[place]) for place in places if place.topic in topics}
        starts[group] = {place: offset for place, offset in at.items() if offset < end[place]}
    if not any(starts.values()):
        return dict.fromkeys(starts, 0)
    return asyncio.run(_events_from(settings, starts))


async def _events_from(settings: Settings, starts: Mapping[str, Offsets]) -> dict[str, int]:
    consumer = Consumer(
        settings,
        decode=False,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await consumer.start()
    try:
        return {group: await _from_first(consumer, at) for group, at in starts.items()}
    finally:
        await consumer.stop()


async def _from_first(consumer: Consumer, starts: Offsets) -> int:
    """Return how many offsets there are from the first event behind each start."""
    if not starts:
        return 0
    consumer.assign(list(starts))
    end: Offsets = await consumer.end_offsets(list(starts))
    for place, offset in starts.items():
        consumer.seek(place, offset)
    number, left = 0, set(starts)
    while left := {place for place in left if await consumer.position(place) < end[place]}:
        for place, messages in (await consumer.getmany(*left, timeout_ms=WAIT_MS)).items():
            number += end[place] - messages[0].offset
            left.discard(place)
    return number


def _committed(admin: KafkaAdminClient, group: str) -> Offsets:
    # A broker keeps no offsets at all until the first time that somebody asks.
    committed = ASK_AGAIN(admin.list_group_offsets, {group: None})[group]
    return {place: found.offset for place, found in committed.items()}


def deleted_unread(admin: KafkaAdminClient, groups: Mapping[str, Sequence[str]]) -> Offsets:
    """Return how many messages were deleted behind what groups have read, where any were, by partition.

    Parameters
    ----------
    groups
        Group -> the topics that it reads; all must be there, and be read by one of the groups.
    """
    places = _places(admin, dict.fromkeys(topic for topics in groups.values() for topic in topics))
    first = _offsets(admin, places, FIRST)
    found: Offsets = {}
    for group, topics in groups.items():
        for place, offset in _committed(admin, group).items():
            if place.topic in topics and 0 <= offset < first.get(place, 0):
                found[place] = first[place] - offset
    return found


def ends(admin: KafkaAdminClient, topic: str) -> dict[int, int]:
    """Return for each partition of a topic the offset behind its last message."""
    return {place.partition: end for place, end in _offsets(admin, _places(admin, [topic]), END).items()}


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
    if not filled:
        return Counter()
    share = -(-number // len(filled))
    return asyncio.run(_reasons(settings, {place: max(first[place], end[place] - share) for place in filled}))


async def _reasons(settings: Settings, starts: Offsets) -> Counter[str]:
    reasons: Counter[str] = Counter()
    consumer = Consumer(settings, decode=False, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(list(starts))
        end = await consumer.end_offsets(list(starts))
        for place, offset in starts.items():
            consumer.seek(place, offset)
        async for messages in consumer.read_to(end):
            for message in messages:
                reason = dict(message.headers).get("reason") or b"none given"
                reasons[reason.decode(errors="replace")] += 1
        return reasons
    finally:
        await consumer.stop()
