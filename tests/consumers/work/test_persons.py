"""Nobody hears of a release under two ids, however far the release was when they turned out to be one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis

from consumers.work.persons import Persons
from consumers.work.worker import work
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores.merged_lately import MergedLately
from stream.stores.merges import Merges
from tests.consumers.desk import Desk
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.placed import place
from tests.consumers.running import Running
from tests.consumers.work.test_held import ASLEEP, AWAKE, clock
from tests.consumers.work.test_waves import (
    COHORTS,
    HOUR,
    first_wave,
    let_the_next_go,
    shop,
    told,
    working,
)
from tests.waiting import wait_for


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[AnyRedis]:
    client = await open_redis(settings)
    yield client
    await client.aclose()


def merge(settings: Settings, *pairs: tuple[str, str], lately: bool = True) -> None:
    """As an ingester does it, as far as audiences go by it."""

    async def whole() -> None:
        client = await open_redis(settings)
        for user, into in pairs:
            if lately:
                await MergedLately(client).announce(user, into)
            assert await Merges(client).fence(user, into, "", 0.0)
        await client.aclose()

    asyncio.run(whole())


async def test_what_turns_out_between_two_pages_keeps_the_second_page_from_telling_somebody_again(
    client: AnyRedis,
) -> None:
    lately = MergedLately(client)
    persons = Persons(lately)
    assert await persons.doubles(["a", "x"]) == [False, False]
    persons.tell(["a", "x"])
    await MergedLately(client).announce("a", "b")
    await MergedLately(client).announce("c", "d")
    assert await persons.doubles(["b", "c", "d"]) == [True, True, False]


async def test_an_id_that_was_part_of_another_before_it_was_told_stands_for_the_last_of_them(
    client: AnyRedis,
) -> None:
    others = MergedLately(client)
    persons = Persons(MergedLately(client))
    assert await persons.doubles(["a"]) == [False]
    await others.announce("a", "b")
    assert await persons.doubles(["x"]) == [False]
    persons.tell(["a"])  # its page was made before that was known
    await others.announce("b", "c")
    assert await persons.doubles(["b", "c", "d"]) == [True, True, False]
    await others.announce("a", "")
    assert await persons.doubles(["c"]) == [False]


async def test_of_who_was_told_in_a_wave_before_an_id_that_is_joined_later_is_told_no_more(
    client: AnyRedis,
) -> None:
    persons = Persons(MergedLately(client), {"a", "x"})
    assert await persons.doubles([]) == []
    await MergedLately(client).announce("a", "b")
    assert await persons.doubles(["b", "c"]) == [True, False]


async def test_an_id_that_is_one_of_its_own_again_may_be_told(client: AnyRedis) -> None:
    other = MergedLately(client)
    await other.announce("a", "b")
    await other.announce("a", "")
    assert await Persons(other).doubles(["a"]) == [False]
    await other.refresh()
    assert other.into == {}


async def test_what_was_merged_longer_ago_than_an_hour_is_held_no_more(client: AnyRedis) -> None:
    now = 1_000_000.0
    follower = MergedLately(client, lambda: now)
    await MergedLately(client).announce("a", "b")
    await follower.refresh()
    assert follower.person("a") == "b"
    now += 3601
    await follower.refresh()
    assert follower.into == {}


@pytest.mark.parametrize("lately", [True, False], ids=["just now", "hours ago"])
def test_a_listener_of_whom_an_id_was_told_in_a_wave_is_in_none_that_follows(
    settings: Settings, log: KafkaLog, db: redis.Redis, lately: bool
) -> None:
    desk = shop(settings, log, db, HOUR)
    with working(desk):
        first = told(first_wave(desk, "r1", max_audience=3000), 1)
        others = [user for user in COHORTS if user not in first]
        pairs = list(zip(first[:40], others[:40], strict=True))
        merge(desk.settings, *pairs, lately=lately)

        def goes_on() -> bool:
            if db.hget("release:{r1}", "state") == "paused":
                let_the_next_go(desk, "r1")
            return bool(desk.answer("r1").summaries)

        wait_for(goes_on, "all waves")
    assert desk.answer("r1").told == set(COHORTS) - set(others[:40])


def test_a_place_until_quiet_hours_end_is_the_listeners_unless_they_were_told(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    quiet = settings.model_copy(update={"quiet_hours": f"{clock(-3)}-{clock(3)}"})
    place(quiet, {"c1": AWAKE, "c2": ASLEEP}, clocks=dict.fromkeys(ASLEEP, 0))
    desk = Desk(quiet, log, db)
    with Running(work, quiet):
        desk.publish("r1", "a1", max_audience=1000)
        wait_for(lambda: db.hget("release:{r1}", "state") == "paused", "the others to sleep")
        merge(quiet, (ASLEEP[0], AWAKE[0]), (ASLEEP[1], ASLEEP[2]), (AWAKE[1], ASLEEP[3]))

        def waking_up() -> bool:
            for user in ASLEEP:
                db.hset(f"user:{{{user}}}", "utc_offset_min", 12 * 60)
            for user in db.hkeys("release:{r1}:held"):
                db.hset("release:{r1}:held", user, "[0, 1.0]")
            if db.hget("release:{r1}", "state") == "paused":
                db.hset("release:{r1}", "till", 0)
                db.zadd("releases:open", {"r1": 0})
            return db.hget("release:{r1}", "state") == "done"

        wait_for(waking_up, "those who were asleep to be told")
    assert desk.answer("r1").told == {*AWAKE, *ASLEEP[2:3], *ASLEEP[4:]}
