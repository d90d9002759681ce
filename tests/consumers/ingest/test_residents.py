"""Listeners who stay in an ingester's memory: what anybody else writes meanwhile is never overwritten."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from consumers.ingest import apply as apply_module
from consumers.ingest.apply import Applier
from models.affinity import ForwardDecay
from models.listener import Click, Listener, OffsetSource, Rules
from models.residents import Residents
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores import taste_codec as tastes
from stream.stores.listeners import Listeners
from tests.consumers.ingest.test_apply import NOW, by_user, history
from tests.consumers.redis_state import State, assert_same, read_state
from tests.consumers.small_model import ARTISTS, made_up_model, small_model

RULES = Rules(ForwardDecay(), margin=0.02, max_artists=4, bot_clicks_per_hour=1000)
MODEL = small_model()
USERS = tuple(f"u{number}" for number in range(5))


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[AnyRedis]:
    # A disk under load may hold Redis up for longer than the five seconds after which a process tries again,
    # which appliers do not do by themselves.
    redis = await open_redis(settings.model_copy(update={"redis": f"{settings.redis}?socket_timeout=60"}))
    yield redis
    await redis.aclose()


def applier(redis: AnyRedis, resident_mb: float = 512.0) -> Applier:
    return Applier(Listeners(redis), RULES, resident_mb)


def click(user: str, artist: str, offset: int, partition: int = 0) -> Click:
    return Click(user, OffsetSource(partition), offset, NOW - 1000 + offset, "s", (artist,), "play")


async def apply(applier: Applier, clicks: Sequence[Click], version: int = MODEL.version) -> None:
    await applier.apply(by_user(clicks), small_model(version), NOW)


async def held(redis: AnyRedis, user: str = "u") -> Listener:
    (listener,) = await Listeners(redis).read([user])
    return listener


async def state(settings: Settings) -> State:
    return await asyncio.to_thread(read_state, settings.redis)


# Two processes


async def test_two_who_believe_that_a_partition_is_theirs_count_every_click_once(
    redis: AnyRedis, settings: Settings
) -> None:
    clicks = history()
    batches = [clicks[at : at + 5] for at in range(0, len(clicks), 5)]
    await apply(applier(redis), clicks)
    expected = await state(settings)
    await redis.flushdb()
    one, zombie = applier(redis), applier(redis)
    # The zombie is behind at first, then ahead.
    for who, batch in zip(
        [one, one, zombie, zombie, zombie, one, zombie, one, zombie, one], [0, 1, 0, 1, 2] * 2, strict=True
    ):
        await apply(who, batches[batch])
    for at in (3, 2, 4, 3, 4):
        await asyncio.gather(apply(one, batches[at]), apply(zombie, batches[at]))
    assert_same(await state(settings), expected)


async def test_two_who_click_for_one_listener_from_two_partitions_keep_every_click(redis: AnyRedis) -> None:
    one, other = applier(redis), applier(redis)
    for offset in range(10):
        await apply(one, [click("u", "a0", offset, partition=0)])
        await apply(other, [click("u", "a1", offset, partition=1)])
    found = await held(redis)
    assert (found.clicks, found.offsets) == (20, {"0": 9, "1": 9})
    assert set(found.affinities) == {"a0", "a1"}


async def test_a_refused_listener_is_read_again_and_nobody_else(redis: AnyRedis) -> None:
    one, other = applier(redis), applier(redis)
    await apply(one, [click("u", "a0", 0), click("v", "a0", 1)])
    await apply(other, [click("u", "a1", 2)])
    assert one.reads == 2
    await apply(one, [click("u", "a2", 3), click("v", "a2", 4)])
    assert one.reads == 3
    assert (await held(redis)).clicks == 3
    assert (await held(redis, "v")).clicks == 2


async def test_a_click_goes_on_from_what_another_process_has_swept(redis: AnyRedis) -> None:
    one, sweeper = applier(redis), applier(redis)
    await apply(one, [click("u", "a0", 0)])
    moves, (head,) = await sweeper.migrate(["u"], small_model(4, seed=1), NOW)
    swept = await held(redis)
    assert (swept.made_by, swept.cohort) == (4, head.cohort)
    await one.apply(by_user([click("u", "a1", 1)]), small_model(4, seed=1), NOW)
    found = await held(redis)
    assert (found.clicks, set(found.affinities), found.made_by) == (2, {"a0", "a1"}, 4)
    if moves and found.cohort == swept.cohort:
        assert (found.moved, found.cohort_from) == ("model:4", swept.cohort_from)


async def test_who_was_forgotten_begins_anew_with_the_next_click(redis: AnyRedis) -> None:
    one = applier(redis)
    await apply(one, [click("u", "a0", 0), click("u", "a1", 1)])
    await Listeners(redis).forget("u")
    await apply(one, [click("u", "a2", 2)])
    found = await held(redis)
    assert (found.clicks, list(found.affinities), found.cohort_from) == (1, ["a2"], "")
    assert found.first_seen == NOW - 998


async def test_who_was_forgotten_and_clicked_elsewhere_goes_on_from_there(redis: AnyRedis) -> None:
    one, other = applier(redis), applier(redis)
    await apply(one, [click("u", "a0", 0)])
    await Listeners(redis).forget("u")
    await apply(other, [click("u", "a1", 1)])
    await apply(one, [click("u", "a2", 2)])
    found = await held(redis)
    assert (found.clicks, set(found.affinities)) == (2, {"a1", "a2"})


# One process


async def test_who_is_held_is_not_read_again(redis: AnyRedis) -> None:
    one = applier(redis)
    for offset in range(4):
        await apply(one, [click(user, "a0", offset) for user in USERS])
    assert one.reads == len(USERS)


async def test_who_comes_from_a_source_that_was_released_is_read_again_and_nobody_else(
    redis: AnyRedis,
) -> None:
    one = applier(redis)
    await apply(one, [click("u", "a0", 0), click("v", "a0", 0, partition=1)])
    one.release([OffsetSource(1), OffsetSource(7)])
    assert list(one.residents.index) == ["u"]
    await apply(one, [click("u", "a1", 1), click("v", "a1", 1, partition=1)])
    assert one.reads == 3


async def test_a_new_model_migrates_who_is_held_without_reading_them(
    redis: AnyRedis, settings: Settings
) -> None:
    clicks, newer = history(), small_model(4, seed=1)
    one = applier(redis)
    await apply(one, clicks)
    await one.migrate(USERS, newer, NOW)
    assert one.reads == len(USERS)
    found = await state(settings)
    await redis.flushdb()
    other = applier(redis)
    await apply(other, clicks)
    await applier(redis).migrate(USERS, newer, NOW)  # who holds nobody
    assert_same(found, await state(settings))
    assert {tastes.version(taste) for taste in found.tastes.values()} == {4}


async def test_a_model_of_other_dimensions_migrates_who_is_held(redis: AnyRedis, settings: Settings) -> None:
    clicks = history()
    wider = made_up_model(version=4, seed=1, artists=ARTISTS, n_dims=5, cohorts=("c1", "c2"))
    one = applier(redis)
    await apply(one, clicks[:15])
    await one.apply(by_user(clicks[15:]), wider, NOW)
    await one.migrate(USERS, wider, NOW)
    found = await state(settings)
    await redis.flushdb()
    for batch, model in ((clicks[:15], MODEL), (clicks[15:], wider)):
        await applier(redis).apply(by_user(batch), model, NOW)
    await applier(redis).migrate(USERS, wider, NOW)
    assert_same(found, await state(settings))


async def test_who_is_swept_without_having_clicked_here_is_not_held(redis: AnyRedis) -> None:
    await apply(applier(redis), history())
    one = applier(redis)
    await apply(one, [history()[0]])
    await one.migrate(USERS, small_model(4, seed=1), NOW)
    assert list(one.residents.index) == [history()[0].user_id]


# Writes of which nobody knows whether they took place


class Deaf:
    """A Redis client that loses its connection after Redis has done what it was sent."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis
        self.deaf = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._redis, name)

    def pipeline(self, **options: Any) -> Any:
        pipeline = self._redis.pipeline(**options)
        execute = pipeline.execute

        async def answered(**more: Any) -> Any:
            answer = await execute(**more)
            if self.deaf:
                self.deaf = False
                raise RedisConnectionError("connection lost")
            return answer

        pipeline.execute = answered
        return pipeline


