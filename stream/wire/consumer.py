"""The one consumer of Kafka that everything here reads with.

It reads committed records only, and no batch stops it. A batch that cannot be decoded comes as one record:
its value is `Undecodable`, its offset the last of the batch. Its reader makes a dead letter of it and commits
past it as past any other record.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import chain
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition, codec
from aiokafka.consumer import consumer, fetcher
from aiokafka.errors import IllegalStateError

from stream.errors import CannotStart
from stream.settings import Settings
from stream.wire.connection import connection
from stream.wire.coordinator import watch_commits
from stream.wire.dead_members import client_id
from stream.wire.record import Undecodable
from stream.wire.schema_registry import Fetched, registry_of
from stream.wire.topic_watch import TopicWatch

__all__ = ["COMMITTED", "FETCH_BYTES", "Consumer", "behind_of", "check_codecs"]

COMMITTED = "read_committed"
"""Kafka's name for: records of a transaction only when it is committed, and never those of an aborted one."""

NO_TIMESTAMP = 0

FETCH_BYTES = 256 * 1024
"""Of a partition at once, but for a batch that is larger: what waits in Kafka need not wait here as well.

That is some 2,000 clicks. By aiokafka's own 1 MB a reader that is behind holds 8 MB of eight partitions.
"""

WAIT_MS = 500


CODECS = {
    "gzip": codec.has_gzip,
    "lz4": codec.has_lz4,
    "snappy": codec.has_snappy,
    "zstd": codec.has_zstd,
}


def check_codecs() -> None:
    """See that batches can be decompressed, whatever producers and topics compress with.

    Raises
    ------
    CannotStart
        Where they cannot: each such batch would be a dead letter.
    """
    if missing := [name for name, there in CODECS.items() if not there()]:
        raise CannotStart(
            f"what decompresses {' and '.join(missing)} is not installed",
            hint="`pip install 'aiokafka[lz4,snappy,zstd]'`, as refrain-cohorts asks for.",
        )


class _Batches:
    """The batches of one fetch; knows which was the last to be taken, and can look at the next."""

    def __init__(self, batches: Any) -> None:
        self._batches = batches
        self._next: Any = None
        self.last: Any = None

    def has_next(self) -> bool:
        return self._next is not None or bool(self._batches.has_next())

    def next_batch(self) -> Any:
        self.last = None  # taking one fails where its size is no size
        self.last, self._next = self._next or self._batches.next_batch(), None
        return self.last

    def end_of_last(self) -> int:
        """Return where the last batch ends: before the next, whatever a header that may be broken says."""
        end: int = self.last.next_offset
        with contextlib.suppress(Exception):
            if self.has_next():
                self._next = self._next or self._batches.next_batch()
                end = min(end, self._next.base_offset)
        return end


class _Records(fetcher.PartitionRecords):  # type: ignore[misc]
    """The records of one fetch from one partition; an undecodable batch is one record."""

    def __init__(self, tp: Any, records: Any, *rest: Any) -> None:
        super().__init__(tp, _Batches(records), *rest)

    def _unpack_records(self) -> Iterator[ConsumerRecord]:
        while True:
            try:
                yield from super()._unpack_records()
            except Exception as error:  # noqa: BLE001 - each codec has its own; none may stop a reader
                batch, position = self._records.last, self.next_fetch_offset
                if batch is None:  # it has no size, so nothing is known to come after it
                    yield self._passed_over(position, position, error)
                    return
                if batch.next_offset != position:  # else all its records were read
                    first = max(position, getattr(batch, "base_offset", 0))
                    yield self._passed_over(first, max(first, self._records.end_of_last() - 1), error)
            else:
                return

    def _passed_over(self, first: int, last: int, error: Exception) -> ConsumerRecord:
        self.next_fetch_offset = last + 1
        value = Undecodable(first, last, f"{type(error).__name__}: {error}")
        return ConsumerRecord(
            self._tp.topic, self._tp.partition, last, NO_TIMESTAMP, 0, None, value, None, -1, 0, ()
        )


