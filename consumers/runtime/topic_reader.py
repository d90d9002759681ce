"""Reads a topic of few events in a group: each is taken, dead letters go out, then offsets are committed."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from aiokafka.errors import CommitFailedError, IllegalStateError
from structlog.contextvars import bound_contextvars

from consumers.runtime.reader_lag import ReaderLag
from stream.retry import Retry, Stopped
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.wire.consumer import Consumer
from stream.wire.events import DeadLetter, Record
from stream.wire.sender import Sender, dead_letter
from stream.wire.topic_watch import TopicWatch

__all__ = ["TopicReader"]

logger = logging.getLogger(__name__)

WAIT_MS = 500  # for an event to come, before it is asked whether the process is to end


class TopicReader(ABC):
    """Takes the events of a topic until the process is to end. An event may be delivered twice.

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

    @classmethod
    def consumer(cls, settings: Settings, watch: TopicWatch) -> Consumer:
        """Return the consumer of the topic; several share its partitions, and each key is in one's hand."""
        return Consumer(
            settings,
            cls.topic,
            watch=watch,
            group_id=f"{settings.group}-{cls.name}",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    async def run(self) -> None:
        """Read for as long as the process runs."""
        with bound_contextvars(topic=self.topic), contextlib.suppress(Stopped):
            while not self._stop.is_set():
                fetched = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=self.together)
                await self._lag.fetched(self._consumer, fetched)
                if fetched:
                    await self._take(
                        [Record(m.topic, m.partition, m.offset, m.key, m.value, m.headers)
                         for m in itertools.chain.from_iterable(fetched.values())]
                    )  # fmt: skip
                    self._lag.done(fetched)

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
