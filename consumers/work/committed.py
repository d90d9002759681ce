"""Faust's transport, reading as all consumers here do: committed records only, no batch stops it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver

from stream.wire.commits import watch_commits
from stream.wire.consumer import COMMITTED, behind_of
from stream.wire.schema_registry import SchemaRegistry
from stream.wire.topic_watch import TopicWatch

__all__ = ["CommittedTransport"]


class _Thread(driver.AIOKafkaConsumerThread):
    def _create_worker_consumer(self, transport: Any) -> Any:
        # Faust has no setting for it, and asks for it only where it writes in transactions itself. That its
        # consumer passes over what cannot be decoded comes with importing `stream.wire.consumer`.
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = COMMITTED
        watch_commits(consumer, transport.watch)
        return consumer

    async def _fetch_records(self, consumer: Any, *args: Any, **options: Any) -> Any:
        fetched = await super()._fetch_records(consumer, *args, **options)
        transport = cast(CommittedTransport, self.transport)
        transport.left = {place: left for place, (_, left) in (await behind_of(consumer)).items()}
        registry = transport.registry
        return await registry.decoded(fetched) if registry else fetched


class _Consumer(driver.Consumer):
    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class CommittedTransport(driver.Transport):
    """Kafka by aiokafka, for `faust.App`.

    Attributes
    ----------
    left
        How many events wait in Kafka behind those that were fetched, by partition.
    """

    Consumer = _Consumer

    def __init__(self, url: Any, app: Any, watch: TopicWatch, registry: SchemaRegistry | None) -> None:
        super().__init__(url, app)
        self.watch, self.registry = watch, registry
        self.left: Mapping[TopicPartition, int] = {}
