"""The pages of a release go out once, whatever happens to who sends them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from consumers.work import emitter as emit
from consumers.work.emitter import Emitter
from models.model import Model
from stream.connect import AnyRedis, open_redis
from stream.stores.releases import Audience, Releases
from stream.wire.events import Page, Release
from tests.consumers.desk import Answer, Desk

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
    """Plans another audience every time; `slow` is how many of them wait for `go_on`."""

    slow: int = 0
    asked: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def plan(self, release: Release, model: Model | None, now: float) -> Audience:
        self.asked += 1
        plan = self.asked
        self.begun.set()
        if plan <= self.slow:
            await self.go_on.wait()
        if UNHEARD in release.artist_ids:
            return Audience((), {}, "nobody knows these artists yet", "nothing")
        pages = [
            Page(
                release_id=release.release_id,
                cohort_id="c1",
                page=number,
                user_ids=[f"u{number}, plan {plan}"],
                scores=[0.5],
                model_version=1,
                emitted_at=now,
            )
            for number in range(PAGES)
        ]
        return Audience(tuple(pages), {"c1": 0.5}, "done", "artists")


class NoModel:
    model = None


@dataclass
class House:
    """What workers answer releases with."""

    desk: Desk
    redis: AnyRedis
    producer: AIOKafkaProducer
    plans: Plans = field(default_factory=Plans)

    def worker(self, name: str, steps: float = float("inf")) -> Emitter:
        count = itertools.count()
        releases = Mortal(Releases(self.redis, 3600), count, steps)
        producer = Mortal(self.producer, count, steps)
        return Emitter(self.desk.settings.kafka, releases, self.plans, NoModel(), producer, name)

    def plans_sent(self) -> dict[str, str]:
        """Which plan went out for each release; an AssertionError unless it did so wholly and once."""
        return {release_id: _plan(answer) for release_id, answer in self.desk.answers().items()}


def _plan(answer: Answer) -> str:
    assert [page["page"] for page in answer.pages] == list(range(PAGES))
    (plan,) = {user.partition(", ")[2] for user in answer.told}
    assert [said["pages"] for said in answer.summaries if said["users"]] == [PAGES]
    return plan


@pytest.fixture
async def house(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """Nobody has a release in hand for longer than a moment."""
    monkeypatch.setattr(emit, "IN_HAND", 0.0)
    redis = await open_redis(desk.settings)
    async with AIOKafkaProducer(bootstrap_servers=desk.settings.kafka) as producer:
        yield House(desk, redis, producer)
    await redis.aclose()


def release(release_id: str, artist: str = "ana") -> Release:
    return Release(release_id=release_id, artist_ids=[artist])


@pytest.mark.parametrize("first_artist", ["ana", UNHEARD])
async def test_wherever_a_worker_dies_another_sends_what_is_missing(house: House, first_artist: str) -> None:
    after = house.worker("the next")
    for steps in itertools.count():
        name = f"r{steps}"
        if first_artist == UNHEARD:
            await after.answer(release(name, UNHEARD), 0.0)
        try:
            await house.worker(f"mortal {steps}", steps).answer(release(name), 0.0)
        except Died:
            await after.answer(release(name), 0.0)
        else:
            break
    assert steps > PAGES
    assert house.plans_sent().keys() == {f"r{died_after}" for died_after in range(steps + 1)}


async def test_what_a_worker_has_in_hand_it_does_not_begin_again(house: House) -> None:
    house.plans.slow = 1
    worker = house.worker("w1")
    answering = asyncio.create_task(worker.answer(release("r1"), 0.0))
    await house.plans.begun.wait()
    await worker.finish_open()
    await worker.answer(release("r1"), 0.0)
    house.plans.go_on.set()
    await answering
    assert (house.plans_sent(), house.plans.asked) == ({"r1": "plan 1"}, 1)


async def test_a_plan_that_comes_too_late_is_dropped(house: House) -> None:
    house.plans.slow = 1
    late = asyncio.create_task(house.worker("w1").answer(release("r1"), 0.0))
    await house.plans.begun.wait()
    await house.worker("w2").answer(release("r1"), 0.0)
    house.plans.go_on.set()
    await late
    assert house.plans_sent() == {"r1": "plan 2"}
