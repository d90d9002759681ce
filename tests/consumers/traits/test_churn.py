"""Churn is learned day by day, from a real Redis, with a clock that the tests move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from consumers.traits.churn import Churn
from consumers.traits.looks import LOOK_SECONDS
from models.quality.binary import auc
from models.traits.activity import DAY, FEATURES, ActiveDays, Activities
from models.traits.churn import ChurnModel
from models.traits.churn_span import Span, churned, known
from models.traits.today import align, day_numbers
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.activity_codec import HEAD
from stream.stores.churn import ChurnStore
from stream.stores.listeners import Listeners

SPAN = Span(14, 7)
BEGIN, NUMBER = 20_000, 300
SECONDS = 86_400.0
NOON = SECONDS / 2  # by when a day has begun on all clocks


class World:
    """Listeners who play on some days; from a day of their own on, one in two plays no more."""

    def __init__(self, redis: AnyRedis) -> None:
        self.redis = redis
        random = np.random.default_rng(5)
        leaves = np.where(random.random(NUMBER) < 0.5, random.integers(10, 80, NUMBER), 1000)
        plays = random.random((NUMBER, 100)) < 0.6
        plays[np.arange(100) >= leaves[:, None]] = False
        self.plays = plays
        self.users = [f"u{n}" for n in range(NUMBER)]

    async def live(self, until: int) -> None:
        """Let Redis hold what they did in the days before one."""
        for user, plays in zip(self.users, self.plays, strict=True):
            await self.put(user, (BEGIN + np.flatnonzero(plays[: until - BEGIN])).tolist())
            await self.redis.hset(keys.user(user), "first_seen", BEGIN * SECONDS)

    async def put(self, user: str, active: Sequence[int]) -> None:
        """Let Redis hold on which days a listener was active."""
        days = np.zeros(len(active), dtype=DAY)
        days["day"], days["play"] = active, 3
        head = np.zeros(1, dtype=HEAD)
        head["format"], head["days"] = 1, len(days)
        await self.redis.set(keys.user_activity(user), head.tobytes() + days.tobytes())

    async def sample(self, number: int) -> Sequence[str]:
        return self.users[:number]

    def churn(self) -> Churn:
        return Churn(ChurnStore(self.redis), Listeners(self.redis), self.sample, SPAN, NUMBER)

    async def day(self, churn: Churn, day: int) -> None:
        await self.live(day)
        await looks_twice(churn, day * SECONDS + NOON + 60.0)

    def truth(self, until: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        owner, day = np.nonzero(self.plays)
        days = np.zeros(len(day), dtype=DAY)
        days["day"], days["play"] = BEGIN + day, 3
        active = ActiveDays(NUMBER, owner, days)
        rows, asked = known(active, until, SPAN)
        return rows[asked], churned(active, until, SPAN)[asked]


async def looks_twice(churn: Churn, now: float) -> None:
    """Let it see that no history is on its way."""
    for later in (0.0, LOOK_SECONDS):
        await churn.tick(now + later)


@pytest.fixture
async def world(settings: Settings) -> AsyncIterator[World]:
    client = await open_redis(settings)
    yield World(client)
    await client.aclose()


async def test_nothing_is_said_before_anything_is_known(world: World) -> None:
    churn = world.churn()
    await world.day(churn, BEGIN + 5)
    assert churn.score(np.zeros((1, len(FEATURES)))) is None


async def test_nothing_is_said_of_what_a_few_examples_say(world: World) -> None:
    churn = Churn(ChurnStore(world.redis), Listeners(world.redis), world.sample, SPAN, 20)
    await world.day(churn, BEGIN + 60)
    assert churn.version == 1
    assert 0 < await examples_learned(world) < 200
    assert churn.score(world.truth(BEGIN + 60)[0]) is None


def of_first(world: World, drawn: list[int]) -> Churn:
    """Return what learns of only the first so many listeners; `drawn` says how many."""

    async def sample(_: int) -> Sequence[str]:
        return world.users[: drawn[0]]

    return Churn(ChurnStore(world.redis), Listeners(world.redis), sample, SPAN, NUMBER)


async def test_who_began_with_a_few_examples_learns_from_history_that_comes_later_the_same_day(
    world: World,
) -> None:
    drawn = [10]
    churn = of_first(world, drawn)
    await world.day(churn, BEGIN + 60)
    assert churn.version == 1
    assert churn.score(world.truth(BEGIN + 60)[0]) is None
    drawn[0] = NUMBER
    await looks_twice(churn, (BEGIN + 60) * SECONDS + NOON + 3600.0)
    scores = churn.score(world.truth(BEGIN + 60)[0])
    assert scores is not None
    assert auc(scores, world.truth(BEGIN + 60)[1]) > 0.85


async def test_who_learns_from_the_past_once_more_learns_no_day_twice(world: World) -> None:
    drawn = [10]
    churn = of_first(world, drawn)
    await world.day(churn, BEGIN + 60)
    drawn[0] = NUMBER
    await world.day(churn, BEGIN + 68)
    days = range(BEGIN + 60, BEGIN + 68 - 60 + SPAN.history - 1, -7)
    assert await examples_learned(world) == sum(len(world.truth(day)[1]) for day in days)
    assert await ChurnStore(world.redis).frozen_days() == [BEGIN + 68]


async def test_a_past_that_has_fewer_examples_takes_the_place_of_nothing(world: World) -> None:
    drawn = [20]
    churn = of_first(world, drawn)
    await world.day(churn, BEGIN + 60)
    examples = await examples_learned(world)
    drawn[0] = 5
    await looks_twice(churn, (BEGIN + 60) * SECONDS + NOON + 3600.0)
    assert churn.version == 1
    assert await examples_learned(world) == examples


async def test_who_leaves_is_predicted_once_outcomes_are_known(world: World) -> None:
    churn = world.churn()
    for day in range(BEGIN + 15, BEGIN + 60, 4):
        await world.day(churn, day)
    rows, outcome = world.truth(BEGIN + 60)
    scores = churn.score(rows)
    assert scores is not None
    assert auc(scores, outcome) > 0.85
    found = await ChurnStore(world.redis).figures()
    assert found is not None
    assert found.foresight["auc"] > 0.8
    assert found.foresight["brier"] < found.foresight["brier_of_rate"]


async def test_history_that_is_there_at_the_first_start_is_learned_at_once_and_not_judged(
    world: World,
) -> None:
    churn = world.churn()
    await world.day(churn, BEGIN + 60)
    rows, outcome = world.truth(BEGIN + 60)
    scores = churn.score(rows)
    assert scores is not None
    assert auc(scores, outcome) > 0.85
    found = await ChurnStore(world.redis).figures()
    assert found is not None
    assert found.foresight == {}


async def test_a_day_is_learned_when_its_outcome_is_over_and_a_day_more(world: World) -> None:
    churn, store = world.churn(), ChurnStore(world.redis)
    await world.day(churn, BEGIN + 5)
    await world.day(churn, BEGIN + 12)
    assert await store.frozen_days() == [BEGIN + 5, BEGIN + 12]
    await world.day(churn, BEGIN + 13)
    assert await store.frozen_days() == [BEGIN + 12, BEGIN + 13]
    figures = await store.figures()
    assert figures is not None
    assert figures.learned == BEGIN + 5


async def test_nobody_is_taken_for_gone_while_their_clicks_wait_in_kafka(world: World) -> None:
    churn, store = world.churn(), ChurnStore(world.redis)
    await world.day(churn, BEGIN + 30)
    figures = await store.figures()
    assert figures is not None
    expected = figures.churned
    await world.live(BEGIN + 31)  # ingest stops here
    for day in range(BEGIN + 34, BEGIN + 40):
        await looks_twice(churn, day * SECONDS + NOON)
    assert await store.frozen_days() == [BEGIN + 30]
    await world.day(churn, BEGIN + 40)
    assert await store.frozen_days() == [BEGIN + 40]
    figures = await store.figures()
    assert figures is not None
    assert figures.learned == BEGIN + 30
    assert figures.churned == expected + int(world.truth(BEGIN + 30)[1].sum())


async def test_a_play_yesterday_which_goes_on_behind_utc_is_in_what_is_frozen(world: World) -> None:
    today, churn, store = BEGIN + 20, world.churn(), ChurnStore(world.redis)
    world.plays[0] = np.arange(100) == 10
    await world.live(today)
    await looks_twice(churn, today * SECONDS)
    await world.put("u0", [BEGIN + 10, today - 1])  # in the evening, where it is still yesterday
    await looks_twice(churn, (today + 1) * SECONDS - 3600.0)
    read = await Listeners(world.redis).activities(["u0"])
    days = await store.frozen_days()
    assert days[-1] == today
    for day in days:
        frozen = await store.frozen(day)
        assert frozen is not None
        (row,), _ = known(read.active, day, SPAN, day_numbers(read.first_seen))
        np.testing.assert_array_equal(frozen.rows[frozen.user_ids.index("u0")], row.astype(np.float32))


async def learned_until(world: World, day: int) -> Churn:
    churn = world.churn()
    for each in (BEGIN + 5, BEGIN + 17, day):
        await world.day(churn, each)
    return churn


async def test_a_restart_goes_on_where_it_was(world: World) -> None:
    before = await learned_until(world, BEGIN + 25)
    again = world.churn()
    await world.day(again, BEGIN + 25)
    rows, _ = world.truth(BEGIN + 30)
    assert again.version == before.version
    np.testing.assert_array_equal(again.score(rows), before.score(rows))


async def test_a_day_is_learned_once_though_it_is_frozen_again(world: World) -> None:
    churn, store = await learned_until(world, BEGIN + 25), ChurnStore(world.redis)
    day = await store.frozen(BEGIN + 25)
    assert day is not None
    old = type(day)(BEGIN + 5, SPAN, day.user_ids, day.names, day.rows, day.predicted)
    assert await store.freeze(old)  # a process that died after learning it and before dropping it
    version = churn.version
    again = world.churn()
    await world.day(again, BEGIN + 26)
    assert BEGIN + 5 not in await store.frozen_days()
    assert again.version == version


async def examples_learned(world: World) -> int:
    figures = await ChurnStore(world.redis).figures()
    assert figures is not None
    return figures.examples


async def test_two_processes_learn_a_day_once(world: World) -> None:
    await learned_until(world, BEGIN + 25)
    one, other = world.churn(), world.churn()
    await looks_twice(one, (BEGIN + 25) * SECONDS + NOON)
    await looks_twice(other, (BEGIN + 25) * SECONDS + NOON)
    examples = await examples_learned(world)
    frozen = await ChurnStore(world.redis).frozen(BEGIN + 25)
    await world.live(BEGIN + 33)
    now = (BEGIN + 33) * SECONDS + NOON
    await one.tick(now)
    await other.tick(now)
    for churn in (one, other, other, one):
        await churn.tick(now + LOOK_SECONDS)
    figures = await ChurnStore(world.redis).figures()
    assert figures is not None
    assert figures.version == one.version == other.version
    assert frozen is not None
    assert figures.examples - examples == len(frozen.user_ids) > 0
    rows, _ = world.truth(BEGIN + 30)
    np.testing.assert_array_equal(one.score(rows), other.score(rows))


async def assert_all_are_learned_but(world: World, churn: Churn, others: set[str]) -> None:
    """Let it be known what became of those who were frozen on day 15, of all but some."""
    store = ChurnStore(world.redis)
    before, frozen = await store.figures(), await store.frozen(BEGIN + 15)
    await looks_twice(churn, (BEGIN + 23) * SECONDS + NOON)
    after = await store.figures()
    assert before is not None
    assert after is not None
    assert frozen is not None
    assert after.examples - before.examples == len(set(frozen.user_ids) - others) > 0


async def test_who_was_forgotten_is_not_taken_for_one_who_left(world: World) -> None:
    churn = world.churn()
    for day in (BEGIN + 15, BEGIN + 20):
        await world.day(churn, day)
    gone = set(world.users[: NUMBER // 2])
    await world.live(BEGIN + 23)
    await world.redis.delete(*(key(user) for user in gone for key in (keys.user_activity, keys.user)))
    await assert_all_are_learned_but(world, churn, gone)


async def test_who_was_not_recorded_for_a_time_is_not_taken_for_one_who_left(world: World) -> None:
    churn = world.churn()
    for day in (BEGIN + 15, BEGIN + 20):
        await world.day(churn, day)
    again = set(world.users[: NUMBER // 2])
    await world.live(BEGIN + 23)
    for user in again:
        await world.put(user, [BEGIN + 22])
        await world.redis.hset(keys.user(user), "unrecorded", (BEGIN + 21) * SECONDS)
    await assert_all_are_learned_but(world, churn, again)


async def test_who_is_recorded_again_is_frozen_as_one_who_came_then(world: World) -> None:
    today, churn = BEGIN + 50, world.churn()
    await world.live(today)
    await world.put("u0", [today - 5, today - 2])
    await world.redis.hset(keys.user("u0"), "unrecorded", (today - 6) * SECONDS)
    await looks_twice(churn, today * SECONDS + NOON)
    frozen = await ChurnStore(world.redis).frozen(today)
    assert frozen is not None
    assert frozen.rows[frozen.user_ids.index("u0"), FEATURES.index("tenure")] == 5


async def test_other_spans_begin_anew_and_serve_when_they_have_learned(world: World) -> None:
    before = await learned_until(world, BEGIN + 25)
    other = Churn(ChurnStore(world.redis), Listeners(world.redis), world.sample, Span(14, 5), NUMBER)
    await world.day(other, BEGIN + 29)
    read = await ChurnStore(world.redis).learned()
    assert read is not None
    assert read.span == Span(14, 5)
    assert read.version > before.version
    judged = read.quality.cells.sum()
    await world.day(other, BEGIN + 32)  # who was frozen before was predicted for other spans
    assert (await ChurnStore(world.redis).frozen_days())[0] > BEGIN + 25
    again = await ChurnStore(world.redis).learned()
    assert again is not None
    assert judged == again.quality.cells.sum() == 0


async def test_what_is_written_of_a_listener_is_what_the_model_says_today(world: World) -> None:
    churn, today = await learned_until(world, BEGIN + 25), BEGIN + 26
    read = await Listeners(world.redis).activities([*world.users, "nobody"])
    *fields, nobody = churn.fields(align(read, today), today, 5.0)
    rows, asked = known(read.active, today, SPAN, day_numbers(read.first_seen))
    scores = churn.score(rows)
    assert scores is not None
    said = [f"{score:.5f}" if there else "" for score, there in zip(scores, asked, strict=True)]
    assert [f"{each['churn']:.5f}" if each["churn"] != "" else "" for each in fields] == said[:-1]
    assert nobody == {"churn": ""}
    assert {each["churn:version"] for each in fields if each["churn"] != ""} == {churn.version}


async def test_what_is_done_today_counts_at_once(world: World) -> None:
    churn, today = await learned_until(world, BEGIN + 25), BEGIN + 60
    days = np.zeros(2, dtype=DAY)
    days["day"], days["play"] = [today - 13, today], 3
    came, away = (
        Activities(
            ActiveDays(1, np.zeros(n, dtype=np.int64), days[:n]),
            *[np.array([BEGIN * SECONDS])] * 2,
            np.zeros((1, 24)),
            [{}],
            [{}],
        )
        for n in (2, 1)
    )
    scores = [churn.fields(align(each, today), today, 5.0)[0]["churn"] for each in (came, away)]
    assert float(scores[0]) < float(scores[1])


async def test_who_starts_before_history_comes_learns_from_it_once_it_is_there(world: World) -> None:
    today, churn = BEGIN + 60, world.churn()
    now = today * SECONDS + NOON
    await churn.tick(now)
    await world.live(BEGIN + 40)  # the rest is on its way: all look as if they had left
    await churn.tick(now + 100.0)
    assert churn.version == 0
    await world.live(today)
    await looks_twice(churn, now + 200.0)
    assert churn.version == 1
    assert await ChurnStore(world.redis).frozen_days() == [today]


async def test_history_that_comes_beside_live_plays_is_waited_for(world: World) -> None:
    today, churn, store = BEGIN + 60, world.churn(), ChurnStore(world.redis)
    now = today * SECONDS + NOON
    for later in range(3):
        await world.live(BEGIN + 38 + later)
        await world.put("u0", [today])
        await churn.tick(now + LOOK_SECONDS * later)
    assert churn.version == 0
    assert await store.frozen_days() == []
    await world.live(today)
    await looks_twice(churn, now + LOOK_SECONDS * 3)
    assert churn.version == 1
    assert await store.frozen_days() == [today]


async def test_who_is_erased_while_they_are_frozen_is_in_no_frozen_day(world: World) -> None:
    store, today = ChurnStore(world.redis), BEGIN + 5

    class Erases(Listeners):
        """Erases a listener right after they were read to be frozen, at the second look."""

        reads = 0

        async def activities(self, user_ids: Sequence[str]) -> Activities:
            found = await super().activities(user_ids)
            self.reads += 1
            if self.reads == 3:
                assert len(found.active.days)
                await self.forget("u0")
                await store.forget("u0")
            return found

    world.plays[:2] = True
    await world.live(today)
    churn = Churn(store, Erases(world.redis), world.sample, SPAN, NUMBER)
    await looks_twice(churn, today * SECONDS + NOON)
    frozen = await store.frozen(today)
    assert frozen is not None
    assert "u1" in frozen.user_ids
    assert "u0" not in frozen.user_ids


async def test_a_frozen_day_that_is_damaged_is_passed_over(world: World) -> None:
    churn, store = await learned_until(world, BEGIN + 25), ChurnStore(world.redis)
    version = churn.version
    await world.redis.hset(keys.CHURN_FROZEN, str(BEGIN + 25), b"\x93no")
    await world.day(churn, BEGIN + 40)
    assert churn.version == version
    assert await store.frozen_days() == [BEGIN + 40]


async def test_a_model_that_has_diverged_is_learned_anew_and_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    churn, store = await learned_until(world, BEGIN + 60), ChurnStore(world.redis)
    version = churn.version
    churn._learned.model._mean[3] = np.nan
    assert await store.keep(replace(churn._learned, version=version + 1), instead_of=version)
    again = world.churn()
    await world.day(again, BEGIN + 61)
    assert "has diverged" in caplog.text
    scores = again.score(world.truth(BEGIN + 61)[0])
    assert scores is not None
    assert np.isfinite(scores).all()
    learned = await store.learned()
    assert learned is not None
    assert (learned.version, learned.model.finite) == (again.version, True)
    assert again.version > version + 1


async def test_a_model_that_diverges_while_it_learns_is_not_written_and_learned_anew(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    churn, store = await learned_until(world, BEGIN + 60), ChurnStore(world.redis)
    version = churn.version

    def diverge(model: ChurnModel, *_: object) -> None:
        model._mean = np.full_like(model._mean, np.nan)

    monkeypatch.setattr(ChurnModel, "learn", diverge)
    await world.day(churn, BEGIN + 70)
    monkeypatch.undo()
    assert "churn has diverged on day" in caplog.text
    assert churn.score(world.truth(BEGIN + 70)[0]) is None
    assert await store.version() == version
    await looks_twice(churn, (BEGIN + 70) * SECONDS + NOON + 3600.0)
    assert churn.version == await store.version() == version + 1
    scores = churn.score(world.truth(BEGIN + 70)[0])
    assert scores is not None
    assert np.isfinite(scores).all()
