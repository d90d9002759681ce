"""Reads the topic `merges`: an id becomes part of a listener, and all that is known of it is theirs."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Sequence
from functools import partial

from aiokafka.errors import CommitFailedError, IllegalStateError

from consumers.ingest.merger import Merger, RefusedMerge
from stream.retry import Retry, Stopped
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.stores.replication import Replication
from stream.wire.consumer import Consumer
from stream.wire.events import DeadLetter, Merge, Reason, Record, parse
from stream.wire.sender import Sender, dead_letter
from stream.wire.topic_watch import TopicWatch

__all__ = ["MergeReader", "merges_consumer"]

logger = logging.getLogger(__name__)

WAIT_MS = 500  # for an event to come, before it is asked whether the process is to end
TOGETHER = 100


def merges_consumer(settings: Settings, watch: TopicWatch) -> Consumer:
    """Return the consumer of the topic; several share its partitions, so that each id is in one's hand."""
    return Consumer(
        settings,
        "merges",
        watch=watch,
        group_id=f"{settings.group}-merges",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )


class MergeReader:
    """Makes and undoes merges in the order of their ids' events; what is delivered twice changes nothing."""

    def __init__(
        self,
        consumer: Consumer,
        merger: Merger,
        replication: Replication,
        producer: Sender,
        heartbeat: Heartbeat,
        retry: Retry,
        stop: asyncio.Event,
    ) -> None:
        self._consumer = consumer
        self._merger = merger
        self._replication = replication
        self._producer = producer
        self._heartbeat = heartbeat
        self._retry = retry
        self._stop = stop

    async def run(self) -> None:
        """Read for as long as the process runs."""
        with contextlib.suppress(Stopped):
            while not self._stop.is_set():
                fetched = await self._consumer.getmany(timeout_ms=WAIT_MS, max_records=TOGETHER)
                if fetched:
                    await self._take(
                        [Record(m.topic, m.partition, m.offset, m.key, m.value, m.headers)
                         for m in itertools.chain.from_iterable(fetched.values())]
                    )  # fmt: skip

    async def _take(self, records: Sequence[Record]) -> None:
        dead = []
        for record in records:
            event = parse(Merge, record)
            if isinstance(event, DeadLetter):
                dead.append(event)
                continue
            try:
                take = partial(self._merger.take, event, time.time())
                await self._retry("merging listeners", self._replication.kept, take)
            except RefusedMerge as refused:
                dead.append(DeadLetter(record, Reason.BAD_VALUE, str(refused)))
            else:
                self._heartbeat.add("merges")
        await self._retry("emitting dead letters", self._producer.deliver, list(map(dead_letter, dead)))
        await self._retry("committing offsets", self._commit)
        for letter in dead:
            self._heartbeat.add(f"dead:{letter.reason.value}")

    async def _commit(self) -> None:
        try:
            await self._consumer.commit()
        except (CommitFailedError, IllegalStateError):
            logger.info("offsets are not ours to commit any more: the partitions have another owner")
