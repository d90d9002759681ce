"""Reads the topic `merges`: an id becomes part of a listener, and all that is known of it is theirs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial

from consumers.ingest.merger import Merger, RefusedMerge
from consumers.runtime.topic_reader import TopicReader
from stream.retry import Retry
from stream.stores.durability import Durability
from stream.stores.heartbeats import Heartbeat
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.events import Merge
from stream.wire.parsing import parse
from stream.wire.record import Record
from stream.wire.sender import Sender

__all__ = ["MergeReader"]


class MergeReader(TopicReader):
    """Makes and undoes merges in the order of their ids' events; what is delivered twice changes nothing."""

    topic, name, together = "merges", "merges", 100

    def __init__(
        self,
        consumer: Consumer,
        merger: Merger,
        durability: Durability,
        producer: Sender,
        heartbeat: Heartbeat,
        retry: Retry,
        stop: asyncio.Event,
    ) -> None:
        super().__init__(consumer, producer, heartbeat, retry, stop)
        self._merger = merger
        self._durability = durability

    async def _apply(self, records: Sequence[Record]) -> list[DeadLetter]:
        dead: list[DeadLetter] = []
        for record in records:
            event = parse(Merge, record)
            if isinstance(event, DeadLetter):
                dead.append(event)
                continue
            try:
                take = partial(self._merger.take, event, time.time())
                await self._retry("merging listeners", self._durability.kept, take)
            except RefusedMerge as refused:
                dead.append(DeadLetter(record, Reason.BAD_VALUE, str(refused)))
        return dead
