"""Faust's transport, which waits for Kafka and reads as all consumers here do.

They read committed records only, and no batch stops them. A client of Faust's own would try once to reach
Kafka, and a broker that goes away just then would end the process.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar, cast

from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver

from stream.connect import open_kafka
from stream.settings import Settings
from stream.wire.consumer import COMMITTED, behind_of
from stream.wire.coordinator import watch_commits
from stream.wire.schema_registry import SchemaRegistry
from stream.wire.topic_watch import TopicWatch

__all__ = ["FaustTransport"]

logger = logging.getLogger(__name__)

Client = TypeVar("Client")

MUNDANE_LEVEL = "debug"  # of "Starting..." and the like: the worker says itself when it answers releases


def _patient(client: Client, transport: Any) -> Client:
    client.start = partial(open_kafka, transport.settings, client.start, logger.info)  # type: ignore[attr-defined]
    return client


class _Thread(driver.AIOKafkaConsumerThread):
    mundane_level = MUNDANE_LEVEL

    def _create_worker_consumer(self, transport: Any) -> Any:
        # Faust has no setting for it, and asks for it only where it writes in transactions itself. That its
        # consumer passes over what cannot be decoded comes with importing `stream.wire.consumer`.
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = COMMITTED
        watch_commits(consumer, transport.watch)
        return _patient(consumer, transport)

    async def _fetch_records(self, consumer: Any, *args: Any, **options: Any) -> Any:
        fetched = await super()._fetch_records(consumer, *args, **options)
        transport = cast(FaustTransport, self.transport)
        transport.left = {place: left for place, (_, left) in (await behind_of(consumer)).items()}
        registry = transport.registry
        return await registry.decoded(fetched) if registry else fetched


class _Consumer(driver.Consumer):
    mundane_level = MUNDANE_LEVEL

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class _Producer(driver.Producer):
    mundane_level = MUNDANE_LEVEL

    def _new_producer(self, transactional_id: str | None = None) -> Any:
        return _patient(super()._new_producer(transactional_id), self.transport)


class FaustTransport(driver.Transport):
    """Kafka by aiokafka, for `faust.App`.

    Attributes
    ----------
    left
        How many events wait in Kafka behind those that were fetched, by partition.
    """

    Consumer = _Consumer
    Producer = _Producer

    def __init__(
        self, url: Any, app: Any, settings: Settings, watch: TopicWatch, registry: SchemaRegistry | None
    ) -> None:
        super().__init__(url, app)
        self.settings, self.watch, self.registry = settings, watch, registry
        self.left: Mapping[TopicPartition, int] = {}
