"""Answers a release: plan, fix each page, emit it; each page once, though workers die in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from consumers.runtime.live_model import LiveModel
from consumers.work.gate import CONTROL
from consumers.work.planner import Audience, Before, Lookup, Planner
from consumers.work.wave_plan import TOO_SELDOM
from consumers.work.wave_response import WaveResponse
from stream.connect import REDIS_ERRORS
from stream.stores.releases import Asked, OpenRelease, Releases, ReleaseStopped, State
from stream.wire.consumer import Consumer
from stream.wire.events import Page, Summary, encode

__all__ = ["Emitter"]

logger = logging.getLogger(__name__)

IN_HAND = 2.0  # seconds after which another goes on with the release of a worker that is silent
RENEW = 0.5  # seconds between two signs that it is not
SLACK = 60.0  # seconds by which clocks may differ
AT_ONCE = 5  # pages on their way
WAVE_SECONDS = 900.0
STOPPED = "stopped"


@dataclass
class _Answer:
    """How far the answer to a release is.

    Attributes
    ----------
    out
        Pages and summary that are in the topic already, as bytes -> when they were sent, in Unix seconds.
    pages
        Those that are fixed.
    left_out
        Why others who would be on them are not, and how many.
    latency_ms
        From the publishing of the release to the broker's word that it has the first page.
    stopped
        Whether somebody has stopped the release meanwhile.
    """

    asked: Asked
    out: Mapping[bytes, float] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    latency_ms: float | None = None
    stopped: bool = False

    @property
    def name(self) -> str:
        return self.asked.release.release_id

    def first_page_out(self, at: float) -> None:
        if self.asked.published_at is not None:
            self.latency_ms = 1000 * (at - self.asked.published_at)

    def summary(self, reason: str) -> Summary:
        return Summary(
            release_id=self.name,
            pages=len(self.pages),
            users=sum(len(page.user_ids) for page in self.pages),
            cohorts=len({cohort for page in self.pages for cohort in page.cohort_ids}),
            reason=reason,
            left_out=dict(self.left_out) or None,
            waves=max((page.wave or 0 for page in self.pages), default=0) or None,
        )

    def totals(self) -> dict[str, str | float]:
        """Return how far it is, as it is to be known of the release."""
        summary = self.summary("")
        known: dict[str, str | float] = {
            "audience": summary.users,
            "pages": summary.pages,
            "cohorts": summary.cohorts,
            "left_out": json.dumps(self.left_out),
        }
        if self.latency_ms is not None:
            known["latency_ms"] = round(self.latency_ms, 1)
        if summary.waves:
            told = Counter(page.wave for page in self.pages for _ in page.user_ids)
            known["told_by_wave"] = json.dumps([told[wave] for wave in range(1, summary.waves + 1)])
        return known


class _Lost(Exception):
    """Another worker has the release in hand by now."""


class Emitter:
    """Emits audiences.

    A page is identified by release and number. It is fixed in Redis before it goes out; whoever goes on after
    a crash looks in the topic for what is out, emits the rest, and plans what was not fixed yet:
    `stream.stores.releases` has the states. Before the first page goes out there are three round trips to
    Redis at most: one takes the release in hand and reads what its plan needs, one reads who of its audience
    has just opted out (where somebody has), one fixes the page.

    Parameters
    ----------
    kafka
        Bootstrap servers.
    name
        Of this worker; no other has it, nor has had it.
    idle
        Is set while no release is being answered.
    wave_seconds
        From wave to wave.
    """

    def __init__(
        self,
        kafka: str,
        releases: Releases,
        planner: Planner,
        live: LiveModel,
        producer: AIOKafkaProducer,
        name: str,
        idle: asyncio.Event | None = None,
        wave_seconds: float = WAVE_SECONDS,
    ) -> None:
        self._kafka = kafka
        self._releases = releases
        self._planner = planner
        self._live = live
        self._producer = producer
        self._name = name
        self._idle = asyncio.Event() if idle is None else idle
        self._idle.set()
        self._wave_seconds = wave_seconds
        self._in_hand: set[str] = set()

    async def answer(self, asked: Asked) -> bool:
        """Emit the audience of a release, unless it is out already or somebody has it in hand.

        Returns
        -------
        Whether it was emitted, or what was missing of it.
        """
        name = asked.release.release_id
        if name in self._in_hand:
            return False
        self._in_hand.add(name)
        self._idle.clear()
        try:
            return await self._answer(asked)
        except _Lost:
            logger.warning("another worker goes on with release %s: this one was silent for too long", name)
            return False
        finally:
            self._in_hand.remove(name)
            if not self._in_hand:
                self._idle.set()

    async def finish_abandoned(self) -> None:
        """Answer the releases that a worker has left in the middle, or whose next wave is due."""
        for asked in await self._releases.abandoned(time.time()):
            await self.answer(asked)

    async def _answer(self, asked: Asked) -> bool:
        now = time.time()
        state, lookup = await asyncio.gather(
            self._releases.claim(asked, self._name, now, IN_HAND), self._planner.look_up(asked.release)
        )
        if state is None or state == State.DONE:
            return False
        async with self._kept_in_hand(asked.release.release_id):
            if state == State.NEW:
                await self._begin(_Answer(asked), lookup)
            else:
                await self._go_on(await self._releases.left_by(asked.release.release_id))
        return True

    @contextlib.asynccontextmanager
    async def _kept_in_hand(self, release_id: str) -> AsyncIterator[None]:
        async def keep() -> None:
            while True:
                await asyncio.sleep(RENEW)
                with contextlib.suppress(*REDIS_ERRORS):
                    await self._renew(release_id)

        keeping = asyncio.create_task(keep())
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.wait({keeping})

    async def _renew(self, release_id: str) -> bool:
        return await self._releases.renew(release_id, self._name, time.time() + IN_HAND)

    async def _begin(self, answer: _Answer, lookup: Lookup) -> None:
        now = time.time()
        release = answer.asked.release
        audience = await self._planner.plan(release, lookup, self._live.model, now)
        about: dict[str, str | float] = {
            "artist_ids": json.dumps(release.artist_ids),
            "title": release.title or "",
            "planned_at": now,
            "reason": audience.reason,
            "relied_on": audience.relied_on,
        }
        if release.song_id:
            about["song_id"] = release.song_id
        await self._go_out(answer, audience, audience.reason, about)

    async def _go_on(self, left: OpenRelease) -> None:
        release = left.asked.release
        pages = [Page.model_validate_json(page) for page in left.pages]
        answer = _Answer(left.asked, {}, pages, Counter(left.left_out))
        if left.state != State.WAITING:
            await self._send_again(answer, left)
        if left.state == State.PLANNED:
            await self._end(answer, left.reason, {})
            return
        if left.stopped:
            await self._end(answer, STOPPED, {"reason": STOPPED})
            return
        for reason in answer.left_out.keys() - set(CONTROL.values()):
            del answer.left_out[reason]  # whoever was left out by their caps is asked after once more
        before, about = await self._before(pages, left)
        lookup = await self._planner.look_up(release)
        rest = await self._planner.plan(release, lookup, self._live.model, time.time(), before)
        if rest.wave and rest.factors:
            about["factors"] = json.dumps({**left.factors, str(rest.wave.number): rest.factors})
        await self._go_out(answer, rest, rest.reason if rest.reason == TOO_SELDOM else left.reason, about)

    async def _before(
        self, pages: Sequence[Page], left: OpenRelease
    ) -> tuple[Before, dict[str, str | float]]:
        """Return what the rest of a release is planned by, and what is to be known of it from now on."""
        before, about = Before(pages, left.control, left.wave), dict[str, str | float]()
        due = left.state == State.WAITING
        if left.wave is None or not (due or left.wave.number > 1):
            return before, about
        response = await self._releases.response(left.asked.release.release_id)
        if due and left.wave.number == 1:  # from this is learned how many of the clicks come so soon
            about["clicked_early"] = response.of_all("clicked")
        found = WaveResponse.of(pages, response, self._planner.habits.model.so_soon, left.factors)
        wave = left.wave.next(self._planner.first_wave) if due else left.wave
        return replace(before, wave=wave, response=found), about

    async def _send_again(self, answer: _Answer, left: OpenRelease) -> None:
        """Emit the pages that are fixed and not in the topic."""
        answer.out = await self._out(answer.name, left.planned_at - SLACK)
        logger.info("going on with release %s, of which %d events are out", answer.name, len(answer.out))
        for page in answer.pages:
            await self._held(self._releases.tell(page, self._name))
        for at in range(0, len(left.pages), AT_ONCE):
            group = left.pages[at : at + AT_ONCE]
            await self._held(self._renew(answer.name))
            await self._send(answer, group)
            if group[0] == left.pages[0]:
                answer.first_page_out(answer.out.get(group[0], time.time()))

    async def _go_out(
        self, answer: _Answer, audience: Audience, reason: str, about: dict[str, str | float]
    ) -> None:
        """Emit what is planned; then let go of the release until its next wave, or end it."""
        if wave := audience.wave:
            about |= {"wave": wave.number, "wave_until": wave.until, "aimed": wave.aimed}
        await self._emit(answer, audience, about)
        if answer.stopped:
            reason = STOPPED
        elif not answer.pages and answer.left_out:
            reason = "nobody may be told now"
        elif not audience.ends:
            due = time.time() + self._wave_seconds
            await self._held(
                self._releases.end_wave(answer.name, self._name, due, {**about, **answer.totals()})
            )
            logger.info("release %s: wave %d is out", answer.name, about["wave"])
            return
        await self._end(answer, reason, {**about, "reason": reason})

    async def _emit(self, answer: _Answer, audience: Audience, about: Mapping[str, str | float]) -> None:
        """Fix and emit pages: the first alone, as the notifier waits for it, then some at a time."""
        before, waiting, first = Counter(answer.left_out), list[bytes](), len(answer.pages)
        async for page, control, features in audience.pages:
            event = encode(page)
            answer.left_out = before + audience.left_out
            known = {**(about if page.page == first else {}), "left_out": json.dumps(answer.left_out)}
            try:
                await self._held(self._releases.fix_page(page, event, self._name, known, control, features))
            except ReleaseStopped:
                answer.stopped = True
                break
            answer.pages.append(page)
            waiting.append(event)
            if page.page == first or len(waiting) == AT_ONCE:
                await self._send(answer, waiting)
                waiting = []
            if page.page == 0:
                answer.first_page_out(time.time())
        await self._send(answer, waiting)
        answer.left_out = before + audience.left_out
        if audience.play_rate:
            await self._releases.predict(answer.name, audience.play_rate)

    async def _end(self, answer: _Answer, reason: str, about: Mapping[str, str | float]) -> None:
        """Emit the summary: nothing follows it."""
        summary = answer.summary(reason)
        await self._held(self._releases.end_plan(answer.name, self._name, {**about, **answer.totals()}))
        await self._send(answer, [encode(summary)])
        await self._releases.finish(answer.name, answer.latency_ms)
        logger.info("release %s: %d pages", answer.name, summary.pages)

    async def _held(self, step: Awaitable[bool]) -> None:
        if not await step:
            raise _Lost

    async def _send(self, answer: _Answer, events: Sequence[bytes]) -> None:
        """Emit what is not out yet; comes back when the broker has it."""
        key = answer.name.encode()
        missing = [event for event in events if event not in answer.out]
        await asyncio.gather(*[await self._producer.send("audiences", key=key, value=e) for e in missing])

    async def _out(self, release_id: str, since: float) -> dict[bytes, float]:
        """Return the pages and the summary that are in the topic -> when they were sent, in Unix seconds."""
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
                return {}
            consumer.seek(partition, start.offset)
            out: dict[bytes, float] = {}
            while await consumer.position(partition) < end:
                fetched = await consumer.getmany(partition, timeout_ms=500)
                for record in fetched.get(partition, []):
                    if record.key == key:
                        out[record.value] = record.timestamp / 1000
            return out
        finally:
            await consumer.stop()
