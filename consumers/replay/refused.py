"""How many events of a replay became dead letters, as far as they have been read."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError as AdminError

from stream.settings import Settings
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import said_in
from stream.wire.groups import GROUPS
from stream.wire.topics import describe_topics, open_admin

__all__ = ["Refused", "Sent", "find_refused"]

PATIENCE = 3.0  # seconds without another event read
PAUSE = 0.2  # seconds
CLOCK_SLACK = 60.0  # seconds by which our clock and the broker's may differ

Letter = tuple[int, int, str]
"""Of an event that became a dead letter: partition, offset, and the reason."""


@dataclass(frozen=True)
class Sent:
    """Where the events are that a run has sent.

    Attributes
    ----------
    topic
        Where they went.
    starts, ends
        Partition -> the offset before the first of them, and behind the last.
    since
        Unix seconds before the first was sent.
    """

    topic: str
    starts: Mapping[int, int]
    ends: Mapping[int, int]
    since: float


@dataclass(frozen=True)
class Refused:
    """What is known of the events that have been read.

    Attributes
    ----------
    read
        Events that the processes have read and finished with.
    reasons
        Of those of them that became dead letters.
    """

    read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def all_of_them(self) -> bool:
        """Whether no event that was read could be used."""
        return 0 < self.read <= self.reasons.total()


def find_refused(settings: Settings, sent: Sent) -> Refused:
    """Look what became of events that were sent.

    Returns as soon as one of them could be used, all have been read, or for three seconds no further one is;
    at once where no process runs that reads them, or Kafka does not say it.
    """
    reader = next(group for group in GROUPS.values() if sent.topic in group.topics and group.every_event)
    group = reader.full_name(settings)
    try:
        with open_admin(settings) as admin:
            if not admin.describe_groups([group])[group]["members"]:
                return Refused()
            return asyncio.run(_watch(settings, admin, group, sent))
    except (KafkaError, AdminError):
        # The group is not there yet, or not ours to look at: what was sent is in Kafka all the same.
        return Refused()


async def _watch(settings: Settings, admin: KafkaAdminClient, group: str, sent: Sent) -> Refused:
    letters: list[Letter] = []
    whole = sum(sent.ends[number] - start for number, start in sent.starts.items() if number in sent.ends)
    found, moved_at = Refused(), time.monotonic()
    async with _dead_letters(settings, admin, sent) as consumer:
        while True:
            committed = _committed(admin, group, sent)
            letters += await _more(consumer, sent)
            before, found = found, _so_far(sent, committed, letters)
            if found.read == whole or found.read > found.reasons.total():
                return found
            if found.read > before.read:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > PATIENCE:
                return found
            await asyncio.sleep(PAUSE)


def _committed(admin: KafkaAdminClient, group: str, sent: Sent) -> dict[int, int]:
    """Return for each partition how far the group has finished with the events that were sent."""
    offsets = admin.list_group_offsets({group: None})[group]
    at = {place.partition: found.offset for place, found in offsets.items() if place.topic == sent.topic}
    return {
        number: min(max(at.get(number, 0), start), sent.ends.get(number, start))
        for number, start in sent.starts.items()
    }


def _so_far(sent: Sent, committed: Mapping[int, int], letters: list[Letter]) -> Refused:
    read = sum(committed[number] - start for number, start in sent.starts.items())
    ours = {
        (number, offset): reason
        for number, offset, reason in letters  # one may come twice
        if sent.starts.get(number, offset + 1) <= offset < committed.get(number, 0)
    }
    return Refused(read, Counter(ours.values()))


@asynccontextmanager
async def _dead_letters(settings: Settings, admin: KafkaAdminClient, sent: Sent) -> AsyncIterator[Consumer]:
    """Open a consumer of the dead letters since the first event was sent."""
    topic = describe_topics(admin, settings)["dead-letters"]
    places = [TopicPartition("dead-letters", number) for number in range(topic.partitions if topic else 0)]
    consumer = Consumer(settings, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(places)
        since = int((sent.since - CLOCK_SLACK) * 1000)
        starts = await consumer.offsets_for_times(dict.fromkeys(places, since))
        ends = await consumer.end_offsets(places)
        for place in places:
            start = starts[place]
            consumer.seek(place, ends[place] if start is None else start.offset)
        yield consumer
    finally:
        await consumer.stop()


async def _more(consumer: Consumer, sent: Sent) -> list[Letter]:
    """Return the letters that have come to the topic, of the kind that was sent."""
    letters: list[Letter] = []
    async for messages in consumer.read_to(await consumer.end_offsets(list(consumer.assignment()))):
        for message in messages:
            said = said_in(message.headers)
            if said and said.topic == sent.topic:
                letters.append((said.partition, said.offset, said.reason))
    return letters
