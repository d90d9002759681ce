"""Answers a release: plan, fix each page, emit it; each page once, though workers die in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from opentelemetry.trace import NoOpTracer, Tracer
from structlog.contextvars import bound_contextvars

from consumers.runtime.live_model import LiveModel
from consumers.work.answer import Answer, Part, places
from consumers.work.audience_topic import AudienceTopic
from consumers.work.best_match import reserve_best_first
from consumers.work.gate import CONTROL
from consumers.work.one_at_a_time import OneAtATime
from consumers.work.planner import GONE, Audience, Before, Lookup, Planner
from consumers.work.tally import Tally
from consumers.work.tracing import ReleaseTrace
from consumers.work.wave_plan import TOO_SELDOM
from consumers.work.wave_response import WaveResponse
from models.waves import Wave
from stream.connect import REDIS_ERRORS
from stream.errors import NotDurable
from stream.metrics import LEFT_OUT, NOTIFICATIONS, PAGES, RELEASE_TO_FIRST_PAGE
from stream.settings import Settings
from stream.stores.durability import Durability, Primaries
from stream.stores.erased import Erased
from stream.stores.release_traces import ReleaseTraces
from stream.stores.releases import Asked, Fixable, Held, OpenRelease, Releases, State
from stream.wire.events import Page, encode

__all__ = ["TOGETHER", "Emitter"]

logger = logging.getLogger(__name__)

IN_HAND = 2.0  # seconds after which another goes on with the release of a worker that is silent
RENEW = 0.5  # seconds between two signs that it is not
SLACK = 60.0  # seconds by which clocks may differ
AT_ONCE = 5  # pages on their way
WAVE_SECONDS = 900.0
LATE = 0.5  # of the time between waves, by which the second may be late and still tell of usual delays
TOGETHER = 16  # releases: so many plans are in memory at once
STOPPED = "stopped"
TOO_OLD = "published too long ago"
IN_QUIET_HOURS = "stopped in their quiet hours"
FOR_GOOD = {CONTROL["control"], GONE}
"""Reasons to be left out for which nobody is asked after again."""


class _Made(NamedTuple):
    """A page that was made, and why others who would be on those up to it are not, and how many."""

    fixable: Fixable
    left_out: Counter[str]


class _Lost(Exception):
    """Another worker has the release in hand by now."""


@contextlib.contextmanager
def _unless_lost(asked: Asked) -> Iterator[None]:
    try:
        yield
    except _Lost:
        logger.warning(
            "another worker goes on with release %s: this one was silent for too long",
            asked.release.release_id,
        )


async def _let_go(keeping: asyncio.Task[None]) -> None:
    keeping.cancel()
    await asyncio.wait({keeping})


class Emitter:
    """Emits audiences.

    A page is identified by release and number. It is fixed in Redis before it goes out; whoever goes on after
    a crash looks in the topic for what is out, emits the rest, and plans what was not fixed yet:
    `stream.stores.releases` has the states. Before the first page goes out there are three round trips to
    Redis at most: one takes the release in hand and reads what its plan needs, one reads who of its audience
    has just opted out (where somebody has), one fixes the page.

    Parameters
    ----------
    name
        Of this worker; no other has it, nor has had it.
    idle
        Is set while no release is being answered.
    wave_seconds
        From wave to wave.
    tracer
        Makes spans; None: there are none.
    """

    def __init__(
        self,
        settings: Settings,
        releases: Releases,
        erased: Erased,
        traces: ReleaseTraces,
        durability: Durability,
        planner: Planner,
        live: LiveModel,
        producer: AIOKafkaProducer,
        name: str,
        idle: asyncio.Event | None = None,
        wave_seconds: float = WAVE_SECONDS,
        tracer: Tracer | None = None,
    ) -> None:
        self._settings = settings
        self._releases = releases
        self._erased = erased
        self._traces = traces
        self._durability = durability
        self._planner = planner
        self._live = live
        self._topic = AudienceTopic(settings, producer, durability)
        self._name = name
        self._idle = asyncio.Event() if idle is None else idle
        self._idle.set()
        self._wave_seconds = wave_seconds
        self._tracer = NoOpTracer() if tracer is None else tracer
        self._in_hand: dict[str, asyncio.Event] = {}

    async def answer(self, several: Sequence[Asked]) -> int:
        """Emit the audiences of releases, but of those that are out already or that somebody has in hand.

        All are planned before the first goes out: where caps leave a listener fewer places than releases,
        they hear of those that match them best.

        Returns
        -------
        Of how many the audience, or what was missing of it, was emitted.
        """
        new = {asked.release.release_id: asked for asked in several}
        for name in new.keys() & self._in_hand.keys():
            del new[name]
        self._in_hand |= {name: asyncio.Event() for name in new}
        self._idle.clear()
        try:
            return await self._answer(list(new.values()))
        finally:
            for name in new:
                self._in_hand.pop(name).set()
            if not self._in_hand:
                self._idle.set()

    async def answer_for_good(self, asked: Asked) -> int:
        """Answer a release of which Kafka is not going to tell again; no Redis that dies forgets it then.

        One that this worker has in hand already is waited for, until what goes out of it now is out, and is
        then answered where that has failed: an attempt that has not reached Redis yet has left nothing there
        from which anybody could go on.

        Raises
        ------
        NotDurable
            Where one may have: it is to be answered again.
        """
        primaries = self._durability.primaries
        while in_hand := self._in_hand.get(asked.release.release_id):
            await in_hand.wait()
        answered = await self.answer([asked])
        if not await self._durability.acknowledged(primaries):
            raise NotDurable(
                f"release {asked.release.release_id} was answered by another Redis, or one since restarted"
            )
        return answered

    async def finish_abandoned(self) -> None:
        """Answer the releases that a worker has left in the middle, or of which more is due."""
        found = await self._releases.abandoned(time.time())
        for at in range(0, len(found), TOGETHER):
            await self.answer(found[at : at + TOGETHER])

    async def _answer(self, several: Sequence[Asked]) -> int:
        keeping: dict[str, asyncio.Task[None]] = {}
        answered = 0
        parts: list[Part] = []
        try:
            for asked in several:
                with bound_contextvars(release_id=asked.release.release_id), _unless_lost(asked):
                    parts += [part] if (part := await self._plan(asked, keeping)) else []
            audiences = [part.audience for part in parts if part.audience]
            await reserve_best_first(audiences, self._planner.gate, time.time())
            for part in parts:
                with bound_contextvars(**part.answer.about), _unless_lost(part.answer.asked):
                    await self._go_out(part)
                    part.answer.end_trace(part.reason)
                    answered += 1
                await _let_go(keeping.pop(part.answer.name))
        finally:
            for part in parts:
                part.answer.end_trace("not finished")
            for task in keeping.values():
                await _let_go(task)
        return answered

    async def _plan(self, asked: Asked, keeping: dict[str, asyncio.Task[None]]) -> Part | None:
        """Take a release in hand, and plan what of it goes out now; None: there is nothing to do."""
        name, primaries = asked.release.release_id, self._durability.primaries
        state, lookup = await asyncio.gather(
            self._releases.claim(asked, self._name, time.time(), IN_HAND),
            self._planner.look_up(asked.release),
        )
        if state is None or state == State.DONE:
            return None
        keeping[name] = asyncio.create_task(self._keep_in_hand(name))
        left = None if state == State.NEW else await self._releases.left_by(name)
        known = left.asked if left and left.asked.traceparent else asked
        trace = ReleaseTrace(self._tracer, known, first=left is None)
        trace.begin("plan")
        try:
            if left:
                return await self._go_on(left, primaries, trace)
            return await self._begin(Answer(asked, primaries, trace), lookup)
        except BaseException:
            trace.end(reason="not planned")
            raise

    async def _keep_in_hand(self, release_id: str) -> None:
        while True:
            await asyncio.sleep(RENEW)
            with contextlib.suppress(*REDIS_ERRORS):
                await self._renew(release_id)

    async def _renew(self, release_id: str) -> bool:
        return await self._releases.renew(release_id, self._name, time.time() + IN_HAND)

    async def _begin(self, answer: Answer, lookup: Lookup) -> Part:
        now = time.time()
        release = answer.asked.release
        about: dict[str, str | float] = {
            "artist_ids": json.dumps(release.artist_ids),
            "title": release.title or "",
            "planned_at": now,
        }
        if release.song_id:
            about["song_id"] = release.song_id
        if answer.trace.traceparent:
            about["traceparent"] = answer.trace.traceparent
        if self._is_too_old(answer.asked, now):
            logger.warning("release %s was published too long ago: nobody is told of it", answer.name)
            return Part(answer, TOO_OLD, about)
        audience = await self._planner.plan(release, lookup, self._live.model, now)
        draft = audience.draft
        about |= {"reason": draft.reason, "relied_on": draft.target.relied_on}
        return Part(answer, draft.reason, about, audience)

    def _is_too_old(self, asked: Asked, now: float) -> bool:
        """Say whether Kafka has had a release for so long that it is no news, or was told of already.

        Redis alone knows of what has been answered: where it has lost its data, or a group reads the topic
        again, every release that Kafka still has would be announced once more.
        """
        most = 3600.0 * self._settings.release_age_hours
        return bool(most and asked.published_at is not None and now - asked.published_at > most)

    async def _go_on(self, left: OpenRelease, primaries: Primaries, trace: ReleaseTrace) -> Part:
        """Plan what is missing of a release, or is due."""
        release, now = left.asked.release, time.time()
        pages = [Page.model_validate_json(page) for page in left.pages]
        answer = Answer(left.asked, primaries, trace, {}, Tally.of(pages), Counter(left.left_out))
        if left.state != State.PAUSED:
            answer.began = pages[-1].emitted_at if pages else left.planned_at
            await self._send_again(answer, left, pages)
        if left.state == State.PLANNED:
            return Part(answer, left.reason, {})
        before = Before(pages, left.control, wave=left.wave)
        settled = before.told | left.control
        # An id that became part of a listener meanwhile gave them its place, where they have none.
        roots = await self._planner.roots(settled | left.held.keys())
        others = {roots[user] for user in settled if user in roots}
        held = {
            roots.get(user, user): each
            for user, each in left.held.items()
            if user not in settled and roots.get(user, user) not in settled | others
        }
        if renamed := [user for user in left.held if user in roots]:
            theirs = {user: held[user] for user in map(roots.__getitem__, renamed) if user in held}
            await self._mine(self._releases.hold(answer.name, self._name, theirs, renamed))
        before = replace(before, held=held, others=others)
        if left.stopped:
            answer.left_out += Counter({IN_QUIET_HOURS: places(held)})
            return Part(answer, STOPPED, {"reason": STOPPED})
        about: dict[str, str | float] = {} if pages else {"planned_at": left.planned_at}
        if release.song_id and not pages:
            about["song_id"] = release.song_id
        due = {user for user, each in held.items() if each.until <= now}
        lookup = await self._planner.look_up(release)
        if due and left.state == State.PAUSED:
            audience = await self._planner.plan_held(release, lookup, self._live.model, now, before)
            return Part(answer, left.reason, about, audience, held, due, left.next_wave_at)
        if left.state == State.PAUSED and not 0 < left.next_wave_at <= now:
            # Nothing is due: those whose time it was were forgotten.
            return Part(answer, left.reason, about, None, held, next_wave_at=left.next_wave_at)
        for reason in answer.left_out.keys() - FOR_GOOD:
            del answer.left_out[reason]  # whoever was left out by their caps is asked after once more
        before, more = await self._response(before, left, now)
        audience = await self._planner.plan(release, lookup, self._live.model, now, before)
        draft = audience.draft
        if draft.wave and draft.factor_of:
            more["factors"] = json.dumps({**left.factors, str(draft.wave.number): draft.factor_of})
        ends_early = draft.reason == TOO_SELDOM or (draft.wave is not None and draft.leads_nowhere)
        reason = draft.reason if ends_early else left.reason
        return Part(answer, reason, about | more, audience, held)

    async def _response(
        self, before: Before, left: OpenRelease, now: float
    ) -> tuple[Before, dict[str, str | float]]:
        """Add to what the rest of a release is planned by how it was responded to, and which wave is next.

        Returns
        -------
        Also what is to be known of the release from now on.
        """
        about: dict[str, str | float] = {}
        due = left.state == State.PAUSED
        if left.wave is None or not (due or left.wave.number > 1):
            return before, about
        response = await self._releases.response(left.asked.release.release_id)
        on_time = now - left.next_wave_at <= LATE * self._wave_seconds  # else more have come than usually do
        if (
            due and on_time and left.wave.number == 1
        ):  # from this is learned how many of the clicks come so soon
            about |= {"told_early": len(before.told), "clicked_early": response.of_all("clicked")}
        model = self._planner.habits.model
        between = max(self._wave_seconds, 1e-3)  # one may follow another at once
        come = [model.come_after((now - page.emitted_at) / between) for page in before.pages]
        found = WaveResponse.of(before.pages, response, come, left.factors)
        wave = left.wave.next(self._planner.first_wave) if due else left.wave
        return replace(before, wave=wave, response=found), about

    async def _send_again(self, answer: Answer, left: OpenRelease, pages: Sequence[Page]) -> None:
        """Emit the pages that are fixed and not in the topic."""
        answer.out = await self._topic.sent(answer.name, left.planned_at - SLACK)
        logger.info("going on with release %s, of which %d events are out", answer.name, len(answer.out))
        # So many are fixed and noted in one step, and no more before that has ended: all before are noted.
        for page in pages[-AT_ONCE:]:
            await self._note(page)
        for at in range(0, len(left.pages), AT_ONCE):
            group = left.pages[at : at + AT_ONCE]
            await self._mine(self._renew(answer.name))
            await self._topic.send(answer, group)
            if group[0] == left.pages[0]:
                answer.first_page_out(answer.out.get(group[0], time.time()))

    async def _note(self, page: Page) -> None:
        """Note once more who is told by a page that is fixed, but for those who were erased since."""
        times = await self._erased.times(page.user_ids)
        erased = {user for user, at in times.items() if at > page.emitted_at - SLACK}
        await self._mine(self._releases.tell(_without(page, erased), self._name))

    async def _go_out(self, part: Part) -> None:
        """Emit what is planned; then let go of the release until more is due, or end it."""
        answer, audience, about, reason = part.answer, part.audience, part.about, part.reason
        if audience is None:
            await self._pause_or_end(part, part.held, part.next_wave_at, reason)
            return
        draft = audience.draft
        if draft.ab_test:
            about["ab_policy"] = draft.ab_test.policy
        is_wave, is_first = draft.wave is not None and not part.due, not answer.told.pages
        if draft.wave and is_wave:
            about |= {"wave": draft.wave.number, "wave_until": draft.wave.until, "aimed": draft.wave.aimed}
        await self._emit(part, audience)
        if draft.play_rate and not part.due:
            ctr = draft.cohort_ctrs(self._planner.random)
            await self._releases.predict(answer.name, draft.play_rate, ctr)
            if ctr and is_first:
                about["random_ctr"] = draft.candidates.mean_of_all(ctr)
        answer.left_out.update(audience.gone)
        no_longer = part.due - audience.held.keys()
        if audience.held or no_longer or audience.apart:
            await self._mine(
                self._releases.hold(answer.name, self._name, audience.held, no_longer, audience.apart)
            )
        held = {**{user: each for user, each in part.held.items() if user not in part.due}, **audience.held}
        next_wave_at = part.next_wave_at
        if is_wave and not draft.ends:
            next_wave_at = time.time() + self._wave_seconds
        if answer.stopped:
            answer.left_out += Counter({IN_QUIET_HOURS: places(held)})
            reason, held, next_wave_at = STOPPED, {}, 0.0
        elif not (answer.told.pages or held or next_wave_at) and answer.left_out:
            reason = "nobody may be told now"
        await self._pause_or_end(part, held, next_wave_at, reason)

    async def _pause_or_end(
        self, part: Part, held: Mapping[str, Held], next_wave_at: float, reason: str
    ) -> None:
        """Let go of a release until more of it is due; end it where nothing more is."""
        answer, about = part.answer, part.about | {"reason": reason}
        await self._forget_erased(answer)
        more_at = [each.until for each in held.values()] + ([next_wave_at] if next_wave_at else [])
        if not more_at:
            await self._end(answer, reason, about)
            return
        answer.held = places(held)
        about |= {
            "held_until": min((each.until for each in held.values()), default=0.0),
            "next_wave_at": next_wave_at,
            **answer.totals(),
        }
        await self._mine(self._releases.pause(answer.name, self._name, min(more_at), about))
        logger.info("release %s: %d told, %d held", answer.name, answer.totals()["audience"], answer.held)

    async def _emit(self, part: Part, audience: Audience) -> None:
        """Fix and emit pages: the first alone, as the notifier waits for it, then some at a time.

        While these are fixed, those before are sent, and those behind are made. An error waits for what is
        being sent: whoever goes on, at once where it is this worker, would not find it in the topic yet.
        """
        answer, about = part.answer, part.about
        before, group, first = Counter(answer.left_out), list[_Made](), answer.told.pages
        answer.trace.begin("pages" if first else "first page")
        async with OneAtATime() as sending, OneAtATime() as fixing:
            async for page, control, features in audience.pages:
                left_out = before + audience.left_out
                known = {**(about if page.page == first else {}), "left_out": json.dumps(left_out)}
                group.append(_Made(Fixable(page, encode(page), known, control, features), left_out))
                await asyncio.sleep(0)  # what is under way goes on
                if page.page == first:
                    await self._fix_and_send(answer, group, sending)
                    await sending.ended()
                    self._note_first_page(part, page, audience.draft.wave)
                elif len(group) == AT_ONCE:
                    await fixing.ended()
                    if not answer.stopped:
                        fixing.begin(self._fix_and_send(answer, group, sending))
                else:
                    continue
                group = []
                if answer.stopped:
                    break
            await fixing.ended()
            if group and not answer.stopped:
                await self._fix_and_send(answer, group, sending)
            await sending.ended()
        if not answer.stopped:
            answer.left_out = before + audience.left_out
        for reason, number in audience.left_out.items():
            LEFT_OUT.labels(reason).inc(number)

    def _note_first_page(self, part: Part, page: Page, wave: Wave | None) -> None:
        """Note that the first page of a part is out."""
        answer = part.answer
        if page.page or answer.stopped:
            return
        answer.trace.begin("pages")
        # Who slept has waited for something else, and so has a later wave: nobody had a place in the first.
        if not part.due and (wave is None or wave.number == 1):
            answer.first_page_out(time.time())
            if answer.latency_ms is not None:
                RELEASE_TO_FIRST_PAGE.observe(answer.latency_ms / 1000)

    async def _fix_and_send(self, answer: Answer, pages: Sequence[_Made], sending: OneAtATime) -> None:
        """Fix pages, then begin to send those that are fixed, once those before are sent."""
        found = await self._releases.fix_pages(
            [each.fixable for each in pages], self._name, self._durability.look()
        )
        if found is None:
            raise _Lost
        fixed, durable = found.pages, self._durability.shown(found.seen, answer.primaries)
        for each in pages[:fixed]:
            answer.told.add(each.fixable.page)
            answer.left_out = each.left_out
            PAGES.inc()
            NOTIFICATIONS.inc(len(each.fixable.page.user_ids))
        answer.stopped = fixed < len(pages)
        if sending.under_way:
            await sending.ended()
            await self._mine(self._renew(answer.name))  # who has it by now has sent these
        sending.begin(self._topic.send(answer, [each.fixable.encoded for each in pages[:fixed]], durable))

    async def _forget_erased(self, answer: Answer) -> None:
        """Erase who was erased after they were chosen, and before it was noted that they are told.

        Whose erasure begins only after that is taken out by it: it comes to this release, too.
        """
        if erased := await self._erased.since(answer.began - SLACK):
            await self._traces.forget_again(answer.name, erased)

    async def _end(self, answer: Answer, reason: str, about: Mapping[str, str | float]) -> None:
        """Emit the summary: nothing follows it."""
        summary = answer.summary(reason)
        await self._mine(self._releases.end_plan(answer.name, self._name, {**about, **answer.totals()}))
        answer.trace.begin("summary")
        await self._topic.send(answer, [encode(summary)])
        await self._mine(self._releases.finish(answer.name, self._name, answer.latency_ms))
        logger.info("release %s: %d pages", answer.name, summary.pages)

    async def _mine(self, step: Awaitable[bool]) -> None:
        if not await step:
            raise _Lost


def _without(page: Page, users: Set[str]) -> Page:
    """Return a page, as it is noted who is told by it, without some listeners."""
    if not users:
        return page
    kept = [at for at, user in enumerate(page.user_ids) if user not in users]
    columns = {name: getattr(page, name) for name in ("user_ids", "cohort_ids", "policies")}
    return page.model_copy(
        update={name: values and [values[at] for at in kept] for name, values in columns.items()}
    )
