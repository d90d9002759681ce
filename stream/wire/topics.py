"""The topics of the contract: what each is for, how it is made, whether it is as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from stream.errors import Unreachable
from stream.retry import report
from stream.settings import Settings
from stream.wire.admin_client import AdminClient
from stream.wire.connection import blocking_connection
from stream.wire.dead_letter import MAX_DEAD_LETTER
from stream.wire.diagnosis import knock, why_no_answer

__all__ = [
    "TOPICS",
    "Topic",
    "TopicState",
    "cluster_id",
    "create_missing",
    "create_topics",
    "describe_topics",
    "open_admin",
]

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Topic:
    """A topic that Refrain reads or writes."""

    name: str
    compacted: bool = False
    largest: int | None = None

    def config(self, settings: Settings) -> dict[str, str]:
        """The topic's configuration in Kafka's words."""
        config = (
            {"cleanup.policy": "compact"}
            if self.compacted
            else {"cleanup.policy": "delete", "retention.ms": str(int(settings.retention_days * DAY_MS))}
        )
        if self.largest:
            config["max.message.bytes"] = str(self.largest)
        return config


TOPICS = (
    Topic("clicks"),
    Topic("songs", compacted=True),
    Topic("artist-aliases", compacted=True),
    Topic("releases"),
    Topic("audiences"),
    Topic("feedback"),
    Topic("labels"),
    Topic("merges"),
    Topic("cohort-changes"),
    Topic("stage-changes"),
    Topic("dead-letters", largest=MAX_DEAD_LETTER),
)


@dataclass(frozen=True)
class TopicState:
    """A topic as the broker has it."""

    topic: Topic
    partitions: int
    topic_id: str
    differences: tuple[str, ...]


@contextmanager
def open_admin(settings: Settings, patience: float = 30.0) -> Iterator[KafkaAdminClient]:
    """Connect kafka-python's admin client, for as long as the block lasts.

    Parameters
    ----------
    patience
        Seconds without an answer after which a request fails.

    Raises
    ------
    Unreachable
        Where no broker answers within two seconds; `stream.connect.open_kafka` has more patience.
    """
    knock(settings)
    try:
        admin = AdminClient(
            **blocking_connection(settings),
            client_id="refrain-admin",
            bootstrap_timeout_ms=2000,
            request_timeout_ms=int(patience * 1000),
        )
    except KafkaError as error:
        report(error, f"asking Kafka at {settings.kafka}")
        found, hint = why_no_answer(settings)
        raise Unreachable(
            f"no Kafka broker answers at {settings.kafka} ({found or error})", hint=hint
        ) from error
    try:
        yield admin
    finally:
        admin.close()


def cluster_id(admin: KafkaAdminClient) -> str:
    """Return the id that Kafka's cluster has given itself."""
    return str(admin.describe_cluster()["cluster_id"])


def create_topics(settings: Settings) -> list[str]:
    """Connect, and create the topics that are missing; see `create_missing`.

    Raises
    ------
    Unreachable
        Where no broker answers.
    """
    with open_admin(settings) as admin:
        return create_missing(admin, settings)


def create_missing(admin: KafkaAdminClient, settings: Settings) -> list[str]:
    """Create the topics that are missing; one that is there is left as it is.

    Returns
    -------
    The names of those created.
    """
    present = set(admin.list_topics())
    missing = {
        topic.name: {
            "num_partitions": settings.partitions,
            "replication_factor": settings.replication,
            "configs": topic.config(settings),
        }
        for topic in TOPICS
        if topic.name not in present
    }
    created = []
    for name, wanted in missing.items():
        try:
            admin.create_topics({name: wanted}, wait_for_metadata=True)
            created.append(name)
        except TopicAlreadyExistsError:
            continue  # another process of ours was faster
    return created


def describe_topics(admin: KafkaAdminClient, settings: Settings) -> dict[str, TopicState | None]:
    """Say of each topic how the broker has it; None where it is missing."""
    present = set(admin.list_topics())
    names = [topic.name for topic in TOPICS if topic.name in present]
    described = {entry["name"]: entry for entry in admin.describe_topics(names)} if names else {}
    configs = _configs(admin, names)
    return {
        topic.name: _state(topic, described[topic.name], configs[topic.name], settings)
        if topic.name in described
        else None
        for topic in TOPICS
    }


def _configs(admin: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found = admin.describe_configs(resources, config_filter="all")["topic"]
    return {name: {key: entry["value"] for key, entry in found[name].items()} for name in names}


def _state(
    topic: Topic, described: Mapping[str, Any], config: dict[str, str], settings: Settings
) -> TopicState:
    partitions = described["partitions"]
    count = len(partitions)
    differences = [
        f"{key} is {config.get(key)}, not {wanted}"
        for key, wanted in topic.config(settings).items()
        if config.get(key) != wanted
    ]
    # More than asked for is nothing to mend.
    replicas = min((len(partition["replica_nodes"]) for partition in partitions), default=0)
    if replicas < settings.replication:
        differences.insert(0, f"replication factor {replicas}, not {settings.replication}")
    if count != settings.partitions:
        differences.insert(0, f"{count} partitions, not {settings.partitions}")
    return TopicState(topic, count, str(described.get("topic_id", "")), tuple(differences))
