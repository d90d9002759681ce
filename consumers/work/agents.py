"""Brings a worker its releases, feedback and songs, by Faust; what is not done is not acknowledged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, cast

import faust

from consumers.work.credentials import faust_credentials
from consumers.work.faust_transport import FaustTransport
from stream.metrics import LAG, WAITING_SINCE
from stream.retry import Stopped
from stream.settings import Settings
from stream.stores.heartbeats import Heartbeat
from stream.wire.consumer import FETCH_BYTES
from stream.wire.dead_members import client_id
from stream.wire.groups import GROUPS
from stream.wire.record import Record
from stream.wire.schema_registry import SchemaRegistry, registry_of
from stream.wire.topic_watch import TopicWatch

__all__ = ["Agents", "Handler"]

logger = logging.getLogger(__name__)

TOGETHER = 1000  # songs or feedback events handled at once
WITHIN = 0.05  # seconds that the first of them waits for others
SESSION_SECONDS = 6.0  # until Kafka gives a dead worker's partitions to others: the least that brokers allow
PATIENCE = 4.0  # seconds to be done with what is in hand when the process is to end
CONNECTING = 1.5  # seconds to be connected, where the process is to end while it begins
FAREWELL = 2.5  # seconds to leave the group


class Handler(Protocol):
    """What is done with each kind of event. `Stopped`: it is left to whoever reads it next."""

    async def release(self, record: Record, published_at: float) -> None:
        """Answer a release, published at a time in Unix seconds."""

    async def feedback(self, records: Sequence[Record]) -> None:
        """Count feedback."""

    async def songs(self, records: Sequence[Record]) -> None:
        """Enter songs into the catalogue."""


class _App(faust.App):
    """Faust waits until all events are acknowledged: when partitions go elsewhere, not when the process ends.

    By then `Agents` has waited, and what is not done cannot be done now.
    """

    logger = logging.getLogger("faust.app")  # else what it announces stands in our log as our own
    settings: Settings
    watch: TopicWatch
    registry: SchemaRegistry | None

    def _create_directories(self) -> None:
        """Make none: they are for tables, which there are none of, and whoever is killed would leave them."""

    def _new_transport(self) -> FaustTransport:
        return FaustTransport(self.conf.broker_consumer, self, self.settings, self.watch, self.registry)

    async def _consumer_wait_empty(self, consumer: Any, logger: Any) -> None:
        if not self.should_stop:
            await super()._consumer_wait_empty(consumer, logger)


class Agents:
    """Three agents, one for each topic, in one consumer group.

    What is not done when the process ends is not acknowledged: whoever reads the partition next gets it.

    Parameters
    ----------
    handler
        Does what events ask for; an error it raises ends the process.
    stop
        Says that the process is to end: nothing is begun any more.
    watch
        The topics as the process knows them.
    heartbeat
        Is told how far the agents are behind.
    """

    def __init__(
        self,
        settings: Settings,
        handler: Handler,
        stop: asyncio.Event,
        watch: TopicWatch,
        heartbeat: Heartbeat,
    ) -> None:
        self._stop = stop
        self._gauges = heartbeat.gauges
        self._since = dict.fromkeys(("feedback", "songs"), time.time())  # nothing that waits came before
        self._first: dict[Any, int] = {}
        self._in_hand = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._joining: asyncio.Future[None] | None = None
        self._app = _App(
            GROUPS["work"].full_name(settings),
            broker=";".join(f"kafka://{server}" for server in settings.kafka.split(",")),
            broker_client_id=client_id(),
            broker_credentials=faust_credentials(settings),
            autodiscover=False,
            web_enabled=False,
            topic_disable_leader=True,
            store="memory://",
            consumer_auto_offset_reset="earliest",
            broker_commit_interval=0.5,
            broker_session_timeout=SESSION_SECONDS,
            broker_heartbeat_interval=SESSION_SECONDS / 4,
            consumer_max_fetch_size=FETCH_BYTES,
            stream_wait_empty=True,
        )
        self._app.settings, self._app.watch, self._app.registry = settings, watch, registry_of(settings)

        @self._app.agent(self._topic("releases"), name="releases")
        async def releases(stream: Any) -> None:
            async for event in stream.events():
                await self._do([event], handler.release, Record.of(event.message), event.message.timestamp)

        @self._app.agent(self._topic("feedback"), name="feedback")
        async def feedback(stream: Any) -> None:
            async for events in stream.take_events(TOGETHER, within=WITHIN):
                await self._do(events, handler.feedback, [Record.of(event.message) for event in events])

        @self._app.agent(self._topic("songs"), name="songs")
        async def songs(stream: Any) -> None:
            async for events in stream.take_events(TOGETHER, within=WITHIN):
                await self._do(events, handler.songs, [Record.of(event.message) for event in events])

    def _topic(self, name: str) -> Any:
        return self._app.topic(
            name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"
        )

    async def _do(self, events: Sequence[Any], do: Callable[..., Awaitable[None]], *given: Any) -> None:
        """Do what events ask for; comes back only when that is done."""
        for event in events:
            event.message.incref()  # Faust acknowledges on its own what it has to break off
        if self._stop.is_set() or not await self._done(do, *given):
            await asyncio.Event().wait()
        for event in events:
            event.ack()
            if event.message.topic in self._since:
                at = min(event.message.timestamp, time.time())
                self._since[event.message.topic] = max(self._since[event.message.topic], at)

    async def _done(self, do: Callable[..., Awaitable[None]], *given: Any) -> bool:
        self._in_hand += 1
        self._idle.clear()
        try:
            await do(*given)
        except Stopped:
            return False
        except Exception as error:  # noqa: BLE001 - Faust would log it and go on with the next event
            if not self._failed.done():
                self._failed.set_exception(error)
            return False
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._idle.set()
        return True

    async def run(self) -> None:
        """Join the group; return when the process is to end, and raise what Faust or an agent failed of.

        To join takes as long as the group is busy with members who have died.
        """
        self._joining = asyncio.ensure_future(self._app.start())
        stopping = asyncio.ensure_future(self._stop.wait())
        crashing = asyncio.ensure_future(self._app.wait_until_stopped())  # nobody stops it before `end`
        waited: set[asyncio.Future[Any]] = {self._joining, stopping, crashing, self._failed}
        while not (self._failed.done() or stopping.done() or crashing.done()):
            done, waited = await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                future.result()
        stopping.cancel()
        crashing.cancel()
        if self._app.crash_reason:
            raise self._app.crash_reason

    async def show_lag(self) -> None:
        """Say how many events of `feedback` and `songs` wait; `ReleaseReader` says it of releases."""
        left, monitor = cast(FaustTransport, self._app.transport).left, self._app.monitor
        waiting = Counter[str]()
        for place, number in left.items():
            waiting[place.topic] += number
            if (read := monitor.tp_read_offsets.get(place)) is not None:
                # Until the first commit nothing says where it began.
                begin = self._first.setdefault(place, read)
                waiting[place.topic] += max(read + 1 - monitor.tp_committed_offsets.get(place, begin), 0)
        for topic in self._since:
            if not waiting[topic]:
                self._since[topic] = time.time()
            self._gauges[LAG + topic] = waiting[topic]
            self._gauges[WAITING_SINCE + topic] = self._since[topic] if waiting[topic] else 0.0

    async def end(self) -> None:
        """Let what is in hand be done, as far as it can be, commit, and leave the group."""
        self._stop.set()
        await _at_most(PATIENCE, self._idle.wait(), "not everything in hand is done")
        if self._joining:
            # Broken off while it connects, Faust would leave its connections open.
            await asyncio.wait({self._joining}, timeout=CONNECTING)
            self._joining.cancel()
        # Where Kafka is away, Faust's consumer may end in a way that Faust waits for without end.
        await _at_most(FAREWELL, self._app.stop(), "Kafka does not answer the farewell")


async def _at_most(seconds: float, doing: Coroutine[Any, Any, object], otherwise: str) -> None:
    try:
        await asyncio.wait_for(doing, seconds)
    except TimeoutError:
        logger.warning("%s after %g s: whoever comes next does the rest", otherwise, seconds)
