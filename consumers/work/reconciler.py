"""Looks through the topic `releases` for events that no worker has taken in hand, and answers them.

Faust has passed over events after some rebalances (its issues 216 and 605); a release that nobody answers is
nothing a label desk would forgive. What must not be lost is guarded by the state in Redis.
"""

from __future__ import annotations

import time

from aiokafka import ConsumerRecord, TopicPartition

from consumers.work.emitter import Emitter
from stream.stores.releases import Releases
from stream.wire.consumer import Consumer
from stream.wire.events import Record, Release, parse

__all__ = ["Reconciler"]

LOOK_BACK = 3600.0  # seconds before the start of this process
YOUNG = 10.0  # seconds in which a release is still on its ordinary way


class Reconciler:
    """Goes through each partition once, behind the workers.

    Parameters
    ----------
    consumer
        One of no group, started, subscribed to nothing.
    """

    def __init__(self, consumer: Consumer, emitter: Emitter, releases: Releases) -> None:
        self._consumer = consumer
        self._emitter = emitter
        self._releases = releases

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

    async def look(self) -> int:
        """Answer releases that nobody has taken in hand; return how many there were."""
        answered = 0
        fetched = await self._consumer.getmany(timeout_ms=0)
        left = {partition: [*messages] for partition, messages in fetched.items()}
        try:
            for messages in left.values():
                # One from a clock far ahead is not waited for: those behind it would wait, too.
                while messages and abs(time.time() - messages[0].timestamp / 1000) >= YOUNG:
                    answered += await self._answer(messages[0])
                    del messages[0]
        finally:
            for partition, messages in left.items():
                if messages:  # too young, or Redis is away
                    self._consumer.seek(partition, messages[0].offset)
        return answered

    async def _answer(self, message: ConsumerRecord) -> bool:
        release = parse(
            Release, Record(message.topic, message.partition, message.offset, message.key, message.value)
        )
        if not isinstance(release, Release) or await self._releases.about(release.release_id):
            return False
        await self._emitter.answer(release, message.timestamp / 1000)
        return True
