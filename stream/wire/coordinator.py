"""What aiokafka's member of a consumer group does otherwise here.

Offsets are committed with the id of the topic that they are of, and used for no other: Kafka knows committed
offsets by the topic's name. A process that has not noticed yet that the topic was recreated would commit how
far it was in the old one, and whoever reads next would pass over so much of the new one.

Nobody joins the group who does not know the topics' partitions: who leads the group assigns those that it
knows. Where the broker was away when it asked for them it would assign none, and the whole group would read
nothing until it asks again, after five minutes.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from aiokafka import TopicPartition
from aiokafka.consumer import consumer, group_coordinator
from aiokafka.errors import UnknownTopicOrPartitionError
from aiokafka.structs import OffsetAndMetadata
from kafka.errors import KafkaError

from stream.errors import Unreachable
from stream.wire.topic_watch import TopicWatch

__all__ = ["watch_commits"]

logger = logging.getLogger(__name__)

WATCH = "_refrain_watch"


def watch_commits(reader: consumer.AIOKafkaConsumer, watch: TopicWatch) -> None:
    """Let a consumer that is not started yet commit with topics' ids, and look at them at each assignment."""
    setattr(reader._subscription, WATCH, watch)


class _Coordinator(group_coordinator.GroupCoordinator):  # type: ignore[misc]
    async def ensure_active_group(self, subscription: Any, prev_assignment: Any) -> Any:
        if not all(map(self._cluster.partitions_for_topic, subscription.topics)):
            asking = self._client.force_metadata_update()
            await asyncio.wait({asking, self._closing}, return_when=asyncio.FIRST_COMPLETED)
            if not (asking.done() and asking.result()):
                await asyncio.sleep(self._retry_backoff_ms / 1000)
                return None  # it is called again, unless the consumer is being closed
        return await super().ensure_active_group(subscription, prev_assignment)

    async def _do_commit_offsets(self, assignment: Any, offsets: dict[TopicPartition, Any]) -> None:
        if watch := getattr(self._subscription, WATCH, None):
            offsets = {
                place: OffsetAndMetadata(at.offset, watch.shapes[place.topic].topic_id)
                for place, at in offsets.items()
            }
        await super()._do_commit_offsets(assignment, offsets)

    async def _do_fetch_commit_offsets(self, partitions: Any) -> dict[TopicPartition, OffsetAndMetadata]:
        found: dict[TopicPartition, OffsetAndMetadata] = await super()._do_fetch_commit_offsets(partitions)
        watch = getattr(self._subscription, WATCH, None)
        if watch is None:
            return found
        # Nothing is read of a partition before its committed offset is known.
        await _look(watch)
        return {place: at for place, at in found.items() if self._is_of(watch, place, at)}

    def _is_of(self, watch: TopicWatch, place: TopicPartition, at: OffsetAndMetadata) -> bool:
        if at.metadata in ("", watch.shapes[place.topic].topic_id):
            return True
        logger.warning(
            "%s has committed offset %d of an earlier topic %s, partition %d: it is read from the start",
            self.group_id,
            at.offset,
            place.topic,
            place.partition,
        )
        return False


async def _look(watch: TopicWatch) -> None:
    try:
        if not watch.changed:
            await asyncio.to_thread(watch.look)
    except (KafkaError, Unreachable, OSError) as error:  # OSError: no token to be had now
        raise UnknownTopicOrPartitionError(str(error)) from error  # aiokafka tries again
    if watch.changed:
        raise UnknownTopicOrPartitionError(watch.changed)


# aiokafka has no way to hand it in, and its consumer within Faust is made by Faust.
consumer.GroupCoordinator = _Coordinator
