"""The pages of a release go out once, whatever happens to who sends them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import LeaderNotAvailableError
from redis.exceptions import ConnectionError as RedisConnectionError

from consumers.actions.forget_listener import forget_listener
from consumers.work import emitter as emit
from consumers.work.draft import Draft
from consumers.work.emitter import Emitter
from consumers.work.gate import Gate
from consumers.work.pages import Outgoing
from consumers.work.planner import NOTHING, Audience, Before
from models.audience import Target
from models.control import Groups
from models.ctr import CtrModel
from models.model import Model
from models.waves import Wave
from stream.connect import AnyRedis, open_redis
from stream.errors import UnknownListener
from stream.retry import Retry
from stream.stores import keys
from stream.stores.durability import Durability
from stream.stores.erased import Erased
from stream.stores.release_traces import ReleaseTraces
from stream.stores.releases import Asked, Fixable, Fixed, Held, Releases, State
from stream.stores.scripts import Call
from stream.stores.told import Caps, Told
from stream.wire.events import Page, Release
from tests.consumers.desk import Desk
from tests.consumers.durable import durable
from tests.consumers.losing_redis import LosingRedis
from tests.consumers.own_redis import OwnRedis
from tests.waiting import wait_for_it

PAGES = emit.AT_ONCE + 2
UNHEARD = "unheard"


class Died(Exception):
    """The worker is no more."""


class Mortal:
    """A store or a producer, used by a worker who has so many steps to live."""

    def __init__(self, thing: Any, steps: itertools.count[int], last: float) -> None:
        self._thing, self._steps, self._last = thing, steps, last

    def __getattr__(self, name: str) -> Any:
        async def step(*given: Any, **named: Any) -> Any:
            if next(self._steps) >= self._last:
                raise Died
            return await getattr(self._thing, name)(*given, **named)

        return step


@dataclass
class Plans:
    """Plans another audience every time; `slow` is how many of them wait for `go_on`.

    `made` counts the pages that were come to. `in_waves`: of two pages, then of the rest.
    """

    slow: int = 0
    made: int = 0
    asked: int = 0
    in_waves: bool = False
    held: Mapping[str, Held] = field(default_factory=dict)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    random: np.random.Generator = field(default_factory=np.random.default_rng)
    first_wave: float = 0.25  # then the next one is the last
    gate: Gate = field(default_factory=lambda: Gate(cast("Told", None), Groups(), Caps()))
    habits: Any = field(default_factory=lambda: SimpleNamespace(model=CtrModel()))

    async def look_up(self, release: Release) -> None:
        """Nothing is to be known."""

    async def roots(self, user_ids: Collection[str]) -> dict[str, str]:
        """Each id is somebody."""
        return {}

    async def plan(
        self, release: Release, lookup: None, model: Model | None, now: float, before: Before = NOTHING
    ) -> Audience:
        self.asked += 1
        plan = self.asked
        self.begun.set()
        if plan <= self.slow:
            await self.go_on.wait()
        if UNHEARD in release.artist_ids:
            nobody = Draft("nobody knows these artists yet", Target(np.zeros(0), "nothing", ()), 1)
            return Audience(release, nobody, _none(), Counter(), {})
        wave = before.wave or (Wave.first(PAGES, self.first_wave) if self.in_waves else None)
        of_others = sum(page.user_ids[0] in self.held for page in before.pages)
        pages = self._pages(release, plan, len(before.pages), of_others, now, wave)
        draft = Draft(
            "done",
            Target(np.zeros(0), "artists", ()),
            1,
            {"c1": 0.5},
            wave=wave,
            ends=not wave or wave.is_last,
        )
        held = {user: each for user, each in self.held.items() if user not in before.placed}
        return Audience(release, draft, pages, Counter(), held)

    async def plan_held(
        self, release: Release, lookup: None, model: Model | None, now: float, before: Before
    ) -> Audience:
        due = [user for user, each in before.held.items() if each.until <= now]
        draft = Draft("done", Target(np.zeros(0), "artists", ()), 1, told=np.arange(len(due)))
        page = self._page(release, len(before.pages), due, now, None)

        async def pages() -> AsyncIterator[Outgoing]:
            yield Outgoing(page, {})

        return Audience(release, draft, pages(), Counter(), {})

    async def _pages(
        self, release: Release, plan: int, first: int, of_others: int, now: float, wave: Wave | None
    ) -> AsyncIterator[Outgoing]:
        for number in range(first, of_others + (wave.until if wave else PAGES)):
            self.made += 1
            yield Outgoing(self._page(release, number, [f"u{number}, plan {plan}"], now, wave), {})

    def _page(
        self, release: Release, number: int, users: Sequence[str], now: float, wave: Wave | None
    ) -> Page:
        return Page(
            release_id=release.release_id,
            page=number,
            user_ids=users,
            cohort_ids=["c1"] * len(users),
            scores=[0.5] * len(users),
            model_version=1,
            emitted_at=now,
            wave=wave.number if wave else None,
        )


async def _none() -> AsyncIterator[Outgoing]:
    return
    yield


class NoModel:
    model = None


@dataclass
class House:
    """What workers answer releases with."""

    desk: Desk
    redis: AnyRedis
    producer: AIOKafkaProducer
    durability: Durability
    plans: Plans = field(default_factory=Plans)

    def worker(self, name: str, steps: float = float("inf"), producer: Any = None) -> Emitter:
        count = itertools.count()
        releases = Mortal(Releases(self.redis, 3600), count, steps)
        producer = producer or Mortal(self.producer, count, steps)
        return Emitter(
            self.desk.settings,
            releases,
            Erased(self.redis),
            ReleaseTraces(self.redis),
            self.durability,
            self.plans,
            NoModel(),
            producer,
            name,
            wave_seconds=0,
        )

    def told(self, release_id: str) -> list[str]:
        """Who was told, page by page; an AssertionError unless each page and a summary went out once."""
        answer = self.desk.answer(release_id)
        assert [page["page"] for page in answer.pages] == list(range(PAGES))
        assert [said["pages"] for said in answer.summaries if said["users"]] == [PAGES]
        return [user for page in answer.pages for user in page["user_ids"]]


def plan_of(told: Sequence[str]) -> list[int]:
    """The number of the plan that each page is of; an AssertionError where an earlier one follows a later."""
    plans = [int(user.rpartition(" ")[2]) for user in told]
    assert plans == sorted(plans)
    return plans


def ask(release_id: str, artist: str = "ana", offset: int = 0) -> Asked:
    published_at = time.time() - 0.01  # Kafka's times are whole milliseconds
    return Asked(Release(release_id=release_id, artist_ids=[artist]), "0", offset, published_at)


@pytest.fixture
async def house(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """Nobody has a release in hand for longer than a moment."""
    monkeypatch.setattr(emit, "IN_HAND", 0.0)
    redis = await open_redis(desk.settings)
    async with AIOKafkaProducer(bootstrap_servers=desk.settings.kafka) as producer:
        yield House(desk, redis, producer, await durable(redis))
    await redis.aclose()


async def test_nobody_is_told_of_a_release_that_kafka_has_had_for_too_long_until_it_is_published_again(
    house: House,
) -> None:
    too_long_ago = time.time() - 3600 * house.desk.settings.release_age_hours - 1
    await house.worker("w").answer([ask("r")._replace(published_at=too_long_ago)])
    answer = house.desk.wait_for("r")
    assert (answer.pages, answer.summary["users"]) == ((), 0)
    assert answer.summary["reason"] == "published too long ago"
    await house.worker("w").answer([ask("r", offset=1)])
    assert house.told("r")


async def test_what_is_missing_of_a_release_goes_out_however_old_it_is(house: House) -> None:
    asked = ask("r")
    with pytest.raises(Died):
        await house.worker("mortal", 6).answer([asked])
    assert await house.redis.hget(keys.release("r"), "state") == b"started"
    too_long_ago = time.time() - 3600 * house.desk.settings.release_age_hours - 1
    await house.redis.hset(keys.release("r"), "published_at", too_long_ago)
    await house.worker("the next").answer([asked._replace(published_at=too_long_ago)])
    assert house.told("r")


@pytest.mark.parametrize(("first_artist", "together"), [("ana", emit.AT_ONCE), (UNHEARD, 2)])
async def test_wherever_a_worker_dies_another_sends_what_is_missing(
    house: House, monkeypatch: pytest.MonkeyPatch, first_artist: str, together: int
) -> None:
    monkeypatch.setattr(emit, "AT_ONCE", together)
    after = house.worker("the next")
    for steps in itertools.count():
        name = f"r{steps}"
        if first_artist == UNHEARD:
            await after.answer([ask(name, UNHEARD)])
        try:
            await house.worker(f"mortal {steps}", steps).answer([ask(name, offset=1)])
        except Died:
            await after.answer([ask(name, offset=1)])
        else:
            break
    assert steps > 2 * PAGES, "each page is fixed, then sent"
    for died_after in range(steps + 1):
        told = house.told(f"r{died_after}")
        assert len(set(plan_of(told))) <= 2, "what was fixed, and what the next planned"
        counted = house.desk.db.hgetall(f"release:{{r{died_after}}}:told")
        assert counted == dict.fromkeys(told, "c1")
        about = house.desk.db.hgetall(f"release:{{r{died_after}}}")
        assert {"state": "done", "audience": str(PAGES), "pages": str(PAGES)}.items() <= about.items()
        assert float(about["latency_ms"]) > 0
    assert house.desk.db.zcard("releases:open") == 0


async def test_wherever_a_worker_dies_in_a_wave_or_between_two_another_goes_on(house: House) -> None:
    house.plans.in_waves = True
    after = house.worker("the next")
    for steps in itertools.count():
        name, mortal = f"r{steps}", house.worker(f"mortal {steps}", steps)
        with contextlib.suppress(Died):
            await mortal.answer([ask(name)])
            await mortal.answer([ask(name)])  # the second wave
            break
        await after.answer([ask(name)])
        await after.finish_abandoned()
    assert steps > 2 * PAGES, "each page is fixed, then sent"
    for died_after in range(steps + 1):
        told = house.told(f"r{died_after}")
        assert len(set(plan_of(told))) <= 3, "two waves, one of them by two workers"
        answer = house.desk.answer(f"r{died_after}")
        assert [page["wave"] for page in answer.pages] == [1] * 2 + [2] * (PAGES - 2)
        assert answer.summary["waves"] == 2
        about = house.desk.db.hgetall(f"release:{{r{died_after}}}")
        assert {"state": "done", "told_by_wave": f"[2, {PAGES - 2}]"}.items() <= about.items()
        assert float(about["latency_ms"]) > 0
        later = house.desk.db.hgetall(f"release:{{r{died_after}}}:parts")
        assert later == dict.fromkeys(told[2:], "2")
    assert house.desk.db.zcard("releases:open") == 0


async def test_wherever_a_worker_dies_who_was_forgotten_before_stays_forgotten_when_another_goes_on(
    house: House,
) -> None:
    house.plans.in_waves = True
    after = house.worker("the next")
    for steps in itertools.count():
        name = f"r{steps}"
        await after.answer([ask(name)])
        (forgotten,) = house.desk.answer(name).pages[0]["user_ids"]
        await forget_listener(house.redis, house.desk.settings, forgotten)
        try:
            await house.worker(f"mortal {steps}", steps).answer([ask(name)])  # the second wave
        except Died:
            await after.answer([ask(name)])
        else:
            break
    assert steps > 2 * (PAGES - 2), "each page is fixed, then sent"
    for died_after in range(steps + 1):
        first, *others = house.told(f"r{died_after}")
        counted = house.desk.db.hgetall(f"release:{{r{died_after}}}:told")
        assert counted == dict.fromkeys(others, "c1"), f"{first} was forgotten"


async def test_who_is_forgotten_between_the_plan_of_a_page_and_its_note_is_in_nothing_that_is_kept(
    house: House,
) -> None:
    house.plans.slow = 1
    forgotten = "u1, plan 1"
    answering = asyncio.create_task(house.worker("w1").answer([ask("r1")]))
    await house.plans.begun.wait()
    with pytest.raises(UnknownListener):  # nothing is kept of them yet
        await forget_listener(house.redis, house.desk.settings, forgotten)
    house.plans.go_on.set()
    await answering
    others = [user for user in house.told("r1") if user != forgotten]
    assert len(others) == PAGES - 1
    assert house.desk.db.hgetall("release:{r1}:told") == dict.fromkeys(others, "c1")


async def test_whom_a_worker_that_died_had_noted_though_they_were_forgotten_another_takes_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit, "RENEW", 3600.0)  # its steps are counted
    house.plans.slow = 1
    forgotten = "u1, plan 1"
    answering = asyncio.create_task(house.worker("mortal", 5).answer([ask("r1")]))
    await house.plans.begun.wait()
    with pytest.raises(UnknownListener):
        await forget_listener(house.redis, house.desk.settings, forgotten)
    house.plans.go_on.set()
    with pytest.raises(Died):
        await answering
    assert house.desk.db.hexists("release:{r1}:told", forgotten)
    await house.worker("the next").answer([ask("r1")])
    others = [user for user in house.told("r1") if user != forgotten]
    assert house.desk.db.hgetall("release:{r1}:told") == dict.fromkeys(others, "c1")


async def test_whom_a_worker_had_no_time_to_note_another_notes(house: House) -> None:
    worker, after = house.worker("mortal", 12), house.worker("the next")
    with pytest.raises(Died):
        await worker.answer([ask("r1")])
    fixed = house.desk.db.lrange("release:{r1}:pages", -emit.AT_ONCE, -1)
    assert len(fixed) == emit.AT_ONCE, "so many are fixed, and noted, in one step"
    for page in fixed:
        house.desk.db.hdel("release:{r1}:told", *Page.model_validate_json(page).user_ids)
    await after.answer([ask("r1")])
    assert house.desk.db.hgetall("release:{r1}:told") == dict.fromkeys(house.told("r1"), "c1")


@pytest.mark.parametrize("in_waves", [False, True])
async def test_wherever_a_worker_dies_who_is_held_is_told_once(house: House, in_waves: bool) -> None:
    house.plans.in_waves = in_waves
    house.plans.held = {f"late {n}": Held(0.0) for n in range(3)}  # their quiet hours are just over
    after = house.worker("the next")
    for steps in itertools.count():
        name, mortal = f"r{steps}", house.worker(f"mortal {steps}", steps)
        with contextlib.suppress(Died):
            await mortal.answer([ask(name)])
            await mortal.answer([ask(name)])
            await mortal.answer([ask(name)])
            break
        for _ in range(4):
            await after.answer([ask(name)])
    assert steps > 2 * PAGES, "each page is fixed, then sent"
    for died_after in range(steps + 1):
        answer = house.desk.answer(f"r{died_after}")
        told = [user for page in answer.pages for user in page["user_ids"]]
        assert Counter(user for user in told if user.startswith("late")) == dict.fromkeys(house.plans.held, 1)
        assert len(told) == PAGES + 3
        assert [page["page"] for page in answer.pages] == list(range(PAGES + 1))
        assert [said["users"] for said in answer.summaries] == [PAGES + 3]
        assert not house.desk.db.exists(f"release:{{r{died_after}}}:held")
    assert house.desk.db.zcard("releases:open") == 0


async def test_a_release_waits_for_those_who_are_held_and_for_nobody_when_it_is_stopped(house: House) -> None:
    house.plans.held = {"late": Held(time.time() + 3600)}
    await house.worker("w1").answer([ask("r1")])
    await house.worker("w2").finish_abandoned()
    about = house.desk.db.hgetall("release:{r1}")
    assert (about["state"], about["held"]) == ("paused", "1")
    assert float(about["held_until"]) == house.plans.held["late"].until
    await Releases(house.redis, 3600).stop("r1", time.time())
    await house.worker("w2").finish_abandoned()
    summary = house.desk.answer("r1").summary
    assert (summary["users"], summary["reason"]) == (PAGES, "stopped")
    assert summary["left_out"] == {"stopped in their quiet hours": 1}


async def test_a_release_goes_on_waiting_for_others_where_one_it_waited_for_is_forgotten(
    house: House,
) -> None:
    house.plans.held = {"soon": Held(time.time()), "late": Held(time.time() + 3600)}
    await house.worker("w1").answer([ask("r1")])
    house.desk.db.hdel("release:{r1}:held", "soon")
    await house.worker("w2").finish_abandoned()
    about = house.desk.db.hgetall("release:{r1}")
    assert (about["state"], about["held"]) == ("paused", "1")
    assert float(about["till"]) == house.plans.held["late"].until
    assert house.desk.answer("r1").summaries == ()
    house.desk.db.hdel("release:{r1}:held", "late")
    house.desk.db.hset("release:{r1}", "till", 0)
    house.desk.db.zadd("releases:open", {"r1": 0})
    await house.worker("w2").finish_abandoned()
    assert house.desk.answer("r1").summary["reason"] == "done"


async def test_nobody_begins_a_wave_before_it_is_due(house: House) -> None:
    house.plans.in_waves = True
    worker = house.worker("w1")
    worker._wave_seconds = 3600
    assert await worker.answer([ask("r1")])
    await house.worker("w2").finish_abandoned()
    assert not await worker.answer([ask("r1")])
    assert house.desk.db.hget("release:{r1}", "state") == "paused"
    assert len(house.desk.answer("r1").pages) == 2


async def test_a_release_that_is_stopped_between_two_waves_is_ended_at_once(house: House) -> None:
    house.plans.in_waves = True
    worker = house.worker("w1")
    worker._wave_seconds = 3600
    await worker.answer([ask("r1")])
    await Releases(house.redis, 3600).stop("r1", time.time())
    await house.worker("w2").finish_abandoned()
    summary = house.desk.answer("r1").summary
    assert (summary["users"], summary["reason"], summary["waves"]) == (2, "stopped", 1)
    assert not await worker.answer([ask("r1", offset=1)]), "it stays stopped"


async def test_a_release_that_is_stopped_while_it_is_planned_tells_nobody(house: House) -> None:
    house.plans.slow = 1
    worker = house.worker("w1")
    answering = asyncio.create_task(worker.answer([ask("r1")]))
    await house.plans.begun.wait()
    await Releases(house.redis, 3600).stop("r1", time.time())
    house.plans.go_on.set()
    await answering
    answer = house.desk.answer("r1")
    assert (answer.pages, answer.summary["reason"]) == ((), "stopped")


async def test_a_release_that_nobody_was_told_of_is_summed_up_once_for_an_event(house: House) -> None:
    worker = house.worker("w1")
    for offset in (0, 0, 1, 0):
        await worker.answer([ask("r1", UNHEARD, offset)])
    assert [said["users"] for said in house.desk.answer("r1").summaries] == [0, 0]


async def test_a_worker_that_stood_still_before_the_end_leaves_the_next_answer_as_it_is(
    house: House,
) -> None:
    releases, unheard = Releases(house.redis, 3600), ask("r1", UNHEARD)

    class Overtaken(Through):
        """Releases of which one is ended by another, and is asked for again, just before it is finished."""

        async def finish(self, release_id: str, holder: str, latency_ms: float | None) -> bool:
            later = time.time() + 60
            assert await releases.claim(unheard, "w2", later, 2.0) == State.PLANNED
            assert await releases.finish(release_id, "w2", None)
            again = unheard._replace(offset=unheard.offset + 1)
            assert await releases.claim(again, "w3", later, 2.0) == State.NEW
            return await releases.finish(release_id, holder, latency_ms)

    worker = house.worker("w1")
    worker._releases = Overtaken(releases)
    assert await worker.answer([unheard]) == 0
    assert (await releases.about("r1"))["state"] == State.NEW


async def test_what_a_worker_has_in_hand_it_does_not_begin_again(house: House) -> None:
    house.plans.slow = 1
    worker = house.worker("w1")
    answering = asyncio.create_task(worker.answer([ask("r1")]))
    await house.plans.begun.wait()
    await worker.finish_abandoned()
    assert not await worker.answer([ask("r1")])
    house.plans.go_on.set()
    assert await answering
    assert set(plan_of(house.told("r1"))) == {1}


async def test_a_plan_that_comes_too_late_is_dropped(house: House) -> None:
    house.plans.slow = 1
    late = asyncio.create_task(house.worker("w1").answer([ask("r1")]))
    await house.plans.begun.wait()
    assert await house.worker("w2").answer([ask("r1")])
    house.plans.go_on.set()
    assert not await late
    assert set(plan_of(house.told("r1"))) == {2}


async def test_a_release_that_takes_long_to_plan_stays_in_hand(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit, "IN_HAND", 3600.0)
    monkeypatch.setattr(emit, "RENEW", 0.01)
    house.plans.slow = 1
    slow = asyncio.create_task(house.worker("w1").answer([ask("r1")]))
    await house.plans.begun.wait()
    house.desk.db.hset("release:{r1}", "till", 0)
    await wait_for_it(lambda: _in_hand(house), "the sign that it is still in hand")
    other = house.worker("w2")
    await other.finish_abandoned()
    assert not await other.answer([ask("r1")])
    house.plans.go_on.set()
    assert await slow
    assert set(plan_of(house.told("r1"))) == {1}


async def _in_hand(house: House) -> bool:
    return float(house.desk.db.hget("release:{r1}", "till")) > 0


async def test_the_first_page_is_out_before_the_others_are_fixed(house: House) -> None:
    worker = house.worker("w1", steps=3)  # claimed, fixed, sent
    with pytest.raises(Died):
        await worker.answer([ask("r1")])
    assert [page["page"] for page in house.desk.answer("r1").pages] == [0]
    assert house.desk.db.llen("release:{r1}:pages") == 1
    assert house.desk.db.hget("release:{r1}", "state") == "started"


class Through:
    """Releases, but for what is told otherwise."""

    def __init__(self, releases: Releases) -> None:
        self._releases = releases

    def __getattr__(self, name: str) -> Any:
        return getattr(self._releases, name)


class Slow(Through):
    """Releases of which no page but the first is fixed before somebody says `go_on`."""

    def __init__(self, releases: Releases) -> None:
        super().__init__(releases)
        self.go_on = asyncio.Event()

    async def fix_pages(self, pages: Sequence[Fixable], *given: Any) -> Fixed | None:
        if pages[0].page.page:
            await self.go_on.wait()
        return await self._releases.fix_pages(pages, *given)


async def test_pages_are_made_while_those_before_are_fixed_but_no_more_than_as_many(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit, "AT_ONCE", 2)
    worker = house.worker("w1")
    worker._releases = slow = Slow(Releases(house.redis, 3600))
    answering = asyncio.create_task(worker.answer([ask("r1")]))
    await wait_for_it(lambda: _made(house, 5), "the pages behind those that are to be fixed")
    for _ in range(100):
        await asyncio.sleep(0)
    assert house.plans.made == 5, "one is out, two are being fixed, two wait"
    assert [page["page"] for page in house.desk.answer("r1").pages] == [0]
    slow.go_on.set()
    await answering
    house.told("r1")


async def _made(house: House, number: int) -> bool:
    return house.plans.made >= number


async def test_a_worker_whose_release_is_stopped_in_the_middle_counts_what_is_fixed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit, "AT_ONCE", 2)
    worker = house.worker("w1")
    worker._releases = slow = Slow(Releases(house.redis, 3600))
    answering = asyncio.create_task(worker.answer([ask("r1")]))
    await wait_for_it(lambda: _made(house, 5), "the pages behind those that are to be fixed")
    await Releases(house.redis, 3600).stop("r1", time.time())
    slow.go_on.set()
    await answering
    answer = house.desk.answer("r1")
    assert [page["page"] for page in answer.pages] == [0]
    assert (answer.summary["pages"], answer.summary["users"], answer.summary["reason"]) == (1, 1, "stopped")
    assert list(house.desk.db.hgetall("release:{r1}:told")) == answer.pages[0]["user_ids"]


class Unreachable(Through):
    """Releases of which once no page can be fixed from the fourth on: Redis does not answer."""

    def __init__(self, releases: Releases) -> None:
        super().__init__(releases)
        self._answers = False

    async def fix_pages(self, pages: Sequence[Fixable], *given: Any) -> Fixed | None:
        if pages[0].page.page == 3 and not self._answers:
            self._answers = True
            raise RedisConnectionError
        return await self._releases.fix_pages(pages, *given)


async def test_pages_on_their_way_when_redis_fails_are_not_sent_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit, "AT_ONCE", 2)
    servers = house.desk.settings.kafka
    async with AIOKafkaProducer(bootstrap_servers=servers, linger_ms=1500) as house.producer:
        worker = house.worker("w1")
        worker._releases = Unreachable(Releases(house.redis, 3600))
        with pytest.raises(RedisConnectionError):
            await worker.answer([ask("r1")])
        assert await worker.answer([ask("r1")])
    house.told("r1")


async def test_pages_that_redis_lost_before_they_were_out_are_planned_anew(
    house: House, own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit, "AT_ONCE", 2)
    own_redis.start()
    redis = await open_redis(house.desk.settings.model_copy(update={"redis": own_redis.url}))
    releases = Releases(redis, 3600)
    fix, end = releases.fix_pages, 0

    async def syncs(pages: Sequence[Fixable], holder: str, look: Sequence[Call] = ()) -> Fixed | None:
        """Fix pages; from the second time on nothing shows that Redis keeps them."""
        nonlocal end
        found, before = await fix(pages, holder, look if not pages[0].page.page else ()), end
        end = before or own_redis.appended()
        return found

    monkeypatch.setattr(releases, "fix_pages", syncs)
    losing = LosingRedis(redis, lambda: own_redis.lose(end))
    await losing.begin()
    worker = House(house.desk, redis, house.producer, losing, house.plans).worker("w1")
    worker._releases = releases
    await Retry(asyncio.Event())("answering", worker.answer, [ask("r1")])
    assert plan_of(house.told("r1")) == [1, *[2] * (PAGES - 1)], "of the first plan one page had gone out"
    await redis.aclose()


class Unacknowledged:
    """A producer that says of no page but the first that it is out, before somebody says `go_on`."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._first = True
        self.go_on = asyncio.Event()

    async def send(self, *given: Any, **named: Any) -> asyncio.Future[Any]:
        sent = await self._producer.send(*given, **named)
        first, self._first = self._first, False
        return sent if first else asyncio.ensure_future(self._heard(sent))

    async def _heard(self, sent: asyncio.Future[Any]) -> Any:
        await sent
        await self.go_on.wait()


