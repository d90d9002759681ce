"""Releases in Redis: who has one in hand, its pages before they go out, and what came of it.

A release goes through the states of `State`, forward only; each step is one script, which first makes sure
that the release is still in the hand of the worker who asks:

    (nothing) --claim--> NEW --fix--> STARTED --fix--> ... --end_plan--> PLANNED --finish--> DONE
                                        |  ^
                                  pause v  | fix
                                       PAUSED

NEW      Somebody has it in hand. Nothing is fixed: after a crash it is planned from the start.
STARTED  Some pages are fixed, numbered from 0; each may be out or not. The first is fixed and emitted before
         the others are fixed. After a crash those that are not in the topic are emitted, and further pages
         are planned for listeners who are in none of them.
PAUSED   What could go out is out. Nobody may take the release in hand until more is due: another wave, or
         listeners whose quiet hours have ended; then anybody may. From NEW it may come here without a page.
PLANNED  All pages are fixed; some, and the summary, may be out. After a crash what is missing is emitted.
DONE     All is out. Where nobody was told (NEW goes to PLANNED without a page), a later event of the same id
         makes it NEW again.

A page is fixed as the bytes that go to Kafka, before it goes there, so it never differs. It goes out once, as
whoever has the release in hand looks in the topic for what is out already. A worker has a release in hand for
some seconds at a time and keeps it by `renew`; the set `releases:open` names those that are not done.

A release that is stopped has no page fixed any more, whatever its state; whoever has it in hand, or takes it
next, ends its plan.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate, chain
from types import MappingProxyType
from typing import Any, NamedTuple

import msgpack
import numpy as np
import numpy.typing as npt

from models.control import USUAL
from models.waves import Wave
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.decisions import learn, packed
from stream.stores.released_songs import watch
from stream.stores.scripts import Call, Script, call_all
from stream.wire.events import Page, Release, encode

__all__ = ["Asked", "Fixable", "Fixed", "Held", "OpenRelease", "Releases", "Response", "State"]

Singles = npt.NDArray[np.float32]

NOBODY: Mapping[str, str] = MappingProxyType({})

WAVE = (b"wave", b"wave_until", b"aimed")  # the fields of `models.waves.Wave`
FIRST_PARTS = ("1", USUAL, f"1 {USUAL}")  # a first wave, the usual policy
STOPPED = 2  # a script's word for it

TOLD_IN_A_SCRIPT = 250  # listeners: Redis is held up for a tenth of a millisecond


class State(StrEnum):
    """How far a release is; the module says what each means."""

    NEW = "new"
    STARTED = "started"
    PAUSED = "paused"
    PLANNED = "planned"
    DONE = "done"


class Fixed(NamedTuple):
    """What came of pages that were to be fixed.

    Attributes
    ----------
    pages
        How many of them, from the first on, are fixed: fewer than all where somebody has stopped the release.
    seen
        What was answered to the look after them.
    """

    pages: int
    seen: Sequence[Any]


class Held(NamedTuple):
    """A listener of a release whose quiet hours are not over.

    Attributes
    ----------
    until
        When they are, in Unix seconds.
    propensity
        How likely the listener was to be told.
    drawn
        Whether they are drawn for comparison: then they have no place in the audience.
    """

    until: float
    propensity: float = 1.0
    drawn: bool = False


class Fixable(NamedTuple):
    """A page that is to be fixed.

    Attributes
    ----------
    encoded
        The page as it goes to Kafka.
    about
        What is to be known of the release from then on.
    control
        Listeners who would be on it and are not told, for comparison -> cohort.
    features
        Shape (n, d), what is known of each listener on it (`models.ctr.features`), to learn from.
    """

    page: Page
    encoded: bytes
    about: Mapping[str, str | float]
    control: Mapping[str, str] = NOBODY
    features: Singles | None = None


class Asked(NamedTuple):
    """A release event and its place in Kafka.

    Attributes
    ----------
    source
        Its partition (a `models.listener.OffsetSource`).
    published_at
        When it was published, in Unix seconds; None: it is not known.
    traceparent
        The trace that it is part of, as W3C's trace context writes it; "": none.
    """

    release: Release
    source: str
    offset: int
    published_at: float | None
    traceparent: str = ""


@dataclass(frozen=True)
class OpenRelease:
    """A release that a worker has left in the middle.

    Attributes
    ----------
    asked
        The event that it answers.
    state
        STARTED, PAUSED or PLANNED.
    reason
        "done", or why there is nobody to tell.
    planned_at
        When the first page was planned, in Unix seconds.
    pages
        Those that are fixed, as they go to Kafka.
    left_out
        Why others who would be on them are not, and how many.
    wave
        The one that is going out, or went out last; None: it goes out all at once.
    stopped
        Whether somebody has stopped it.
    control
        The listeners of its control group.
    factors
        Wave -> cohort -> how many times as often as by the model it was expected to click then.
    held
        Listener -> until when they are not to be disturbed.
    next_wave_at
        When the next wave is due, in Unix seconds; 0: none is.
    """

    asked: Asked
    state: State
    reason: str
    planned_at: float
    pages: list[bytes]
    left_out: dict[str, int]
    wave: Wave | None = None
    stopped: bool = False
    control: frozenset[str] = frozenset()
    factors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    held: Mapping[str, Held] = field(default_factory=dict)
    next_wave_at: float = 0.0


@dataclass(frozen=True)
class Response:
    """What came of a release.

    Attributes
    ----------
    counts
        ``COHORT:KIND`` -> feedback events.
    play_rate, predicted_ctr
        Cohort -> predicted play rate, predicted CTR; no CTR before the first CTR model.
    control
        How many listeners are in its control group.
    by_part
        ``PART:KIND`` -> feedback events (`stream.stores.keys.release_part_counts`).
    reports_sent
        Whether any of what was sent is reported; else it is known only of those who did something.
    """

    counts: dict[str, int]
    play_rate: dict[str, float]
    control: int
    by_part: dict[str, int] = field(default_factory=dict)
    reports_sent: bool = True
    predicted_ctr: dict[str, float] = field(default_factory=dict)

    def of_part(self, name: str, kind: str) -> int:
        """Return how many feedback events of a kind there are for a wave ("2"), or a policy ("taste")."""
        found = ((part.rpartition(":"), number) for part, number in self.by_part.items())
        return sum(number for (part, _, its), number in found if its == kind and name in part.split())

    def of_all(self, kind: str) -> int:
        """Return how many feedback events of a kind there are in all cohorts."""
        return sum(number for name, number in self.counts.items() if name.partition(":")[2] == kind)


class Releases:
    """The store of releases.

    Parameters
    ----------
    keep_seconds
        For how long a release that is done is remembered.
    played_within
        Seconds from its plan within which plays of its song count for it.
    learn_after
        Seconds from its last page until it is learned who clicked.
    """

    def __init__(
        self,
        redis: AnyRedis,
        keep_seconds: float,
        played_within: float = 86_400.0,
        learn_after: float = 3600.0,
    ) -> None:
        self._redis = redis
        self._played_within = played_within
        self._learn_after = learn_after
        self._keep = int(keep_seconds)
        self._claim, self._renew = Script("claim_release"), Script("renew_release")
        self._fix_page, self._add_told = Script("fix_page"), Script("add_told")
        self._end_plan, self._finish = Script("end_plan"), Script("finish_release")
        self._pause, self._stop = Script("pause_release"), Script("stop_release")
        self._hold = Script("hold_told")

    async def claim(self, asked: Asked, holder: str, now: float, seconds: float) -> State | None:
        """Take a release in hand for some seconds; None: another has it. In one round trip.

        DONE: it is answered, and is not in hand.
        """
        name = asked.release.release_id
        published = "" if asked.published_at is None else asked.published_at
        given: list[bytes | str | float] = [
            holder,
            now,
            now + seconds,
            encode(asked.release),
            asked.source,
            asked.offset,
            published,
        ]
        written = [
            keys.release(name), keys.release_held(name), keys.release_control(name),
            keys.release_seen(name), keys.release_counts(name), keys.release_part_counts(name),
            keys.release_told(name), keys.release_parts(name), keys.release_decisions(name),
        ]  # fmt: skip
        # Before it is ours: whoever dies now leaves a release open that others look after. When it was first
        # asked for stays: one that every worker fails at waits since then.
        waits = Call("ZADD", [keys.RELEASES_OPEN], ["NX", now, name])
        _, answer = await call_all(self._redis, [waits, Call(self._claim, written, given)])
        if answer == b"taken":
            return None
        state = State(answer.decode())
        if state == State.DONE:
            await self._redis.zrem(keys.RELEASES_OPEN, name)
        return state

    async def renew(self, release_id: str, holder: str, until: float) -> bool:
        """Keep a release in hand until a time; False: another has it by now."""
        return bool(await self._renew(self._redis, [keys.release(release_id)], holder, until))

    async def fix_pages(
        self, pages: Sequence[Fixable], holder: str, look: Sequence[Call] = ()
    ) -> Fixed | None:
        """Fix the next pages, and who is told by them, in one round trip; may be repeated.

        Parameters
        ----------
        look
            Is called after all, in the same round trip (`stream.stores.durability.Durability.look`).

        Returns
        -------
        None: the release is no longer in the holder's hand.
        """
        # Noted before anything is fixed: it may be repeated, and who dies now has forgotten none.
        noted = [call for each in pages for call in self._noted(each)]
        fixed = [[self._fix(each, holder), *self._told(each.page, holder)] for each in pages]
        answers = (await call_all(self._redis, [*noted, *chain.from_iterable(fixed), *look]))[len(noted) :]
        *of_fix, end = [0, *accumulate(map(len, fixed))]
        if not all(answers[:end]):
            return None
        return Fixed([*(answers[at] for at in of_fix), STOPPED].index(STOPPED), answers[end:])

    def _noted(self, each: Fixable) -> list[Call]:
        """Return the calls that note, beside its release, that a page is about to be fixed."""
        name, about = each.page.release_id, each.about
        noted = []
        planned_at = float(about.get("planned_at", 0))
        if planned_at:
            noted.append(Call("ZADD", [keys.RELEASES], [planned_at, name]))
        if "song_id" in about:
            noted.append(watch(name, str(about["song_id"]), planned_at + self._played_within))
        if each.features is not None:
            noted.append(learn(name, each.page.emitted_at + self._learn_after))
        return noted

    def _fix(self, each: Fixable, holder: str) -> Call:
        page, name = each.page, each.page.release_id
        about = {**each.about, "last_page_at": page.emitted_at}
        return Call(
            self._fix_page,
            [
                keys.release(name),
                keys.release_pages(name),
                keys.release_control(name),
                keys.release_decisions(name),
            ],
            [
                holder,
                page.page,
                each.encoded,
                msgpack.packb([part for pair in each.control.items() for part in pair], use_bin_type=False),
                b"" if each.features is None else packed(page.user_ids, each.features),
                *[part for field in about.items() for part in field],
            ],
        )

    async def tell(self, page: Page, holder: str) -> bool:
        """Note once more who is told by a page that is fixed; False: the release is in another's hand."""
        return all(await call_all(self._redis, self._told(page, holder)))

    def _told(self, page: Page, holder: str) -> list[Call]:
        name = page.release_id
        written = [
            keys.release(name),
            keys.release_told(name),
            keys.release_parts(name),
            keys.release_pages(name),
        ]
        wave = str(page.wave or "")
        return [
            Call(
                self._add_told,
                written,
                [
                    holder,
                    page.page,
                    _pairs(page.user_ids[at:end], page.cohort_ids[at:end]),
                    _parts(page.user_ids[at:end], wave, page.policies and page.policies[at:end]),
                ],
            )
            for at in range(0, len(page.user_ids), TOLD_IN_A_SCRIPT)
            for end in [at + TOLD_IN_A_SCRIPT]
        ]

    async def predict(
        self, release_id: str, play_rate: Mapping[str, float], ctr: Mapping[str, float] | None = None
    ) -> None:
        """Write what is predicted for each cohort: play rate, and CTR once that is learned."""
        predicted = {
            keys.release_cohorts(release_id): ctr or play_rate,
            keys.release_play_rates(release_id): play_rate,
        }
        pipeline = self._redis.pipeline(transaction=False)
        for key, of_cohorts in predicted.items():
            pipeline.delete(key)
            rates = list(of_cohorts.items())
            for at in range(0, len(rates), TOLD_IN_A_SCRIPT):
                pipeline.zadd(key, dict(rates[at : at + TOLD_IN_A_SCRIPT]))
        await pipeline.execute()

    async def end_plan(self, release_id: str, holder: str, about: Mapping[str, str | float]) -> bool:
        """Say that all pages are fixed; False: the release is no longer in the holder's hand."""
        fields = [part for field in about.items() for part in field]
        return bool(await self._end_plan(self._redis, [keys.release(release_id)], holder, *fields))

    async def pause(
        self, release_id: str, holder: str, until: float, about: Mapping[str, str | float]
    ) -> bool:
        """Let a release go until more of it is due (Unix seconds).

        Returns
        -------
        False: it is no longer in the holder's hand.
        """
        fields = [part for pair in about.items() for part in pair]
        paused = await self._pause(self._redis, [keys.release(release_id)], holder, until, *fields)
        if paused:
            due = 0.0 if paused == STOPPED else until
            await self._redis.zadd(keys.RELEASES_OPEN, {release_id: due}, xx=True)
        if paused and "planned_at" in about:
            await self._redis.zadd(keys.RELEASES, {release_id: float(about["planned_at"])})
        return bool(paused)

    async def hold(
        self,
        release_id: str,
        holder: str,
        held: Mapping[str, Held],
        no_longer: Collection[str] = (),
        control: Mapping[str, str] = NOBODY,
    ) -> bool:
        """Note listeners who are told later, and who of them are not `held` any more; may be repeated.

        Parameters
        ----------
        control
            Listeners of the control group who were drawn behind the last page -> cohort.

        Returns
        -------
        False: the release is no longer in the holder's hand.
        """
        written = [keys.release(release_id), keys.release_held(release_id), keys.release_control(release_id)]
        noted = [part for user, each in held.items() for part in (user, json.dumps(each))]
        struck, apart = list(no_longer), [part for pair in control.items() for part in pair]
        steps = range(0, max(len(noted), 2 * len(struck), len(apart)), 2 * TOLD_IN_A_SCRIPT)
        calls = [
            Call(
                self._hold,
                written,
                [
                    holder,
                    msgpack.packb(noted[at : at + 2 * TOLD_IN_A_SCRIPT], use_bin_type=False),
                    msgpack.packb(struck[at // 2 : at // 2 + TOLD_IN_A_SCRIPT], use_bin_type=False),
                    msgpack.packb(apart[at : at + 2 * TOLD_IN_A_SCRIPT], use_bin_type=False),
                ],
            )
            for at in steps
        ]
        return all(await call_all(self._redis, calls))

    async def stop(self, release_id: str, now: float) -> State | None:
        """Stop a release at once (`now`: Unix seconds); return its state before, None where there is none.

        PLANNED, DONE: all of it is fixed, and nothing is stopped.
        """
        state = (await self._stop(self._redis, [keys.release(release_id)], now)).decode()
        if state == State.PAUSED:
            await self._redis.zadd(keys.RELEASES_OPEN, {release_id: now}, xx=True)
        return State(state) if state else None

    async def told(self, release_id: str) -> int:
        """Return how many listeners are on the pages that are fixed."""
        return int(await self._redis.hlen(keys.release_told(release_id)))

    async def left_by(self, release_id: str) -> OpenRelease:
        """Return what is fixed of a release that is STARTED, PAUSED or PLANNED."""
        found = await self._redis.hgetall(keys.release(release_id))
        pages = list(await self._redis.lrange(keys.release_pages(release_id), 0, -1))
        held = await self._redis.hgetall(keys.release_held(release_id))
        return OpenRelease(
            _asked(found),
            State(found[b"state"].decode()),
            found[b"reason"].decode(),
            float(found[b"planned_at"]),
            pages,
            json.loads(found.get(b"left_out", b"{}")),
            Wave(*[int(found[name]) for name in WAVE]) if WAVE[0] in found else None,
            b"stopped_at" in found,
            frozenset(user.decode() for user in await self._redis.hkeys(keys.release_control(release_id))),
            json.loads(found.get(b"factors", b"{}")),
            {user.decode(): Held(*json.loads(each)) for user, each in held.items()},
            float(found.get(b"next_wave_at", 0)),
        )

    async def about(self, release_id: str) -> dict[str, str]:
        """Return the release's hash."""
        found = await self._redis.hgetall(keys.release(release_id))
        return {field.decode(): value.decode() for field, value in found.items() if field != b"event"}

    async def about_each(self, release_ids: Sequence[str], fields: Sequence[str]) -> list[dict[str, str]]:
        """Return some fields of releases' hashes; "" for what is not there."""
        pipeline = self._redis.pipeline(transaction=False)
        for release_id in release_ids:
            pipeline.hmget(keys.release(release_id), list(fields))
        found = await pipeline.execute() if release_ids else []
        return [
            {field: (value or b"").decode() for field, value in zip(fields, values, strict=True)}
            for values in found
        ]

    async def counts_in(
        self, cohort: str, release_ids: Sequence[str], kinds: Sequence[str]
    ) -> list[list[int]]:
        """Return how many feedback events of some kinds each release had in one cohort."""
        pipeline = self._redis.pipeline(transaction=False)
        for release_id in release_ids:
            pipeline.hmget(keys.release_counts(release_id), [f"{cohort}:{kind}" for kind in kinds])
        found = await pipeline.execute() if release_ids else []
        return [[int(number or 0) for number in numbers] for numbers in found]

    async def latest(self, number: int, now: float) -> list[str]:
        """Return the releases that somebody was told of, the latest first (`now`: Unix seconds)."""
        await self._redis.zremrangebyscore(keys.RELEASES, "-inf", now - self._keep)
        return [name.decode() for name in await self._redis.zrevrange(keys.RELEASES, 0, number - 1)]

    async def response(self, release_id: str) -> Response:
        """Return what came of it by cohort, and the size of its control group."""
        counts = await self._redis.hgetall(keys.release_counts(release_id))
        by_part = await self._redis.hgetall(keys.release_part_counts(release_id))
        sent, implied, ctr = await self._redis.hmget(
            keys.release(release_id), ["sent", "sent_implied", "expected_ctr"]
        )
        return Response(
            {field.decode(): int(number) for field, number in counts.items()},
            await self._rates(keys.release_play_rates(release_id)),
            int(await self._redis.hlen(keys.release_control(release_id))),
            {field.decode(): int(number) for field, number in by_part.items()},
            int(sent or 0) > int(implied or 0),
            await self._rates(keys.release_cohorts(release_id)) if ctr else {},
        )

    async def _rates(self, key: str) -> dict[str, float]:
        found = await self._redis.zrange(key, 0, -1, withscores=True)
        return {cohort.decode(): rate for cohort, rate in found}

    async def finish(self, release_id: str, holder: str, latency_ms: float | None) -> bool:
        """All pages are out: the release is done, and fades after its days; may be repeated.

        Returns
        -------
        False: it is no longer in the holder's hand.
        """
        written = [
            keys.release(release_id), keys.release_pages(release_id), keys.release_held(release_id),
            keys.release_cohorts(release_id), keys.release_play_rates(release_id),
            keys.release_told(release_id), keys.release_parts(release_id),
            keys.release_part_counts(release_id), keys.release_control(release_id),
            keys.release_decisions(release_id),
        ]  # fmt: skip
        fields = () if latency_ms is None else ("latency_ms", round(latency_ms, 1))
        finished = bool(await self._finish(self._redis, written, holder, self._keep, *fields))
        if finished:
            await self._redis.zrem(keys.RELEASES_OPEN, release_id)
        return finished

    async def unfinished(self, until: float = float("inf")) -> list[tuple[str, float]]:
        """Return the releases, not done, of which more is due until a time, and when; rising.

        Of one that is in the middle that is when it was asked for. All are Unix seconds.
        """
        found = await self._redis.zrangebyscore(keys.RELEASES_OPEN, "-inf", until, withscores=True)
        return [(name.decode(), due) for name, due in found]

    async def abandoned(self, now: float) -> list[Asked]:
        """Return the releases that are not done and in nobody's hand at a time."""
        found = [await self._redis.hgetall(keys.release(name)) for name, _ in await self.unfinished(now)]
        return [_asked(about) for about in found if b"event" in about and float(about[b"till"]) <= now]

    async def left_open(self, before: float) -> list[Release]:
        """Return the releases, not done, that were asked for, or of which more was due, before a time."""
        events = [
            await self._redis.hget(keys.release(name), "event") for name, _ in await self.unfinished(before)
        ]
        return [Release.model_validate_json(event) for event in events if event]


def _asked(found: Mapping[bytes, bytes]) -> Asked:
    return Asked(
        Release.model_validate_json(found[b"event"]),
        found.get(b"source", b"").decode(),
        int(found.get(b"offset", 0)),
        float(found[b"published_at"]) if found.get(b"published_at") else None,
        found.get(b"traceparent", b"").decode(),
    )


def _pairs(names: Sequence[str], values: Sequence[str]) -> bytes:
    """Pack names and what belongs to each, in turns."""
    turns = [""] * (2 * len(names))
    turns[::2], turns[1::2] = names, values
    pairs: bytes = msgpack.packb(turns, use_bin_type=False)
    return pairs


def _parts(users: Sequence[str], wave: str, policies: Sequence[str] | None) -> bytes:
    """Pack the parts of those listeners who are in another than the first."""
    if policies is None:
        return _pairs(users, [wave] * len(users)) if wave and wave not in FIRST_PARTS else _pairs((), ())
    parts = [f"{wave} {policy}".strip() for policy in policies]
    others = [at for at, part in enumerate(parts) if part not in FIRST_PARTS]
    return _pairs([users[at] for at in others], [parts[at] for at in others])
