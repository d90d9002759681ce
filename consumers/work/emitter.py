"""Answers a release: plan, fix the pages, emit them, each page once though workers die in the middle."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from consumers.runtime.live_model import LiveModel
from consumers.work.planner import Planner
from stream.stores.releases import Releases
from stream.wire.consumer import Consumer
from stream.wire.events import Release, Summary, encode

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
        self._in_hand: set[str] = set()

    async def answer(self, release: Release, published_at: float | None) -> None:
        """Emit the audience of a release, unless it is out already or somebody has it in hand.

        Parameters
        ----------
        published_at
            Unix seconds: the latency counts from here. None: it is not known.
        """
        if release.release_id in self._in_hand:
            return
        self._in_hand.add(release.release_id)
        try:
            await self._answer(release, published_at)
        finally:
            self._in_hand.remove(release.release_id)

    async def _answer(self, release: Release, published_at: float | None) -> None:
        now = time.time()
        state = await self._hold(release, now)
        if state == "new":
            audience = await self._planner.plan(release, self._live.model, now)
            if await self._releases.plan(release, audience, self._name, now):
                await self._emit(release, set(), published_at)
        elif state == "planned":
            await self._go_on(release)

    async def finish_open(self) -> None:
        """Answer the releases that have been in hand for longer than anybody needs."""
        for release in await self._releases.left_open(time.time() - IN_HAND):
            await self.answer(release, None)

    async def _hold(self, release: Release, now: float) -> str:
        return await self._releases.claim(release, self._name, now, IN_HAND)

    async def _go_on(self, release: Release) -> None:
        name = release.release_id
        since = float((await self._releases.about(name)).get("planned_at", 0)) - SLACK
        out = await self._out(name, since)
        logger.info("going on with release %s, of which %d events are out", name, len(out))
        await self._emit(release, out, None)

    async def _emit(self, release: Release, out: set[bytes], published_at: float | None) -> None:
        name = release.release_id
        pages = await self._releases.pages(name)
        missing = [page for page in pages if page not in out]
        latency = None
        for at in range(0, len(missing), AT_ONCE):
            if at and await self._hold(release, time.time()) != "planned":
                return  # we were away for so long that another has gone on with it
            await self._send(name, missing[at : at + AT_ONCE])
            if published_at is not None and latency is None:
                latency = 1000 * (time.time() - published_at)
        about = await self._releases.about(name)
        summary = Summary(
            release_id=name,
            pages=len(pages),
            users=int(about["audience"]),
            cohorts=int(about["cohorts"]),
            reason=about["reason"],
        )
        if (last := encode(summary)) not in out:
            await self._send(name, [last])
        await self._releases.finish(name, latency)
        logger.info("release %s: %d pages", name, len(pages))

    async def _send(self, release_id: str, events: Sequence[bytes]) -> None:
        key = release_id.encode()
        await asyncio.gather(*[await self._producer.send("audiences", key=key, value=e) for e in events])

    async def _out(self, release_id: str, since: float) -> set[bytes]:
        """Return the pages, and the summary, that are in the topic."""
        key = release_id.encode()
        consumer = Consumer(bootstrap_servers=self._kafka, enable_auto_commit=False)
        await consumer.start()
        try:
            numbers = sorted(await self._producer.partitions_for("audiences"))
            partition = TopicPartition("audiences", DefaultPartitioner()(key, numbers, numbers))
            consumer.assign([partition])
            end = (await consumer.end_offsets([partition]))[partition]
            start = (await consumer.offsets_for_times({partition: int(since * 1000)}))[partition]
            if start is None:
                return set()
            consumer.seek(partition, start.offset)
            out: set[bytes] = set()
            while await consumer.position(partition) < end:
                fetched = await consumer.getmany(partition, timeout_ms=500)
                out.update(record.value for record in fetched.get(partition, []) if record.key == key)
            return out
        finally:
            await consumer.stop()
