"""Kafka as a test sees it: what it sends, what came out, how far a group is."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, MemberToRemove
from kafka.errors import GroupIdNotFoundError, KafkaError, TopicAlreadyExistsError

from stream.settings import Settings
from stream.wire.connection import blocking_connection
from tests.waiting import wait_for

__all__ = ["KafkaLog", "kafka_log"]

Event = dict[str, Any] | bytes
KEYS = {
    "clicks": "user_id",
    "songs": "song_id",
    "releases": "release_id",
    "audiences": "release_id",
    "cohort-changes": "user_id",
    "feedback": "user_id",
    "labels": "user_id",
    "merges": "user_id",
    "artist-aliases": "alias",
}


class KafkaLog:
    """A producer, a consumer and an admin client on the broker of some settings."""

    def __init__(self, settings: Settings) -> None:
        self._group = settings.group
        self._connection = blocking_connection(settings)
        self._admin = KafkaAdminClient(**self._connection)
        self._seen: dict[TopicPartition, list[Any]] = {}
        self._next: dict[TopicPartition, int] = {}
        self._consumer, self._producer = self._clients()

    def _clients(self) -> tuple[KafkaConsumer, KafkaProducer]:
        consumer = KafkaConsumer(**self._connection, enable_auto_commit=False)
        return consumer, KafkaProducer(**self._connection, linger_ms=5, max_request_size=2 * 1024 * 1024)

    def send(
        self, topic: str, events: Iterable[Event], partition: int | None = None
    ) -> list[tuple[int, int]]:
        """Send events under the key of the contract; return partitions and offsets once all are there."""
        sent = [self._send(topic, event, partition) for event in events]
        self._producer.flush()
        found = [future.get(timeout=30) for future in sent]
        return [(place.partition, place.offset) for place in found]

    def _send(self, topic: str, event: Event, partition: int | None) -> Any:
        if isinstance(event, bytes):
            return self._producer.send(topic, value=event, key=b"a key", partition=partition)
        key = event[KEYS[topic]].encode()
        return self._producer.send(topic, value=json.dumps(event).encode(), key=key, partition=partition)

    def records(self, topic: str) -> list[Any]:
        """All records of a topic, partition by partition; also those deleted since they were read."""
        places = self._places(topic)
        ends = self._consumer.end_offsets(places)
        # A test looks again and again: what was read before is not read once more.
        behind = [place for place in places if self._next.get(place, 0) < ends[place]]
        self._consumer.assign(behind)
        for place in behind:
            if place in self._next:
                self._consumer.seek(place, self._next[place])
            else:
                self._consumer.seek_to_beginning(place)
        while any(self._consumer.position(place) < ends[place] for place in behind):
            for place, records in self._consumer.poll(timeout_ms=200).items():
                self._seen.setdefault(place, []).extend(records)
        self._next.update({place: self._consumer.position(place) for place in behind})
        return [record for place in sorted(places) for record in self._seen.get(place, [])]

    def events(self, topic: str) -> list[Any]:
        """The JSON of all records of a topic."""
        return [json.loads(record.value) for record in self.records(topic)]

    def count(self, topic: str) -> int:
        """How many records were ever written to a topic."""
        return sum(self._consumer.end_offsets(self._places(topic)).values())

    def committed(self, process: str, topic: str) -> dict[int, int]:
        """How far the group of a process is, by partition."""
        try:
            found = self._admin.list_group_offsets(self._named(process))[self._named(process)]
        except KafkaError as error:
            if not error.retriable:
                raise
            return {}  # the broker is new
        return {
            place.partition: at.offset
            for place, at in found.items()
            if place.topic == topic and at.offset > 0
        }

    def caught_up(self, process: str, topic: str) -> bool:
        """Whether the group of a process has committed all that is in a topic."""
        ends = self._consumer.end_offsets(self._places(topic))
        committed = self.committed(process, topic)
        return all(committed.get(place.partition, 0) == end for place, end in ends.items())

    def wait_until_caught_up(self, process: str, topic: str) -> None:
        wait_for(lambda: self.caught_up(process, topic), f"{process} to have all of {topic}")

    def reset(self, process: str, topic: str) -> None:
        """Let the group of a process, which has no member, begin again."""
        places = self._places(topic)
        self._admin.reset_group_offsets(self._named(process), dict.fromkeys(places, 0))

    def members(self, process: str) -> list[str]:
        """The members of a process's group."""
        return [member["member_id"] for member in self._group_of(process).get("members", [])]

    def settled(self, process: str) -> bool:
        """Whether a process's group has members, and all of them know their partitions."""
        return self._group_of(process).get("group_state") == "Stable"

    def _group_of(self, process: str) -> dict[str, Any]:
        group = self._named(process)
        try:
            return self._admin.describe_groups([group])[group]
        except KafkaError as error:
            if not error.retriable and not isinstance(error, GroupIdNotFoundError):
                raise
            return {}

    def bury(self, process: str, alive: Callable[[str], bool] = lambda _: False) -> None:
        """Tell Kafka who of a process's group is dead; it finds out by itself only ten seconds later."""
        group = self._named(process)
        dead = [MemberToRemove(member_id=member) for member in self.members(process) if not alive(member)]
        if dead:
            self._admin.remove_group_members(group, dead)

    def make_anew(self, settings: Settings, topic: str, partitions: int) -> None:
        """Delete a topic and create it again."""
        self._admin.delete_topics([topic])
        for place in self._places(topic):
            self._seen.pop(place, None)
            self._next.pop(place, None)
        wait_for(lambda: topic not in self._admin.list_topics(), f"{topic} to be gone")
        wanted = {"num_partitions": partitions, "replication_factor": 1}
        with contextlib.suppress(TopicAlreadyExistsError):  # a process that begins just then was faster
            self._admin.create_topics({topic: wanted}, wait_for_metadata=True)

    def configure(self, topic: str, options: dict[str, str]) -> None:
        """Set options of a topic."""
        self._admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, options)])

    def add_partitions(self, topic: str, number: int) -> None:
        """Let a topic have so many partitions, and wait until clients see them."""
        self._admin.create_partitions({topic: number})
        # What these clients remember of the topic is asked again only after minutes.
        self._consumer.close()
        self._producer.close()
        self._consumer, self._producer = self._clients()
        wait_for(lambda: len(self._producer.partitions_for(topic)) == number, "the new partitions")

    def _places(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in self._consumer.partitions_for_topic(topic)]

    def _named(self, process: str) -> str:
        return f"{self._group}-{process}"

    def close(self) -> None:
        self._producer.close()
        self._consumer.close()
        self._admin.close()


@contextmanager
def kafka_log(settings: Settings) -> Iterator[KafkaLog]:
    log = KafkaLog(settings)
    try:
        yield log
    finally:
        log.close()