async def test_a_worker_that_has_lost_its_release_does_not_send_pages_that_waited_for_those_before(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit, "AT_ONCE", 2)
    producer = Unacknowledged(house.producer)
    silent = house.worker("w1", producer=producer)
    answering = asyncio.create_task(silent.answer([ask("r1")]))
    await wait_for_it(lambda: _fixed(house, 5), "pages that wait until those before are out")
    assert await house.worker("w2").answer([ask("r1")])
    producer.go_on.set()
    assert not await answering
    house.told("r1")


async def _fixed(house: House, number: int) -> bool:
    return house.desk.db.llen("release:{r1}:pages") >= number


async def test_the_first_page_is_sent_before_the_others_are_made(house: House) -> None:
    worker = house.worker("w1", steps=2)  # claimed, fixed
    with pytest.raises(Died):
        await worker.answer([ask("r1")])
    assert house.plans.made == 1


class Away(Through):
    """Releases of which none can be taken in hand the first time: Redis does not answer, for so long."""

    def __init__(self, releases: Releases) -> None:
        super().__init__(releases)
        self.asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def claim(self, asked: Asked, holder: str, now: float, seconds: float) -> State | None:
        if not self.asked.is_set():
            self.asked.set()
            await self.go_on.wait()
            raise RedisConnectionError
        return await self._releases.claim(asked, holder, now, seconds)