async def test_a_write_whose_answer_is_lost_counts_once(redis: AnyRedis) -> None:
    deaf: Any = Deaf(redis)
    one = applier(deaf)
    await apply(one, [click("u", "a0", 0), click("v", "a0", 1)])
    deaf.deaf = True
    with pytest.raises(RedisConnectionError):
        await apply(one, [click("u", "a1", 2)])
    assert (await held(redis)).clicks == 2  # Redis has it
    assert list(one.residents.index) == ["v"]
    for _ in range(2):
        await apply(one, [click("u", "a1", 2)])
    found = await held(redis)
    assert (found.clicks, found.offsets) == (2, {"0": 2})


async def test_a_write_that_was_never_sent_is_made_up_for(redis: AnyRedis) -> None:
    one = applier(redis)
    await apply(one, [click("u", "a0", 0)])
    writing = asyncio.create_task(apply(one, [click("u", "a1", 1)]))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await apply(one, [click("u", "a1", 1)])
    assert (await held(redis)).clicks == 2


# Memory


def crowd(number: int, dims_model: Any = MODEL, artists: int = 4) -> list[Listener]:
    return [
        Listener(
            f"listener {at:06}",
            rev=1,
            cohort="c1",
            moved=f"{at % 8}:{at}",
            clicks=9,
            first_seen=NOW,
            last_seen=NOW,
            offsets={str(at % 8): at},
            affinities={f"artist {(at * 7 + n * 31) % 500}": 1.0 + n for n in range(artists)},
            made_by=MODEL.version,
            short_term=np.zeros(MODEL.n_dims),
        )
        for at in range(number)
    ]


