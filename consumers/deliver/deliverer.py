"""Reads a topic in a group; what is delivered is committed, in the order of each partition."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeAlias

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from aiokafka.structs import OffsetAndMetadata
from structlog.contextvars import bind_contextvars

from consumers.runtime.process import end
from consumers.runtime.reader_lag import ReaderLag, in_hand
from stream.retry import Retry, Stopped
from stream.stores.heartbeats import Heartbeat
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import DeadLetter
from stream.wire.record import Record
from stream.wire.sender import Sender, dead_letter

__all__ = ["Deliver", "Deliverer"]

logger = logging.getLogger(__name__)

WAIT_MS = 500  # for an event to come, before it is asked whether the process is to end
AT_ONCE = 1_000  # events fetched at once
DELIVERED = "delivered:"
"""Begins the name of a counter in the heartbeat: behind it the name of a reader, which delivered so much."""

Deliver: TypeAlias = "Callable[[Sequence[Record], asyncio.Event], Awaitable[Sequence[DeadLetter]]]"
"""Delivers events, and returns those that cannot be; raises `Stopped` where the event was set before that."""


class Deliverer(ConsumerRebalanceListener):  # type: ignore[misc]
    """Delivers events of a topic, one partition beside the other, each in its order.

    All of a release is in one partition, so its pages are delivered in their order. A partition of which
    events are in hand is paused: however long its endpoint is away, this process stays in the group. Before a
    partition goes to another process, what is being posted is waited for, and no more is begun; the group is
    to allow for as long as that takes.

    Parameters
    ----------
    consumer
        Started, and subscribed to nothing: `run` does that. It decodes nothing, as Refrain wrote the topic.
    name
        What its group's name ends with; it stands in the heartbeat, too.
    together
        Events that are delivered at once, at most.
    """

    def __init__(
        self,
        consumer: Consumer,
        topic: str,
        name: str,
        deliver: Deliver,
        together: int,
        producer: Sender,
        heartbeat: Heartbeat,
        retry: Retry,
        stop: asyncio.Event,
    ) -> None:
        self._consumer = consumer
        self._topic = topic
        self._name = name
        self._deliver = deliver
        self._together = together
        self._producer = producer
        self._heartbeat = heartbeat
        self._retry = retry
        self._stop = stop
        self._lag = ReaderLag(heartbeat, f"{topic} ({name})")
        self._in_hand: dict[TopicPartition, asyncio.Task[None]] = {}
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """Read for as long as the process runs."""
        bind_contextvars(topic=self._topic)
        self._consumer.subscribe([self._topic], listener=self)
        try:
            while not self._stop.is_set():
                fetched = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=AT_ONCE)
                self._raise_failures()
                # Before anything is waited for: what was fetched is of the partitions that are ours now.
                for place, messages in fetched.items():
                    self._consumer.pause(place)
                    self._in_hand[place] = asyncio.create_task(self._take(place, messages, self._ending))
                await self._lag.fetched(self._consumer, fetched)
        finally:
            await self._end()

    def _raise_failures(self) -> None:
        for place in [place for place, task in self._in_hand.items() if task.done()]:
            self._in_hand.pop(place).result()

    async def _end(self) -> None:
        """Let what is under way be finished, and begin no more."""
        self._ending.set()
        try:
            await asyncio.gather(*self._in_hand.values(), return_exceptions=True)
        finally:
            await end(self._in_hand.values())

    async def _take(
        self, place: TopicPartition, messages: Sequence[ConsumerRecord], ending: asyncio.Event
    ) -> None:
        try:
            for first in range(0, len(messages), self._together):
                await self._take_some(place, messages[first : first + self._together], ending)
        except Stopped:
            return  # what is left is read again, by whoever has the partition then
        if not ending.is_set():
            self._consumer.resume(place)

    async def _take_some(
        self, place: TopicPartition, messages: Sequence[ConsumerRecord], ending: asyncio.Event
    ) -> None:
        records = list(map(Record.of, messages))
        dead = await self._deliver(records, ending)
        await self._retry("emitting dead letters", self._producer.deliver, list(map(dead_letter, dead)))
        await self._retry("committing offsets", self._commit, place, messages[-1].offset + 1)
        self._heartbeat.add(f"{DELIVERED}{self._name}", len(records) - len(dead))
        for letter in dead:
            self._heartbeat.add(f"dead:{letter.reason.value}")
            logger.warning(
                "offset %d of partition %d is a dead letter: %s",
                letter.record.offset,
                letter.record.partition,
                letter.detail,
            )
        self._lag.done(in_hand({place: messages}))

    async def _commit(self, place: TopicPartition, offset: int) -> None:
        try:
            await self._consumer.commit({place: OffsetAndMetadata(offset, "")})
        except (CommitFailedError, IllegalStateError):
            logger.info("offsets are not ours to commit any more: the partition has another owner")

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for what is under way; what is fetched beyond is the next owner's."""
        self._ending.set()
        await asyncio.gather(*self._in_hand.values(), return_exceptions=True)
        self._ending = asyncio.Event()
        self._lag.forget()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Say what is ours now."""
        logger.info("delivering %d partitions of %s", len(assigned), self._topic)
