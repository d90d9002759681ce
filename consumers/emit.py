"""Answers a release: plan, fix the pages, emit them, each page once though workers die in the middle."""

from __future__ import annotations

import asyncio
import json
import logging
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from consumers.audience import Planner
from consumers.live import LiveModel
from stream.events import Release, Summary, encode
from stream.releases import Releases

__all__ = ["Emitter"]

logger = logging.getLogger(__name__)

IN_HAND = 5.0  # seconds that a release is ours, from one step to the next
SLACK = 60.0  # seconds by which clocks may differ
AT_ONCE = 5  # pages on their way


class Emitter:
    """Emits audiences.

    A page is identified by release and number. Pages are fixed in Redis before the first goes out; whoever
    goes on after a crash looks in the topic for those that are out, and emits the others.
    """

    def __init__(
        self,
        kafka: str,
        releases: Releases,
        planner: Planner,
        live: LiveModel,
        producer: AIOKafkaProducer,
        name: str,
    ) -> None:
        self._kafka = kafka
        self._releases = releases
        self._planner = planner
        self._live = live
        self._producer = producer
        self._name = name

    async def answer(self, release: Release, published_at: float) -> None:
        """Emit the audience of a release, unless it is out already or another worker has it in hand.

        Parameters
        ----------
        published_at
            Unix seconds: the latency counts from here.
        """
        now = time.time()
        state = await self._hold(release, now)
        if state == "new":
            audience = await self._planner.plan(release, self._live.model, now)
            if not await self._releases.plan(release, audience, self._name, now):
                return
            await self._emit(release, await self._releases.pages(release.release_id), set(), published_at)
        elif state == "planned":
            await self._go_on(release, published_at)

    async def finish_open(self) -> None:
        """Answer the releases that have been in hand for longer than anybody needs."""
        now = time.time()
        for release in await self._releases.left_open(now - IN_HAND):
            await self.answer(release, now)

    async def _hold(self, release: Release, now: float) -> str:
        return await self._releases.claim(release, self._name, now, IN_HAND)

    async def _go_on(self, release: Release, published_at: float) -> None:
        name = release.release_id
        since = float((await self._releases.about(name)).get("planned_at", 0)) - SLACK
        out = await self._pages_out(name, since)
        pages = await self._releases.pages(name)
        logger.info("going on with release %s: %d of %d pages are out", name, len(out), len(pages))
        await self._emit(release, pages, out, published_at)

    async def _emit(
        self, release: Release, pages: list[bytes], out: set[int | None], published_at: float
    ) -> None:
        name = release.release_id
        key = name.encode()
        latency = None
        missing = [page for number, page in enumerate(pages) if number not in out]
        for at in range(0, len(missing), AT_ONCE):
            if at and await self._hold(release, time.time()) != "planned":
                return  # we were away for so long that another has gone on with it
            sent = [
                await self._producer.send("audiences", key=key, value=p) for p in missing[at : at + AT_ONCE]
            ]
            await asyncio.gather(*sent)
            latency = latency or 1000 * (time.time() - published_at)
        if None not in out:
            about = await self._releases.about(name)
            summary = Summary(
                release_id=name,
                pages=len(pages),
                users=int(about["audience"]),
                cohorts=int(about["cohorts"]),
                reason=about["reason"],
            )
            await self._producer.send_and_wait("audiences", key=key, value=encode(summary))
        await self._releases.finish(name, latency if not out else None)
        logger.info("release %s: %d pages", name, len(pages))

    async def _pages_out(self, release_id: str, since: float) -> set[int | None]:
        """Return the numbers of the pages that are in the topic; None stands for the summary."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._kafka, enable_auto_commit=False)
        await consumer.start()
        try:
            numbers = sorted(await self._producer.partitions_for("audiences"))
            number = DefaultPartitioner()(release_id.encode(), numbers, numbers)
            partition = TopicPartition("audiences", number)
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            found = await consumer.offsets_for_times({partition: int(since * 1000)})
            start = found[partition]
            if start is None:
                return set()
            consumer.seek(partition, start.offset)
            out: set[int | None] = set()
            while await consumer.position(partition) < end:
                for message in (await consumer.getmany(partition, timeout_ms=500)).get(partition, []):
                    event = json.loads(message.value)
                    if event["release_id"] == release_id:
                        out.add(event.get("page"))
            return out
        finally:
            await consumer.stop()
