"""What the doctor looks at in Kafka."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from aiokafka.errors import KafkaError
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError as AdminError

from consumers.doctor.check import Check
from consumers.doctor.deleted import check_unread
from consumers.doctor.deliveries import deliver_reads
from consumers.doctor.processes import STILL_STARTING, Alive
from stream.errors import Unreachable
from stream.settings import Settings
from stream.stores.history import AFTER_LOADS
from stream.wire.groups import GROUPS, Group
from stream.wire.lag import behind, deleted_unread, held, last_reasons
from stream.wire.schema_registry import registry_of
from stream.wire.topics import TOPICS, TopicState, describe_topics, open_admin

__all__ = ["check_kafka", "check_topic"]

MANY = 100_000  # events: a process that lives and is so far behind needs help
LETTERS = 500


def check_kafka(settings: Settings, alive: Alive | None) -> list[Check]:
    """Look at the broker, the schema registry, the topics, the lag, the dead letters.

    Parameters
    ----------
    alive
        Which processes live; None where Redis does not say.
    """

    def look(admin: KafkaAdminClient) -> Iterator[Check]:
        topics = describe_topics(admin, settings)
        yield _broker(settings, admin)
        yield from _registry(settings)
        yield from _topics(topics, alive)
        groups = [group for group in GROUPS.values() if group.process != "deliver"] + deliver_reads(settings)
        present = [group for group in groups if all(topics.get(name) for name in group.topics)]
        yield from _events(settings, admin, present, alive, dead=topics["dead-letters"] is not None)

    return _answered(settings, look)


def check_topic(settings: Settings, topic: str, alive: Alive | None) -> list[Check]:
    """Look at those who read every event of a topic: the lag, and the dead letters.

    Parameters
    ----------
    topic
        It is there, as are the topics that its readers read, too.
    alive
        Which processes live; None where Redis does not say.
    """
    readers = [
        group
        for group in GROUPS.values()
        if topic in group.topics and group.every_event and group.process != "deliver"
    ]
    return _answered(settings, lambda admin: _events(settings, admin, readers, alive))


def _answered(settings: Settings, look: Callable[[KafkaAdminClient], Iterable[Check]]) -> list[Check]:
    try:
        with open_admin(settings) as admin:
            return list(look(admin))
    except (KafkaError, AdminError) as error:
        return [Check.wrong("broker", f"{settings.kafka}: {error}", "look into the broker's log")]
    except Unreachable as error:
        return [Check.wrong("broker", str(error), error.hint)]


def _broker(settings: Settings, admin: KafkaAdminClient) -> Check:
    brokers = admin.describe_cluster()["brokers"]
    return Check.fine("broker", f"{len(brokers)} at {settings.kafka}")


def _registry(settings: Settings) -> Iterator[Check]:
    registry = registry_of(settings)
    if registry is None:
        return
    if fault := registry.fault():
        yield Check.wrong(
            "schema registry",
            f"{settings.schema_registry_url} gives no schema ({fault}): events in Avro or Protobuf wait",
            "start it, or set REFRAIN_SCHEMA_REGISTRY_URL, _USERNAME, _PASSWORD and _CA_FILE as it asks",
        )
    else:
        yield Check.fine("schema registry", f"{settings.schema_registry_url} answers")


def _topics(topics: Mapping[str, TopicState | None], alive: Alive | None) -> Iterator[Check]:
    missing = [name for name, state in topics.items() if state is None]
    different = {name: state.differences for name, state in topics.items() if state and state.differences}
    if missing:
        start = "restart one" if alive and (alive.at_work or alive.starting) else "start one"
        yield Check.wrong(
            "topics",
            f"{', '.join(missing)} not there",
            f"{start}, `refrain ingest` for example: each process creates what is missing when it starts",
        )
    if different:
        alike: dict[str, list[str]] = {}
        for name, differences in different.items():
            alike.setdefault(", ".join(differences), []).append(name)
        listed = "; ".join(f"{', '.join(names)}: {differences}" for differences, names in alike.items())
        yield Check.warning(
            "topics",
            f"not as the settings say: {listed}",
            "Refrain alters no topic that is there: set REFRAIN_PARTITIONS, REFRAIN_REPLICATION and "
            "REFRAIN_RETENTION_DAYS to what it has, or alter it with Kafka's own tools",
        )
    if not missing and not different:
        partitions = sorted({state.partitions for state in topics.values() if state})
        yield Check.fine(
            "topics", f"all {len(TOPICS)}, with {partitions[0]} partitions each, as the settings say"
        )


def _events(
    settings: Settings,
    admin: KafkaAdminClient,
    readers: Sequence[Group],
    alive: Alive | None,
    *,
    dead: bool = True,
) -> Iterator[Check]:
    names = {group: group.full_name(settings) for group in readers}
    lags = behind(settings, admin, {name: group.topics for group, name in names.items()})
    for group, name in names.items():
        yield _lag(group, lags[name], alive)
    reads_all = {name: group.topics for group, name in names.items() if group.every_event}
    yield from check_unread(deleted_unread(admin, reads_all))
    if dead:
        yield _dead(settings, held(admin, "dead-letters"), last_reasons(settings, admin, LETTERS))


def _lag(group: Group, lag: int, alive: Alive | None) -> Check:
    name, topics = f"lag of {group.name}", ", ".join(group.topics)
    if not lag:
        return Check.fine(name, f"up to date with {topics}")
    found = f"{lag:,} events of {topics} behind"
    if alive is not None and not alive.at_work[group.process]:
        if group.process in alive.starting:
            still = f"{found}, and `refrain {group.process}` is still starting"
            return Check.warning(name, still, STILL_STARTING)
        if alive.load and group.process in AFTER_LOADS:
            waits = f"{found}, and `refrain {group.process}` waits for a load of history"
            return Check.warning(name, waits, f"see `{group.process}`")
        return Check.wrong(name, f"{found}, and none runs", f"start `refrain {group.process}`")
    if lag > MANY and group.every_event:
        return Check.warning(
            name, found, f"look again in a minute; where it grows, start another `refrain {group.process}`"
        )
    return Check.fine(name, found)


def _dead(settings: Settings, number: int, reasons: Mapping[str, int]) -> Check:
    if not number:
        return Check.fine("dead letters", "none")
    most = sorted(reasons.items(), key=lambda entry: -entry[1])
    listed = ", ".join(f"{count:,} {reason}" for reason, count in most)
    looked_at = sum(reasons.values())
    return Check.warning(
        "dead letters",
        f"{number:,} within {settings.retention_days:g} days; of the last {looked_at:,}: {listed}",
        "put the producers right (docs/contract.md says what each reason means), then run `refrain redrive`; "
        "after Redis was restored from a backup only as docs/runbooks.md says, as some of these events were "
        "read again",
    )
