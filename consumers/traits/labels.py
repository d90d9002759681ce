"""Reads the topic `labels`: each label into Redis, dead letters out, then the offsets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from consumers.runtime.topic_reader import TopicReader
from stream.retry import Clock, Retry
from stream.stores.durability import Durability
from stream.stores.heartbeats import Heartbeat
from stream.stores.merges import Merges
from stream.stores.segments import MOST_CLASSES, Came, Segments, topic_clock
from stream.wire.consumer import Consumer
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.events import Label
from stream.wire.parsing import FUTURE_SECONDS, parse
from stream.wire.record import Record
from stream.wire.sender import Sender

__all__ = ["LabelReader", "parse_labels"]

TOO_MANY = f"value: {{}} has {MOST_CLASSES} classes already; classes are few, such as ranges of ages"


class LabelReader(TopicReader):
    """Takes labels until the process is to end; what is delivered twice changes nothing.

    Parameters
    ----------
    topic_id
        Of the topic that is read: with each offset it says whether a segment was forgotten since.
    """

    topic, name, together = "labels", "labels", 1_000

    def __init__(
        self,
        consumer: Consumer,
        segments: Segments,
        merges: Merges,
        durability: Durability,
        producer: Sender,
        heartbeat: Heartbeat,
        retry: Retry,
        stop: asyncio.Event,
        topic_id: str,
        clock: Clock = time.time,
    ) -> None:
        super().__init__(consumer, producer, heartbeat, retry, stop)
        self._topic_id = topic_id
        self._segments = segments
        self._merges = merges
        self._durability = durability
        self._clock = clock

    async def _apply(self, records: Sequence[Record]) -> list[DeadLetter]:
        labels, dead = parse_labels(records, self._clock())
        unusable = {id(letter.record) for letter in dead}
        used = [record for record in records if id(record) not in unusable]
        too_many = await self._retry("asking for classes", self._segments.one_too_many, labels)
        dead += [
            DeadLetter(record, Reason.BAD_VALUE, TOO_MANY.format(label.segment))
            for record, label, over in zip(used, labels, too_many, strict=True)
            if over
        ]
        kept = [
            (label, Came(topic_clock(self._topic_id, record.partition), record.offset))
            for record, label, over in zip(used, labels, too_many, strict=True)
            if not over
        ]
        await self._retry("taking labels", self._durability.kept, lambda: self._take_labels(kept))
        return dead

    async def _take_labels(self, labels: Sequence[tuple[Label, Came]]) -> None:
        """Take labels; one that names an id which is part of a listener is the listener's."""
        await self._segments.label([label for label, _ in labels], [came for _, came in labels])
        # Only now: whoever makes an id part of a listener meanwhile finds its label, or we the listener.
        roots = await self._merges.roots({label.user_id for label, _ in labels})
        named = [(label, came) for label, came in labels if label.user_id in roots]
        await self._segments.label(
            [label.model_copy(update={"user_id": roots[label.user_id]}) for label, _ in named],
            [came for _, came in named],
        )
        await self._segments.expire(list(roots))


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
