"""Sends history into a topic: fast, in order, each event once, also when it is interrupted and goes on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.structs import RecordMetadata

from stream.errors import Unreachable
from stream.files.bookmark import HEADER, Bookmark
from stream.settings import Settings
from stream.wire.consumer import Consumer
from stream.wire.sender import Sender

__all__ = ["Replay", "partition_of"]

CHUNK = 5000  # events between two looks at the clock and at Kafka's answers
SAVE_SECONDS = 1.0
BATCH_BYTES = 256 * 1024


@lru_cache(maxsize=1 << 18)
def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition that Kafka's own producers choose for a key.

    Examples
    --------
    >>> [partition_of(key, 8) for key in (b"u1", b"u2", b"u3")]
    [0, 6, 6]
    """
    number: int = murmur2(key)
    return (number & 0x7FFFFFFF) % partitions


@dataclass
class Replay:
    """One replay.

    Parameters
    ----------
    settings
        Where Kafka is, and how to connect to it.
    topic, partitions
        Where to; events go by key, as with any other producer.
    bookmark
        How far it has come. It is saved every second, when all that was sent is acknowledged.
    patience
        Seconds without an answer of Kafka before giving up.
    rate
        Events a second, at most.
    tell
        Is told how many events are sent, every now and then.

    Attributes
    ----------
    stop
        Asks it to end; what was sent is acknowledged and noted before it does.
    sent
        Events that were sent, and acknowledged once `run` is back.
    starts
        Partition -> the offset before the first event that was sent.
    found
        Events that an earlier run had sent and not noted any more: found in Kafka, not sent again.
    """

    settings: Settings
    topic: str
    partitions: int
    bookmark: Bookmark
    patience: float
    rate: float | None
    tell: Callable[[int], object]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    found: int = 0
    starts: dict[int, int] = field(default_factory=dict)

    async def run(self, events: Iterable[tuple[bytes, bytes] | None]) -> bool:
        """Send events, those left out that are in Kafka already.

        Parameters
        ----------
        events
            Key and value of all events of this replay, from the first; None among them where the next one
            takes long, for a look at whether it is to end.

        Returns
        -------
        Whether it came to the end; False where it was asked to stop.

        Raises
        ------
        Unreachable
            Where Kafka does not answer any more. What is in Kafka is noted.
        """
        there = await self._look_back()
        self.starts = dict(self.bookmark.offsets)
        sender = Sender(self.settings, batch_bytes=BATCH_BYTES, patience=self.patience)
        await sender.start()
        try:
            return await _Sending(self, sender, there).all_of(events)
        except (KafkaError, TimeoutError) as error:
            raise Unreachable(
                f"Kafka at {self.settings.kafka} has not answered for {self.patience:.0f} s ({error!r}); "
                f"{self.bookmark.events:,} events at least are in",
                hint="The same with --resume sends the rest.",
            ) from error
        finally:
            await sender.stop()

    async def _look_back(self) -> dict[int, int]:
        """Return for each partition the number of the last event of this replay that is in it."""
        consumer = Consumer(self.settings, enable_auto_commit=False, auto_offset_reset="earliest")
        await consumer.start()
        try:
            places = [TopicPartition(self.topic, number) for number in range(self.partitions)]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            if not self.bookmark.offsets:  # before the first event
                self.bookmark = self.bookmark.at(0, {place.partition: ends[place] for place in places})
                self.bookmark.save()
                return {}
            there: dict[int, int] = {}
            for place in places:
                consumer.seek(place, self.bookmark.offsets.get(place.partition, ends[place]))
            async for messages in consumer.read_to(ends):
                for message in messages:
                    for name, value in message.headers:
                        if name == HEADER and (number := self.bookmark.number(value)) is not None:
                            there[message.partition] = number
            return there
        finally:
            await consumer.stop()


class _Sending:
    """Fills a batch for each partition, and keeps the answers in view."""

    def __init__(self, replay: Replay, sender: Sender, there: dict[int, int]) -> None:
        self._replay = replay
        self._sender = sender
        self._there = there
        self._batches: dict[int, BatchBuilder] = {}
        self._answers: list[tuple[int, asyncio.Future[RecordMetadata]]] = []
        self._offsets = dict(replay.bookmark.offsets)
        self._began = self._saved = time.monotonic()

    async def all_of(self, events: Iterable[tuple[bytes, bytes] | None]) -> bool:
        replay, start = self._replay, self._replay.bookmark.events
        chunk = CHUNK if replay.rate is None else min(CHUNK, max(1, int(replay.rate / 20)))
        done = 0
        for pair in events:
            if pair:
                if done >= start and not self._append(done, *pair):
                    await self._send()
                    self._append(done, *pair)
                done += 1
                if done % chunk:
                    continue
            await self._breathe(done)
            if replay.stop.is_set():
                await self._flush(done)
                return False
        await self._flush(done, finished=True)
        return True

    def _append(self, number: int, key: bytes, value: bytes) -> bool:
        """Put an event into its batch, where it is not in Kafka yet. False: the batch is full."""
        replay = self._replay
        partition = partition_of(key, replay.partitions)
        if number <= self._there.get(partition, -1):
            replay.found += 1
            return True
        batch = self._batches.get(partition)
        if batch is None:
            batch = self._batches[partition] = self._sender.create_batch()
        headers = [(HEADER, replay.bookmark.header(number))]
        if batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            return False
        replay.sent += 1
        return True

    async def _send(self) -> None:
        for partition, batch in self._batches.items():
            batch.close()
            answer = await self._sender.send_batch(batch, self._replay.topic, partition=partition)
            self._answers.append((batch.record_count(), answer))
        self._batches.clear()

    async def _breathe(self, events: int) -> None:
        await self._send()
        self._replay.tell(self._replay.sent)
        if time.monotonic() - self._saved > SAVE_SECONDS:
            await self._flush(events)
        pause = 0.0
        if self._replay.rate:
            pause = self._began + self._replay.sent / self._replay.rate - time.monotonic()
        if pause <= 0:
            await asyncio.sleep(0)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._replay.stop.wait(), pause)

    async def _flush(self, events: int, *, finished: bool = False) -> None:
        await self._send()
        for count, answer in self._answers:
            metadata = await asyncio.wait_for(answer, self._replay.patience)
            self._offsets[metadata.partition] = metadata.offset + count
        self._answers.clear()
        bookmark = self._replay.bookmark
        self._replay.bookmark = bookmark.at(max(events, bookmark.events), self._offsets, finished=finished)
        self._replay.bookmark.save()
        self._replay.tell(self._replay.sent)
        self._saved = time.monotonic()