async def test_a_release_whose_attempt_fails_while_an_agent_asks_is_answered_before_it_is_acknowledged(
    house: House,
) -> None:
    worker = house.worker("w1")
    worker._releases = away = Away(Releases(house.redis, 3600))
    reading = asyncio.create_task(worker.answer([ask("r1")]))
    await away.asked.wait()
    acknowledged = asyncio.create_task(worker.answer_for_good(ask("r1")))
    await asyncio.sleep(0)  # it asks while the attempt is under way
    assert not acknowledged.done()
    away.go_on.set()
    with pytest.raises(RedisConnectionError):
        await reading
    assert await acknowledged == 1
    house.told("r1")


async def test_an_agent_that_is_broken_off_leaves_a_release_in_hand_to_who_has_it(house: House) -> None:
    house.plans.slow = 1
    worker = house.worker("w1")
    reading = asyncio.create_task(worker.answer([ask("r1")]))
    await house.plans.begun.wait()
    agent = asyncio.create_task(worker.answer_for_good(ask("r1")))
    await asyncio.sleep(0)
    assert not agent.done()
    agent.cancel()
    with pytest.raises(asyncio.CancelledError):
        await agent
    house.plans.go_on.set()
    assert await reading == 1
    house.told("r1")


async def test_an_agent_does_not_wait_for_the_next_wave(house: House) -> None:
    house.plans.in_waves, house.plans.slow = True, 1
    worker = house.worker("w1")
    worker._wave_seconds = 3600
    reading = asyncio.create_task(worker.answer([ask("r1")]))
    await house.plans.begun.wait()
    agent = asyncio.create_task(worker.answer_for_good(ask("r1")))
    house.plans.go_on.set()
    assert await agent == 0
    assert await reading == 1
    assert house.desk.db.hget("release:{r1}", "state") == "paused"
    assert len(house.desk.answer("r1").pages) == 2


