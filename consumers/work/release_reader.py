"""Reads the topic `releases` by itself, so that no release waits for Faust or for a rebalance.

Every worker reads all of it, in no group; the claim in Redis lets one of them answer. So a worker's death
holds up no release but the one that it has in hand, and what Faust passes over after a rebalance (its issues
216 and 605) is answered. Faust's agent remembers how far the group is, also while no worker runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from aiokafka import ConsumerRecord, TopicPartition

from consumers.runtime.reader_lag import ReaderLag, in_hand
from consumers.work.emitter import TOGETHER
from consumers.work.tracing import traceparent_of
from models.listener import OffsetSource
from stream.retry import Stopped
from stream.stores.releases import Asked
from stream.wire.consumer import Consumer
from stream.wire.events import Release
from stream.wire.parsing import parse
from stream.wire.record import Record

__all__ = ["ReleaseReader"]

LOOK_BACK = 3600.0  # seconds before the start of this process
WAIT_MS = 500  # for a record to come, before it is asked whether the process is to end


class ReleaseReader:
    """Goes through each partition once, from an hour before this process began.

    Parameters
    ----------
    consumer
        One of no group, started, subscribed to nothing.
    epoch
        How often the topic has been recreated.
    lag
        Is told how far it is.
    answer
        Answers releases; one that is answered already is left alone.
    stop
        Says that the process is to end.
    """

    def __init__(
        self,
        consumer: Consumer,
        epoch: int,
        lag: ReaderLag,
        answer: Callable[[Sequence[Asked]], Awaitable[object]],
        stop: asyncio.Event,
    ) -> None:
        self._consumer = consumer
        self._epoch = epoch
        self._lag = lag
        self._answer = answer
        self._stop = stop

    async def begin(self, partitions: set[int]) -> None:
        """Stand where the last hour began."""
        assigned = [TopicPartition("releases", number) for number in sorted(partitions)]
        self._consumer.assign(assigned)
        since = int((time.time() - LOOK_BACK) * 1000)
        starts = await self._consumer.offsets_for_times(dict.fromkeys(assigned, since))
        ends = await self._consumer.end_offsets(assigned)
        for partition in assigned:
            start = starts[partition]
            self._consumer.seek(partition, start.offset if start else ends[partition])

    async def run(self) -> None:
        """Answer releases until the process is to end; the next worker reads the last hour again."""
        with contextlib.suppress(Stopped):
            while not self._stop.is_set():
                fetched = await self._lag.read(self._consumer, timeout_ms=WAIT_MS, max_records=TOGETHER)
                if found := list(self._releases(itertools.chain.from_iterable(fetched.values()))):
                    await self._answer(found)
                self._lag.done(in_hand(fetched))

    def _releases(self, messages: Iterable[ConsumerRecord[bytes | None, bytes | None]]) -> Iterator[Asked]:
        for message in messages:
            record = Record.of(message)
            release = parse(Release, record)
            if isinstance(release, Release):  # else an agent writes it to the dead letters
                yield asked(release, record, self._epoch, message.timestamp / 1000)


def asked(release: Release, record: Record, epoch: int, published_at: float) -> Asked:
    """Return a release event with its place in Kafka."""
    source = OffsetSource(record.partition, epoch)
    return Asked(release, source, record.offset, published_at, traceparent_of(record.headers))
