"""Reads the topic `labels`: each label into Redis, dead letters out, then the offsets."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Sequence

from aiokafka.errors import CommitFailedError, IllegalStateError

from consumers.traits.segments import SegmentTraits
from stream.retry import Clock, Retry, Stopped
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.stores.merges import Merges
from stream.stores.replication import Replication
from stream.stores.segments import MOST_CLASSES
from stream.wire.consumer import Consumer
from stream.wire.events import FUTURE_SECONDS, DeadLetter, Label, Reason, Record, parse
from stream.wire.sender import Sender, dead_letter
from stream.wire.topic_watch import TopicWatch

__all__ = ["LabelReader", "labels_consumer"]

logger = logging.getLogger(__name__)

WAIT_MS = 500  # for a label to come, before it is asked whether the process is to end
TOGETHER = 1_000
TOO_MANY = f"value: {{}} has {MOST_CLASSES} classes already; classes are few, such as ranges of ages"


def labels_consumer(settings: Settings, watch: TopicWatch) -> Consumer:
    """Return the consumer of the topic; several share its partitions."""
    return Consumer(
        settings,
        "labels",
        watch=watch,
        group_id=f"{settings.group}-labels",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )


class LabelReader:
    """Takes labels until the process is to end; what is delivered twice changes nothing."""

    def __init__(
        self,
        consumer: Consumer,
        segments: SegmentTraits,
        merges: Merges,
        replication: Replication,
        producer: Sender,
        heartbeat: Heartbeat,
        retry: Retry,
        stop: asyncio.Event,
        clock: Clock = time.time,
    ) -> None:
        self._consumer = consumer
        self._segments = segments
        self._merges = merges
        self._replication = replication
        self._producer = producer
        self._heartbeat = heartbeat
        self._retry = retry
        self._stop = stop
        self._clock = clock

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
        labels, dead = parse_labels(records, self._clock())
        too_many = await self._retry("asking for classes", self._segments.one_too_many, labels)
        if any(too_many):
            unusable = {id(letter.record) for letter in dead}
            used = [record for record in records if id(record) not in unusable]
            dead += [
                DeadLetter(record, Reason.BAD_VALUE, TOO_MANY.format(label.segment))
                for record, label, over in zip(used, labels, too_many, strict=True)
                if over
            ]
            labels = [label for label, over in zip(labels, too_many, strict=True) if not over]
        await self._retry("taking labels", self._replication.kept, lambda: self._take_labels(labels))
        await self._retry("emitting dead letters", self._producer.deliver, list(map(dead_letter, dead)))
        await self._retry("committing offsets", self._commit)
        self._heartbeat.add("labels", len(labels))
        for letter in dead:
            self._heartbeat.add(f"dead:{letter.reason.value}")

    async def _take_labels(self, labels: Sequence[Label]) -> None:
        """Take labels; one that names an id which is part of a listener is the listener's."""
        await self._segments.take(labels)
        # Only now: whoever makes an id part of a listener meanwhile finds its label, or we the listener.
        roots = await self._merges.roots({label.user_id for label in labels})
        named = [label for label in labels if label.user_id in roots]
        await self._segments.take(
            [label.model_copy(update={"user_id": roots[label.user_id]}) for label in named]
        )
        for user in roots:
            await self._segments.forget(user)

    async def _commit(self) -> None:
        try:
            await self._consumer.commit()
        except (CommitFailedError, IllegalStateError):
            logger.info("offsets are not ours to commit any more: the partitions have another owner")


def parse_labels(records: Sequence[Record], now: float) -> tuple[list[Label], list[DeadLetter]]:
    """Parse labels; one from far ahead of the clock would outlive all that come after it, and is refused."""
    labels: list[Label] = []
    dead: list[DeadLetter] = []
    for record in records:
        label = parse(Label, record)
        if isinstance(label, DeadLetter):
            dead.append(label)
        elif label.ts > now + FUTURE_SECONDS:
            ahead = f"ts {label.ts:.0f} is {label.ts - now:.0f} s ahead of the clock"
            dead.append(DeadLetter(record, Reason.FUTURE, ahead))
        else:
            labels.append(label)
    return labels, dead
