"""How far a reader is behind the end of its topic, in events and in time, as its heartbeat says it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from stream.metrics import LAG, WAITING_SINCE
from stream.stores.heartbeats import Heartbeat
from stream.wire.consumer import Consumer, behind_of
from stream.wire.schema_registry import Fetched

__all__ = ["InHand", "ReaderLag", "in_hand"]

InHand = Mapping[TopicPartition, tuple[int, float]]
"""Partition -> how many events, and when Kafka had the last of them, in Unix seconds (0: not known)."""


@dataclass
class _Place:
    """A partition.

    Attributes
    ----------
    since
        Nothing that waits came before, in Unix seconds.
    left
        Events behind those that were fetched.
    in_hand
        Events that were fetched and are not done with.
    """

    since: float
    left: int = 0
    in_hand: int = 0


class ReaderLag:
    """Notes what a reader has fetched, and what of that is done.

    An event waits from its timestamp in Kafka on, until it is done with. How old those are that were not
    fetched yet nobody knows; none is older than the last that is done, or than the moment at which there were
    none. Where a topic has ended with the marker of a transaction, nothing waits: what counts is how far the
    consumer is, not the last event's offset.

    Attributes
    ----------
    left
        How many events wait in Kafka, beside those in hand.
    """

    def __init__(self, heartbeat: Heartbeat, topic: str, clock: Callable[[], float] = time.time) -> None:
        self._gauges = heartbeat.gauges
        self._topic = topic
        self._clock = clock
        self._places: dict[TopicPartition, _Place] = {}
        self._show()

    @property
    def left(self) -> int:
        return sum(place.left for place in self._places.values())

    async def fetched(self, consumer: AIOKafkaConsumer, found: Fetched) -> None:
        """Note what was fetched just now, and what is left behind it.

        Before it is decoded: what waits for a Schema Registry that is away waits.
        """
        now = self._clock()
        # Before anything is waited for: what is delivered in the background may be done with by then.
        for at, records in found.items():
            if records:
                place = self._places.setdefault(at, _Place(_published(records[0], now)))
                place.in_hand += len(records)
        left = await behind_of(consumer)
        self._places = {at: place for at, place in self._places.items() if at in left}
        for at, (_, number) in left.items():
            place = self._places.setdefault(at, _Place(now))
            place.left = number
            if not (place.left or place.in_hand):
                place.since = now
        self._show()

    async def read(self, consumer: Consumer, *, timeout_ms: int, max_records: int) -> Fetched:
        """Fetch, note what was fetched, and return it decoded."""
        found = await consumer.fetch(timeout_ms=timeout_ms, max_records=max_records)
        await self.fetched(consumer, found)
        return await consumer.decoded(found)

    def done(self, events: InHand) -> None:
        """Note that what was fetched is done with."""
        now = self._clock()
        for at, (number, published) in events.items():
            if place := self._places.get(at):
                place.in_hand = max(place.in_hand - number, 0)
                waits = place.left or place.in_hand
                place.since = max(place.since, published) if waits else now
        self._show()

    def forget(self) -> None:
        """Begin again: others may read these partitions from now on."""
        self._places.clear()
        self._show()

    def _show(self) -> None:
        waiting = [place for place in self._places.values() if place.left or place.in_hand]
        self._gauges[LAG + self._topic] = sum(place.left + place.in_hand for place in waiting)
        self._gauges[WAITING_SINCE + self._topic] = min((place.since for place in waiting), default=0.0)


def in_hand(found: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> InHand:
    """Return of what was fetched all that is needed once it is done with."""
    return {at: (len(records), _published(records[-1], 0.0)) for at, records in found.items() if records}


def _published(record: ConsumerRecord[bytes | None, bytes | None], otherwise: float) -> float:
    """Return when Kafka had it, in Unix seconds; a batch that cannot be decoded does not say so."""
    return record.timestamp / 1000 if record.timestamp > 0 else otherwise
