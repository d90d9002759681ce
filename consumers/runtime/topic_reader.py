"""Reads a topic of few events in a group: each is taken, dead letters go out, then offsets are committed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from structlog.contextvars import bound_contextvars

from consumers.runtime.process import AGAIN, end
from consumers.runtime.reader_lag import ReaderLag, in_hand
from stream.retry import Retry, Stopped
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import DeadLetter
from stream.wire.groups import GROUPS
from stream.wire.record import Record
from stream.wire.schema_registry import Fetched
from stream.wire.sender import Sender, dead_letter
from stream.wire.topic_watch import TopicWatch

__all__ = ["TopicReader"]

logger = logging.getLogger(__name__)

WAIT_MS = 500  # for an event to come, before it is asked whether the process is to end

GIVE_UP_SECONDS = 4.0
"""For so long a rebalance waits for what is in hand. With the three seconds until a member hears of it, that
is within the ten after which Kafka gives its partitions to others without asking."""


class TopicReader(ConsumerRebalanceListener, ABC):  # type: ignore[misc]
    """Takes the events of a topic until the process is to end. An event may be delivered twice.

    A later event takes the place of an earlier one, so that nobody may write the earlier any more when the
    partition has another owner. Before partitions are handed over, what is in hand is waited for; where that
    takes too long, as while Redis is away, it is given up and not committed: whoever has the partition then
    reads it again.

    Parameters
    ----------
    consumer
        Of `TopicReader.consumer`. It is subscribed here, so it had better not be started yet.

    Attributes
    ----------
    topic
        What is read.
    name
        What the group's name ends with, and what counts the events in the heartbeat.
    together
        Events taken at once, at most.
    """

    topic: ClassVar[str]
    name: ClassVar[str]
    together: ClassVar[int]

    def __init__(
        self, consumer: Consumer, producer: Sender, heartbeat: Heartbeat, retry: Retry, stop: asyncio.Event
    ) -> None:
        self._consumer = consumer
        self._producer = producer
        self._heartbeat = heartbeat
        self._retry = retry
        self._stop = stop
        self._lag = ReaderLag(heartbeat, self.topic)
        self._in_hand: Collection[asyncio.Task[None]] = ()
        consumer.subscribe([self.topic], listener=self)

    @classmethod
    def consumer(cls, settings: Settings, watch: TopicWatch) -> Consumer:
        """Return the consumer of the topic; several share its partitions, and each key is in one's hand."""
        return Consumer(
            settings,
            watch=watch,
            group_id=GROUPS[cls.name].full_name(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    async def run(self) -> None:
        """Read for as long as the process runs."""
        with bound_contextvars(topic=self.topic), contextlib.suppress(Stopped):
            try:
                while not self._stop.is_set():
                    fetched = await self._consumer.fetch(timeout_ms=WAIT_MS, max_records=self.together)
                    # Before anything is waited for: what was fetched is of the partitions that are ours now.
                    taking = asyncio.create_task(self._take_fetched(fetched))
                    self._in_hand = [taking]
                    await asyncio.wait(self._in_hand)
                    if not taking.cancelled():  # else it was given up
                        taking.result()
            finally:
                await end(self._in_hand)

    async def _take_fetched(self, fetched: Fetched) -> None:
        await self._lag.fetched(self._consumer, fetched)
        if fetched:
            fetched = await self._consumer.decoded(fetched)
            await self._take([Record.of(each) for each in itertools.chain.from_iterable(fetched.values())])
            self._lag.done(in_hand(fetched))

    @abstractmethod
    async def _apply(self, records: Sequence[Record]) -> list[DeadLetter]:
        """Let Redis have what events say; return those that cannot be used."""

    async def _take(self, records: Sequence[Record]) -> None:
        dead = await self._apply(records)
        await self._retry("emitting dead letters", self._producer.deliver, list(map(dead_letter, dead)))
        await self._retry("committing offsets", self._commit)
        self._heartbeat.add(self.name, len(records) - len(dead))
        for letter in dead:
            self._heartbeat.add(f"dead:{letter.reason.value}")

    async def _commit(self) -> None:
        try:
            await self._consumer.commit()
        except (CommitFailedError, IllegalStateError):
            logger.info("offsets are not ours to commit any more: the partitions have another owner")

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for what is in hand, or give it up: from now on the partitions may be another's."""
        if self._in_hand:
            _, left = await asyncio.wait(self._in_hand, timeout=GIVE_UP_SECONDS)
            if left:
                await end(left, AGAIN)
                logger.warning("what was in hand is given up: whoever has its partition now reads it again")
        self._lag.forget()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Say what is ours now."""
        logger.info("reading %d partitions of %s", len(assigned), self.topic)