class _Fetcher(fetcher.Fetcher):  # type: ignore[misc]
    async def close(self) -> None:
        """End what fetches.

        Where no broker answers, aiokafka passes the end of a fetch on, as a cancellation of whoever closes:
        an error for which a process ends would be forgotten, and connections stay open.
        """
        self._fetch_task.cancel()
        await asyncio.wait({self._fetch_task})
        for fetch in self._pending_tasks:
            fetch.cancel()
        await asyncio.gather(*self._pending_tasks, return_exceptions=True)
        self._pending_tasks.clear()
        await super().close()


# aiokafka has no way to hand them in, and its consumer within Faust is made by Faust.
fetcher.PartitionRecords = _Records
consumer.Fetcher = _Fetcher


class Consumer(AIOKafkaConsumer):  # type: ignore[misc]
    """aiokafka's consumer, of committed records.

    Parameters
    ----------
    watch
        The topics as the process knows them, where it reads in a group.
    decode
        Whether values are of interest.
    """

    def __init__(
        self,
        settings: Settings,
        *topics: str,
        watch: TopicWatch | None = None,
        decode: bool = True,
        **options: Any,
    ) -> None:
        names = {"client_id": client_id(), "isolation_level": COMMITTED}
        options = {"max_partition_fetch_bytes": FETCH_BYTES, **options}
        super().__init__(*topics, **names, **connection(settings), **options)
        self._registry = registry_of(settings) if decode else None
        if watch:
            watch_commits(self, watch)

    async def getmany(self, *partitions: TopicPartition, **options: Any) -> Fetched:
        """Return what is fetched, as aiokafka does; decoded where a Schema Registry is configured."""
        return await self.decoded(await self.fetch(*partitions, **options))

    async def fetch(self, *partitions: TopicPartition, **options: Any) -> Fetched:
        """Return what is fetched, as it is on the broker: of partitions that are ours when this returns."""
        fetched: Fetched = await super().getmany(*partitions, **options)
        return fetched

    async def decoded(self, fetched: Fetched) -> Fetched:
        """Return what was fetched decoded; while the Schema Registry is away this waits, over a rebalance."""
        return await self._registry.decoded(fetched) if self._registry else fetched

    async def read_to(
        self, ends: Mapping[TopicPartition, int], max_records: int | None = None
    ) -> AsyncIterator[list[ConsumerRecord]]:
        """Go on from where it is, until everything before an offset of each partition is read.

        Parameters
        ----------
        ends
            Partitions that are assigned -> that offset. What is behind it may come too, where it was fetched
            together.
        max_records
            At most so many records at once.
        """
        while left := [place for place, end in ends.items() if await self.position(place) < end]:
            fetched = await self.getmany(*left, timeout_ms=WAIT_MS, max_records=max_records)
            yield list(chain.from_iterable(fetched.values()))

    async def behind(self) -> dict[TopicPartition, tuple[int, int]]:
        """Return what `behind_of` does."""
        return await behind_of(self)

    async def pass_over(self, most: int, keep: int) -> int:
        """Go on near the end where more than `most` records are left; return how many are passed over.

        Parameters
        ----------
        keep
            How many are still read, in equal parts of all partitions. One with fewer goes on where it is.
        """
        left = await self.behind()
        if sum(behind for _, behind in left.values()) <= most:
            return 0
        passed_over = 0
        for partition, (end, behind) in left.items():
            if (more := behind - keep // len(left)) > 0:
                self.seek(partition, end - keep // len(left))
                passed_over += more
        return passed_over


async def behind_of(reader: AIOKafkaConsumer) -> dict[TopicPartition, tuple[int, int]]:
    """Return of each partition of a consumer where it ends, and how many records are left to there.

    Those of which nothing was fetched yet are left out, and those that are taken away meanwhile.
    """
    found: dict[TopicPartition, tuple[int, int]] = {}
    for partition in reader.assignment():
        with contextlib.suppress(IllegalStateError):
            if partition in reader.assignment() and (end := reader.highwater(partition)) is not None:
                found[partition] = end, end - await reader.position(partition)
    return {partition: ends for partition, ends in found.items() if partition in reader.assignment()}
