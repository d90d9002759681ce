"""The topic ``audiences`` as a worker writes it, and as it looks there for what is out."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka import AIOKafkaProducer, TopicPartition

from consumers.work.answer import Answer
from stream.errors import NotDurable
from stream.settings import Settings
from stream.stores.durability import Durability
from stream.wire.consumer import Consumer
from stream.wire.sender import delivered

__all__ = ["AudienceTopic"]


class AudienceTopic:
    """Where pages and summaries go, keyed by release."""

    def __init__(self, settings: Settings, producer: AIOKafkaProducer, durability: Durability) -> None:
        self._settings = settings
        self._producer = producer
        self._durability = durability

    async def send(self, answer: Answer, events: Sequence[bytes], durable: bool = False) -> None:
        """Emit what is not out yet; comes back when the broker has it, and fails when none is on its way.

        Parameters
        ----------
        durable
            It is known that Redis cannot lose any more whom these events tell; else this waits for that.

        Raises
        ------
        NotDurable
            Where a Redis that dies could lose, or has lost, whom these events tell.
        """
        key = answer.name.encode()
        missing = [event for event in events if event not in answer.out]
        if missing and not durable and not await self._durability.acknowledged(answer.primaries):
            raise NotDurable(f"release {answer.name} was planned on another Redis, or one since restarted")
        headers = answer.trace.headers or None
        await delivered(
            self._producer.send("audiences", key=key, value=event, headers=headers) for event in missing
        )

    async def sent(self, release_id: str, since: float) -> dict[bytes, float]:
        """Return the pages and the summary that are in the topic -> when they were sent, in Unix seconds."""
        key = release_id.encode()
        consumer = Consumer(self._settings, enable_auto_commit=False)
        await consumer.start()
        try:
            # All: with fewer partitions, the topic had the key in another.
            numbers = sorted(await self._producer.partitions_for("audiences"))
            partitions = [TopicPartition("audiences", number) for number in numbers]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            starts = await consumer.offsets_for_times(dict.fromkeys(partitions, int(since * 1000)))
            filled = [partition for partition in partitions if starts[partition] is not None]
            for partition in filled:
                consumer.seek(partition, starts[partition].offset)
            out: dict[bytes, float] = {}
            async for messages in consumer.read_to({partition: ends[partition] for partition in filled}):
                out |= {each.value: each.timestamp / 1000 for each in messages if each.key == key}
            return out
        finally:
            await consumer.stop()