class Leaderless:
    """A producer whose broker loses one page, and keeps those behind it until somebody says `go_on`."""

    def __init__(self, producer: AIOKafkaProducer, lost: int) -> None:
        self._producer = producer
        self._left = lost
        self.lost = asyncio.Event()
        self.go_on = asyncio.Event()

    async def send(self, *given: Any, **named: Any) -> asyncio.Future[Any]:
        self._left -= 1
        if self._left == 0:
            self.lost.set()
            failed = asyncio.get_running_loop().create_future()
            failed.set_exception(LeaderNotAvailableError())
            return failed
        if self._left == -1:
            return asyncio.ensure_future(self._late(given, named))
        sent: asyncio.Future[Any] = await self._producer.send(*given, **named)
        return sent

    async def partitions_for(self, topic: str) -> set[int]:
        return set(await self._producer.partitions_for(topic))

    async def _late(self, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
        await self.go_on.wait()
        return await self._producer.send_and_wait(*given, **named)


async def test_pages_behind_one_that_the_broker_lost_are_not_sent_again_while_they_are_on_their_way(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emit, "AT_ONCE", 2)
    producer = Leaderless(house.producer, lost=PAGES - 1)
    worker = house.worker("w1", producer=producer)
    answering = asyncio.create_task(worker.answer([ask("r1")]))
    await producer.lost.wait()
    for _ in range(100):
        await asyncio.sleep(0)
    assert not answering.done(), "the last page is on its way"
    producer.go_on.set()
    with pytest.raises(LeaderNotAvailableError):
        await answering
    assert await worker.answer([ask("r1")])
    answer = house.desk.answer("r1")
    assert sorted(page["page"] for page in answer.pages) == list(range(PAGES)), "each once"
    assert answer.summary["pages"] == PAGES
