"""Empty topics on the broker of the tests, and what Kafka says of them."""

from __future__ import annotations

from collections.abc import Collection

from kafka import TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, OffsetSpec

from stream.settings import Settings
from stream.wire.topic_watch import TopicShape, topic_shapes
from stream.wire.topics import TOPICS, create_missing, open_admin
from tests.waiting import wait_for

__all__ = ["make_topics_anew", "shapes_of"]


def make_topics_anew(settings: Settings) -> None:
    """Let there be the topics of the contract alone, each as new: nothing was ever written to it."""
    with open_admin(settings) as admin:
        names = {name for name in admin.list_topics() if not name.startswith("__")}
        # To make one costs the broker as much as many a test.
        if old := [*names - _as_new(admin, names, settings)]:
            admin.delete_topics(old)
            # The broker that is asked may hear of it a moment after the controller has done it.
            wait_for(lambda: not {*old}.intersection(admin.list_topics()), "the end of the old topics")
        create_missing(admin, settings)


def _as_new(admin: KafkaAdminClient, names: set[str], settings: Settings) -> set[str]:
    """Which of these topics are as `create_missing` makes them, and were never written to."""
    wanted = {topic.name: topic.config(settings) for topic in TOPICS if topic.name in names}
    if not wanted:
        return set()
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted]
    configs = admin.describe_configs(resources, config_filter="modified")["topic"]
    partitions = {entry["name"]: len(entry["partitions"]) for entry in admin.describe_topics([*wanted])}
    right = [
        name
        for name, config in wanted.items()
        if partitions.get(name) == settings.partitions
        and {key: entry["value"] for key, entry in configs[name].items()} == config
    ]
    places = [TopicPartition(name, number) for name in right for number in range(settings.partitions)]
    ends = admin.list_partition_offsets(dict.fromkeys(places, OffsetSpec.LATEST)) if places else {}
    return set(right) - {place.topic for place, end in ends.items() if end.offset > 0}


def shapes_of(settings: Settings, topics: Collection[str]) -> dict[str, TopicShape]:
    with open_admin(settings) as admin:
        return topic_shapes(admin, topics)
