"""A click that a producer sends twice, as two events with one `event_id`, counts once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgpack

from consumers.ingest.apply import Applier
from models.listener import Click, Listener, OffsetSource
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.event_ids import KEPT_SECONDS
from stream.stores.listeners import Listeners
from stream.stores.waiting import Waiting
from tests.consumers.ingest.test_apply import NOW, RULES, Died, Mortal, Process, by_user, history, run
from tests.consumers.ingest.test_identities import Process as Ingester
from tests.consumers.redis_state import assert_agrees, assert_same, read_state
from tests.consumers.small_model import small_model


def click(event_id: str, offset: int, user: str = "u", partition: int = 0, artist: str = "a") -> Click:
    artists = (artist,) if artist else ()
    return Click(
        user, OffsetSource(partition), offset, NOW, "s", artists, "play", city="Roma", event_id=event_id
    )


def applier(redis: AnyRedis, most: int = 64) -> Applier:
    return Applier(Listeners(redis), RULES, most_event_ids=most)


async def apply(to: Applier, *clicks: Click) -> None:
    await to.apply(by_user(clicks), None, NOW)


async def of(redis: AnyRedis, user: str = "u") -> Listener:
    (listener,) = await Listeners(redis).read([user], activity=True)
    return listener


def plays(listener: Listener) -> int:
    assert listener.activity is not None
    return int(listener.activity.days["play"].sum())


async def test_it_counts_once_in_one_batch_and_in_later_ones_and_in_another_partition(
    redis: AnyRedis,
) -> None:
    process = applier(redis)
    await apply(process, click("e1", 0), click("e1", 1), click("e2", 2))
    await apply(process, click("e2", 3))
    await apply(applier(redis), click("e1", 0, partition=5), click("e3", 1, partition=5))
    found = await of(redis)
    assert (found.clicks, plays(found)) == (3, 3)
    assert found.offsets == {"0": 3, "5": 1}  # what counts no more is applied all the same
    assert process.repeated == 2


async def test_clicks_without_an_event_id_count_each_and_leave_nothing_behind(redis: AnyRedis) -> None:
    await apply(applier(redis), click("", 0), click("", 1))
    assert (await of(redis)).clicks == 2
    assert not await redis.exists(keys.user_event_ids("u"))


async def test_listeners_may_use_the_same_event_id(redis: AnyRedis) -> None:
    await apply(applier(redis), click("e", 0), click("e", 1, user="v"))
    assert [(await of(redis, user)).clicks for user in "uv"] == [1, 1]


async def test_so_many_are_remembered_for_a_week_after_the_last(redis: AnyRedis) -> None:
    process = applier(redis, most=3)
    await apply(process, *(click(f"e{at}", at) for at in range(5)))
    assert await redis.strlen(keys.user_event_ids("u")) == 3 * 8
    assert 0 < await redis.ttl(keys.user_event_ids("u")) <= KEPT_SECONDS
    await apply(process, click("e2", 5), click("e1", 6))
    assert (await of(redis)).clicks == 6  # e2 is remembered, e1 is not any more


async def test_with_none_remembered_every_click_counts(redis: AnyRedis) -> None:
    await apply(applier(redis, most=0), click("e", 0), click("e", 1))
    assert (await of(redis)).clicks == 2


async def test_what_is_forgotten_with_the_listener_counts_again(redis: AnyRedis) -> None:
    await apply(applier(redis), click("e", 0))
    await Listeners(redis).forget("u")
    assert not await redis.exists(keys.user_event_ids("u"))
    await apply(applier(redis), click("e", 1))
    assert (await of(redis)).clicks == 1


async def test_two_processes_with_one_of_the_two_each_count_it_once(redis: AnyRedis) -> None:
    one, other = applier(redis), applier(redis)
    await apply(one, click("e0", 0))
    await apply(other, click("e1", 0, partition=1))
    both = [apply(one, click("e", 1)), apply(other, click("e", 1, partition=1))]
    await asyncio.gather(*both)
    assert (await of(redis)).clicks == 3


async def test_of_two_that_wait_for_their_song_one_counts_when_it_comes(redis: AnyRedis) -> None:
    process = applier(redis)
    await apply(process, click("e", 0, artist=""), click("e", 1, artist=""))
    assert not await redis.exists(keys.user_event_ids("u"))  # it may never count
    held = (await Waiting(redis).clicks(["u"]))["u"]
    assert len(held) == 2
    await apply(process, *(each.click._replace(artist_ids=("a",)) for each in held))
    assert (await of(redis)).clicks == 1
    assert not await redis.exists(keys.user_waiting("u"))
    await apply(process, click("e", 2, artist=""))
    assert (await of(redis)).clicks == 1
    assert not await redis.exists(keys.user_waiting("u"))


async def test_it_counts_once_for_a_listener_under_both_ids_and_after_an_undoing(redis: AnyRedis) -> None:
    process = Ingester(redis)
    await process.click(click("e1", 0, user="a"), click("e2", 0, user="b", partition=1))
    await process.merge("a", "b")
    assert not await redis.exists(keys.user_event_ids("a"))
    await process.click(click("e1", 1, user="a"), click("e1", 1, user="b", partition=1))
    await process.click(click("e2", 2, user="a"), click("e2", 2, user="b", partition=1))
    assert (await process.of("b")).clicks == 2
    await process.undo("a")
    await process.click(click("e1", 3, user="a"), click("e2", 3, user="b", partition=1))
    assert [(await process.of(user)).clicks for user in "ab"] == [1, 1]


def doubled(clicks: Sequence[Click]) -> list[Click]:
    """Each click twice, the second time as another event, some of them far behind."""
    named = [each._replace(event_id=f"e{at}") for at, each in enumerate(clicks)]
    both = [each for at in range(0, len(named), 3) for each in named[at : at + 3] * 2]
    return [each._replace(offset=at) for at, each in enumerate(both)]


async def test_a_death_before_any_round_trip_counts_none_twice_and_loses_none(settings: Settings) -> None:
    single, model = history(), small_model()
    clicks = doubled(single)
    redis = await open_redis(settings)
    await redis.flushdb()
    batches, deaths = [clicks[:17], clicks[17:34], clicks[34:]], 0
    once, expected = await run(settings, [single], model), await run(settings, batches, model)
    assert (expected.clicks, expected.cohorts) == (once.clicks, once.cohorts)
    for trips in range(100):
        await redis.flushdb()
        process = Process(Mortal(redis, trips))
        try:
            for at, batch in enumerate(batches):
                done = at
                await process.apply(by_user(batch), model, NOW)
            break
        except Died:
            deaths += 1
        rest = [each for batch in batches[done:] for each in batch]
        process = Process(redis)
        for at in range(0, len(rest), 4):
            await process.apply(by_user(rest[at : at + 4]), model, NOW)
        state = await asyncio.to_thread(read_state, settings.redis)
        assert_agrees(state)
        assert_same(state, expected)
    await redis.aclose()
    assert deaths > 5


async def test_a_merge_that_an_earlier_version_packed_is_undone(redis: AnyRedis) -> None:
    process = Ingester(redis)
    await process.click(click("e1", 0, user="a"))
    await process.merge("a", "b")
    packed = msgpack.unpackb(await redis.get(keys.user_parts("a")), raw=True)
    await redis.set(keys.user_parts("a"), msgpack.packb(packed[:5], use_bin_type=False))
    await process.undo("a")
    assert (await process.of("a")).clicks == 1
