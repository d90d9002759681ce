"""Places in a topic that are there no more: nobody is to lose an event without being told.

A reader whose place is before the first event that is left goes on from there; aiokafka says no word of it.
Nor does it where the place is behind the last: then the topic was recreated, or a broker lost its end.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer import subscription_state
from aiokafka.consumer.fetcher import OffsetResetStrategy
from aiokafka.consumer.subscription_state import TopicPartitionState

__all__ = ["deleted_unread_told", "shorter_told"]

logger = logging.getLogger(__name__)

Told = Callable[[TopicPartition, int], object]

Shorter = Callable[[TopicPartitionState], object]

_told: list[tuple[Collection[str], Told, dict[TopicPartition, int]]] = []
_shorter: list[tuple[Collection[str], Shorter]] = []


@contextmanager
def deleted_unread_told(topics: Collection[str], told: Told) -> Iterator[None]:
    """Tell of every partition of some topics how many messages were deleted before they were read.

    Each is told once: who loses a partition before it has committed, and gets it back, finds them gone again.

    Parameters
    ----------
    told
        Is given the partition and the number; may be called in any thread.
    """
    entry = (topics, told, dict[TopicPartition, int]())
    _told.append(entry)
    try:
        yield
    finally:
        _told.remove(entry)


@contextmanager
def shorter_told(topics: Collection[str], told: Shorter) -> Iterator[None]:
    """Tell of every partition of some topics that is found shorter than it was read, before it is read again.

    Parameters
    ----------
    told
        Is given the reader's state of the partition, which it may pause; may be called in any thread.
    """
    entry = (topics, told)
    _shorter.append(entry)
    try:
        yield
    finally:
        _shorter.remove(entry)


class _State(TopicPartitionState):  # type: ignore[misc]
    """Where a reader is in a partition; remembers where it was while it looks for a place that is there."""

    def __init__(self, assignment: Any) -> None:
        super().__init__(assignment)
        self._assignment = assignment
        self._before: int | None = None

    def await_reset(self, strategy: int) -> None:
        if self._position is not None:
            self._before = self._position
        super().await_reset(strategy)

    def seek(self, position: int) -> None:
        self._before = None
        super().seek(position)

    def reset_to(self, position: int) -> None:
        before, self._before = self._before, None
        # Who goes on from the end passes over what was not read, and means to.
        earliest = self._reset_strategy == OffsetResetStrategy.EARLIEST
        super().reset_to(position)
        if before is None or before == position or not earliest:
            return
        for place in self._assignment.tps:
            if self._assignment.state_value(place) is self:
                _tell(place, before, position)
                if position < before:
                    for topics, told in list(_shorter):
                        if place.topic in topics:
                            told(self)


def _tell(place: TopicPartition, before: int, position: int) -> None:
    if position < before:
        logger.warning(
            "%s, partition %d, ends before offset %d, where reading was: the topic was recreated, or a "
            "broker lost the end of it; reading goes on from offset %d",
            place.topic,
            place.partition,
            before,
            position,
        )
        for _, _, ends in list(_told):
            ends.pop(place, None)
        return
    logger.warning(
        "%d messages of %s, partition %d, were deleted before they were read (offsets %d to %d): "
        "reading goes on from the earliest that is left",
        position - before,
        place.topic,
        place.partition,
        before,
        position - 1,
    )
    for topics, told, ends in list(_told):
        if place.topic in topics and (number := position - max(before, ends.get(place, 0))) > 0:
            ends[place] = position
            told(place, number)


# aiokafka has no way to hand it in, and its consumer within Faust is made by Faust.
subscription_state.TopicPartitionState = _State
