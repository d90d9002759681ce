"""Changes of cohort out of Kafka, from where the last run was."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from consumers.export.of_listeners import moment
from consumers.export.tables import Row
from stream.errors import Unreachable
from stream.settings import Settings
from stream.stores.erased import erased_hash
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import DeadLetter
from stream.wire.events import CohortChange
from stream.wire.parsing import parse
from stream.wire.record import Record

__all__ = ["Moves"]

TOPIC = "cohort-changes"
CHUNK = 5_000


@dataclass
class Moves:
    """Reads what is in the topic now.

    Attributes
    ----------
    partitions
        How many the topic has.
    begin
        Partition -> where to begin, at the earliest that is there where it says nothing.
    erased
        `erased_hash` -> when, Unix seconds: changes are passed over that Kafka has had since before that (the
        click's time may be ahead), or whose click was before it (it may have come to Kafka only later).
    offsets
        Partition -> how far it was read.
    lost
        Changes that Kafka deleted before they were exported.
    """

    settings: Settings
    partitions: int
    begin: Mapping[str, int]
    erased: Mapping[str, float]
    offsets: dict[str, int] = field(default_factory=dict)
    lost: int = 0

    async def rows(self) -> AsyncIterator[list[Row]]:
        """Go through the changes.

        Raises
        ------
        Unreachable
            Where Kafka does not answer.
        """
        consumer = Consumer(
            self.settings, decode=False, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await consumer.start()
            async for messages in self._messages(consumer):
                yield self._rows(messages)
        except KafkaError as error:
            raise Unreachable(
                f"Kafka at {self.settings.kafka} failed: {error}",
                hint="Run it again: nothing is half done. `refrain doctor` looks why.",
            ) from error
        finally:
            await consumer.stop()

    async def _messages(self, consumer: Consumer) -> AsyncIterator[list[ConsumerRecord]]:
        places = [TopicPartition(TOPIC, number) for number in range(self.partitions)]
        if not places:
            return
        consumer.assign(places)
        earliest, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        for place in places:
            asked = self.begin.get(str(place.partition))
            self.lost += max(earliest[place] - asked, 0) if asked is not None else 0
            consumer.seek(place, max(asked or 0, earliest[place]))
        async for messages in consumer.read_to(ends, CHUNK):
            yield messages
        self.offsets = {str(place.partition): await consumer.position(place) for place in places}

    def _rows(self, messages: Sequence[ConsumerRecord]) -> list[Row]:
        changes = [(parse(CohortChange, Record.of(each)), each.timestamp / 1000) for each in messages]
        return [
            {
                "user_id": each.user_id,
                "moved_at": moment(each.ts),
                "from_cohort": each.origin or None,
                "to_cohort": each.to,
                "reason": each.reason,
                "model_version": each.model_version,
            }
            for each, at in changes
            if not isinstance(each, DeadLetter)
            and min(at, each.ts) > self.erased.get(erased_hash(each.user_id), -math.inf)
        ]
