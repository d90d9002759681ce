"""`refrain work`: releases answered at once, feedback counted, the catalogue filled. A Faust application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from tempfile import TemporaryDirectory
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from consumers.audience import Planner
from consumers.begin import begin, begin_producer, epoch_of
from consumers.emit import Emitter
from consumers.insist import Stopped, insist
from consumers.live import LiveModel
from consumers.process import together
from consumers.reconcile import Reconciler
from consumers.shelf import Shelf
from stream.catalogue import Catalogue
from stream.cohorts import Cohorts
from stream.events import DeadLetter, Feedback, Record, Release, Song, parse
from stream.heartbeats import Heartbeat
from stream.listeners import Listeners
from stream.releases import Heard, Releases
from stream.settings import Settings
from stream.snapshots import Snapshots

__all__ = ["Worker", "work"]

logger = logging.getLogger(__name__)

TOGETHER = 1000  # songs or feedback events handled at once
WITHIN = 0.05  # seconds that the first of them waits for others
LOOK_SECONDS = 1.0
REST_SECONDS = 0.2


class Worker:
    """What is done with a release, with feedback, with songs. Faust says when."""

    def __init__(
        self,
        emitter: Emitter,
        releases: Releases,
        catalogue: Catalogue,
        producer: AIOKafkaProducer,
        heartbeat: Heartbeat,
        stop: asyncio.Event,
    ) -> None:
        self._emitter = emitter
        self._releases = releases
        self._catalogue = catalogue
        self._producer = producer
        self._heartbeat = heartbeat
        self._stop = stop

    async def release(self, record: Record, published_at: float) -> None:
        """Answer a release."""
        release = await self._read(Release, record)
        if release:
            await insist(
                lambda: self._emitter.answer(release, published_at), "answering a release", self._stop
            )
            self._heartbeat.add("releases")

    async def feedback(self, records: list[Record], epoch: int) -> None:
        """Count feedback."""
        heard = []
        for record in records:
            feedback = await self._read(Feedback, record)
            if feedback:
                source = f"{record.partition}.{epoch}" if epoch else str(record.partition)
                heard.append(Heard(feedback, source, record.offset))
        counted = await insist(lambda: self._releases.count(heard), "counting feedback", self._stop)
        self._heartbeat.add("feedback", len(heard))
        self._heartbeat.add("feedback counted", counted)

    async def songs(self, records: list[Record]) -> None:
        """Enter songs into the catalogue; one without a value was taken off it, what it was stays known."""
        songs = [await self._read(Song, record) for record in records if record.value is not None]
        known = [song for song in songs if song]
        await insist(lambda: self._catalogue.put(known), "filling the catalogue", self._stop)
        self._heartbeat.add("songs", len(known))

    async def _read(self, kind: Any, record: Record) -> Any:
        event = parse(kind, record)
        if not isinstance(event, DeadLetter):
            return event

        async def bury() -> None:
            await self._producer.send_and_wait(
                "dead-letters", key=record.key, value=event.value, headers=event.headers
            )

        await insist(bury, "emitting a dead letter", self._stop)
        self._heartbeat.add(f"dead:{event.reason.value}")
        return None


def application(
    settings: Settings, worker: Worker, epoch: int, fail: Callable[[BaseException], None], folder: str
) -> faust.App:
    """Return the Faust application: three agents, and nothing that outlives the process.

    Parameters
    ----------
    epoch
        How often the topic `feedback` has been made anew.
    fail
        Is told of an error that no agent expects. The event is not acknowledged then: whoever reads the
        partition next gets it again.
    folder
        Where Faust may write; nothing in it is needed again.
    """
    app = faust.App(
        f"{settings.group}-work",
        datadir=folder,
        broker=";".join(f"kafka://{server}" for server in settings.kafka.split(",")),
        autodiscover=False,
        web_enabled=False,
        topic_disable_leader=True,
        store="memory://",
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=0.5,
        broker_session_timeout=10.0,
        broker_heartbeat_interval=2.0,
        stream_wait_empty=True,
    )

    def topic(name: str) -> Any:
        return app.topic(name, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    async def guarded(doing: Awaitable[None]) -> None:
        try:
            await doing
        except Exception as error:  # noqa: BLE001 - Faust would acknowledge the event and go on
            fail(error)
            await asyncio.Event().wait()

    @app.agent(topic("releases"), name="releases")
    async def releases(stream: Any) -> None:
        async for event in stream.events():
            await guarded(worker.release(_record(event), event.message.timestamp))

    @app.agent(topic("feedback"), name="feedback")
    async def feedback(stream: Any) -> None:
        async for events in stream.take_events(TOGETHER, within=WITHIN):
            await guarded(worker.feedback([_record(event) for event in events], epoch))

    @app.agent(topic("songs"), name="songs")
    async def songs(stream: Any) -> None:
        async for events in stream.take_events(TOGETHER, within=WITHIN):
            await guarded(worker.songs([_record(event) for event in events]))

    return app


def _record(event: Any) -> Record:
    message = event.message
    return Record(message.topic, message.partition, message.offset, message.key, message.value)


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Wire a worker from settings, and run it until asked to stop.

    Raises
    ------
    RefrainError
        Where it cannot start: Kafka or Redis away, affinities of another half-life.
    """
    async with AsyncExitStack() as stack:
        redis, heartbeat = await begin(settings, "work", stack)
        epoch = await epoch_of(settings, redis, "feedback")
        listeners = Listeners(redis, settings.max_artists)
        cohorts, catalogue = Cohorts(redis, listeners), Catalogue(redis)
        releases = Releases(redis, settings.release_days * 86400)
        live = LiveModel(Snapshots(redis))
        await live.refresh()
        producer = await begin_producer(settings, stack)
        shelf = Shelf(listeners, cohorts)
        planner = Planner(shelf, cohorts, catalogue, releases, settings.candidates, settings.max_audience)
        emitter = Emitter(settings.kafka, releases, planner, live, producer, heartbeat.name)
        worker = Worker(emitter, releases, catalogue, producer, heartbeat, stop)

        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def fail(error: BaseException) -> None:
            if not failed.done():
                failed.set_exception(error)

        folder = stack.enter_context(TemporaryDirectory(prefix="refrain-work-"))
        app = application(settings, worker, epoch, fail, folder)
        await app.start()
        stack.push_async_callback(app.stop)
        logger.info("answering releases")
        behind = AIOKafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
        await behind.start()
        stack.push_async_callback(behind.stop)
        reconciler = Reconciler(behind, emitter, releases)
        await reconciler.begin(await producer.partitions_for("releases"))
        await together(
            _until(stop, failed),
            live.follow(),
            heartbeat.keep(),
            _tidy(emitter, reconciler, stop),
            _keep(shelf, live, stop),
        )


async def _until(stop: asyncio.Event, failed: asyncio.Future[None]) -> None:
    stopping = asyncio.ensure_future(stop.wait())
    waited: set[asyncio.Future[Any]] = {stopping, failed}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if failed.done():
        failed.result()


async def _keep(shelf: Shelf, live: LiveModel, stop: asyncio.Event) -> None:
    """Keep the tastes at hand fresh."""
    try:
        while not stop.is_set():
            if model := live.model:
                dims = model.n_dims
                await insist(lambda: shelf.keep(dims), "reading tastes", stop)  # noqa: B023 - called at once
            await asyncio.sleep(REST_SECONDS)
    except Stopped:
        logger.info("no tastes are read any more")


async def _tidy(emitter: Emitter, reconciler: Reconciler, stop: asyncio.Event) -> None:
    """Finish the releases that a worker has left in the middle, and those that came to none."""
    try:
        while not stop.is_set():
            await insist(emitter.finish_open, "finishing releases left open", stop)
            await insist(reconciler.look, "looking for releases that nobody answered", stop)
            await asyncio.sleep(LOOK_SECONDS)
    except Stopped:
        logger.info("releases left open are left to another")
