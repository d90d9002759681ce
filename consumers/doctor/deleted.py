"""What the doctor says of events that Kafka deleted before they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from aiokafka import TopicPartition

from consumers.doctor.check import Check
from stream.metrics import DELETED

__all__ = ["check_deleted", "check_unread"]

HINT = (
    "Kafka keeps events for less long than reading was behind: keep readers running, raise the topic's "
    "retention, and send what is missing again from its source"
)


def check_deleted(states: Mapping[str, Mapping[str, str]]) -> Iterator[Check]:
    """Say what was deleted before the processes that run had read it; nothing where nothing was.

    Parameters
    ----------
    states
        The processes that live (`stream.stores.heartbeats.heartbeats`).
    """
    lost: Counter[str] = Counter()
    for state in states.values():
        for name, number in state.items():
            if name.startswith(DELETED):
                lost[name.removeprefix(DELETED)] += int(number)
    if lost:
        said = f"{_listed(lost)}, since the processes that run now were started"
        yield Check.warning("deleted unread", said, HINT)


def check_unread(lost: Mapping[TopicPartition, int]) -> Iterator[Check]:
    """Say what was deleted that no reader can get any more; once readers have gone on, they say it."""
    if lost:
        by_place = {f"{place.topic}:{place.partition}": number for place, number in lost.items()}
        yield Check.warning("deleted before it is read", _listed(by_place), HINT)


def _listed(lost: Mapping[str, int]) -> str:
    numbers = ", ".join(f"{number:,} of {place}" for place, number in sorted(lost.items()))
    return f"{numbers} (topic:partition)"