async def test_with_little_memory_few_stay_and_nothing_is_lost(redis: AnyRedis, settings: Settings) -> None:
    clicks = [click(f"u{(at * 17) % 60}", ARTISTS[(at + at // 60) % 6], at) for at in range(600)]
    sizes = []
    states = []
    for resident_mb in (512.0, 0.02):
        await redis.flushdb()
        one = applier(redis, resident_mb)
        for at in range(0, len(clicks), 20):
            await apply(one, clicks[at : at + 20])
        sizes.append(len(one.residents))
        states.append(await state(settings))
    assert sizes[0] == 60
    assert sizes[1] < 60
    assert_same(*states)


async def test_where_memory_is_full_most_of_those_who_fit_stay(redis: AnyRedis) -> None:
    one = applier(redis, resident_mb=1.0)
    most = 0
    for at in range(0, 6000, 100):
        await apply(one, [click(f"u{at + number}", "a0", at + number) for number in range(100)])
        most = max(most, len(one.residents))
    assert most < 6000
    assert len(one.residents) > most / 2


@pytest.mark.parametrize("dims", [3, 48])
def test_memory_is_measured_truthfully(dims: int) -> None:
    artists = tuple(f"artist {n}" for n in range(500))
    model = made_up_model(version=MODEL.version, seed=1, artists=artists, n_dims=dims, cohorts=("c1", "c2"))
    everybody = crowd(20_000)
    for listener in everybody:
        listener.short_term = None
    gc.collect()
    tracemalloc.start()
    try:
        residents = Residents()
        for at in range(0, len(everybody), 1000):
            part = everybody[at : at + 1000]
            for listener in part:  # a name of its own, as the store and Kafka give
                listener.user_id = "".join(listener.user_id)
            residents.add(part, model)
        gc.collect()
        taken = traced_here()
    finally:
        tracemalloc.stop()
    taken += sum(len(listener.user_id) + 50 for listener in everybody)
    assert residents.nbytes == pytest.approx(taken, rel=0.25)


def traced_here() -> int:
    """Bytes that the code of models/ and of this file holds: not what other threads took meanwhile."""
    files = [tracemalloc.Filter(True, pattern) for pattern in ("*/models/*.py", __file__)]
    return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(files).traces)


async def test_columns_of_many_dimensions_stay_within_the_memory_allowed(redis: AnyRedis) -> None:
    wide = made_up_model(version=3, seed=1, artists=tuple(map(str, range(60))), n_dims=48, cohorts=("c1",))
    one = applier(redis, resident_mb=3.0)
    for at in range(0, 6000, 100):
        clicks = [click(f"u{at + number}", "0", at + number) for number in range(100)]
        await one.apply(by_user(clicks), wide, NOW)
    assert one.residents.nbytes <= 1.15 * 3e6
    assert len(one.residents) > 2000


async def test_names_of_artists_that_come_once_leave_room_for_those_who_fit(redis: AnyRedis) -> None:
    few = Rules(ForwardDecay(), max_artists=5)
    one = Applier(Listeners(redis), few, 1.0, activity=False)
    for at in range(0, 20_000, 400):
        clicks = [click(f"u{user}", f"a{at + user}", at + user) for user in range(400)]
        await one.apply(by_user(clicks), MODEL, NOW)
    assert len(one.residents) > 300


@pytest.mark.parametrize(("activity", "few_mb"), [(False, 0.3), (True, 0.5)])
async def test_memory_stays_as_allowed_while_listeners_meet_artist_after_artist(
    redis: AnyRedis, settings: Settings, activity: bool, few_mb: float
) -> None:
    states = []
    for resident_mb in (512.0, few_mb):
        await redis.flushdb()
        one = Applier(Listeners(redis), Rules(ForwardDecay()), resident_mb, activity=activity)
        for at in range(40):
            that_day = NOW - 86_400.0 * (40 - at)
            clicks = [
                click(f"u{user}", f"a{at}", 400 * at + user)._replace(ts=that_day) for user in range(400)
            ]
            both = by_user(clicks[:200]), by_user(clicks[200:])
            await asyncio.gather(*(one.apply(half, MODEL, NOW) for half in both))
            assert one.residents.nbytes <= 1.1 * resident_mb * 1e6
        states.append(await state(settings))
    assert 20 < len(one.residents) < 400
    assert_same(*states)


async def test_many_listeners_are_read_in_parts_and_all_held(
    settings: Settings, redis: AnyRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply_module, "READ_AT_ONCE", 2)
    clicks = [click(user, ARTISTS[0], 1) for user in USERS]
    await apply(applier(redis), clicks)
    another = applier(redis)
    await apply(another, [click(user, ARTISTS[1], 2) for user in USERS])
    assert (another.reads, len(another.residents)) == (len(USERS), len(USERS))
    assert [(await held(redis, user)).clicks for user in USERS] == [2] * len(USERS)
