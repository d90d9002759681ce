"""Sets and indexes that were lost are recreated from listeners' own records."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

import pytest
import redis as redis_py

from consumers.actions.repair_sets import repair_sets
from consumers.ingest.ingester import ingest
from consumers.runtime.wiring import Stores
from models.traits.lifecycle import STAGES
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores import keys
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.placed import MEMBERS, place
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.waiting import wait_for

State = dict[str, object]
TRAITS = {f"c1-ü{at}": STAGES[at % 2] for at in range(60)}


@pytest.fixture(params=["one server", "a cluster"])
def placed(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    if request.param == "a cluster":
        settings = settings.model_copy(update={"redis": request.getfixturevalue("redis_cluster_url")})
    place(settings, MEMBERS)
    return settings


@pytest.fixture
async def redis(placed: Settings) -> AsyncIterator[AnyRedis]:
    redis = await open_redis(placed)
    traits = Stores.on(redis, placed).traits
    await traits.write({user: {"stage": stage} for user, stage in TRAITS.items()})
    await traits.place(TRAITS)
    yield redis
    await redis.aclose()


async def state(redis: AnyRedis) -> State:
    """Member sets, sizes and stages."""
    cohorts = {cohort: await redis.smembers(keys.cohort_users(cohort)) for cohort in MEMBERS}
    sizes = {cohort: await redis.hget(keys.cohort(cohort), "size") for cohort in MEMBERS}
    stages = {stage: await redis.smembers(keys.stage_users(stage)) for stage in STAGES}
    return {
        "cohorts": cohorts,
        "sizes": sizes,
        "stages": stages,
        "living": await redis.zrange(keys.COHORTS, 0, -1, withscores=True),
    }


async def test_where_nothing_is_lost_nothing_is_found(redis: AnyRedis, placed: Settings) -> None:
    before = await state(redis)
    done = await repair_sets(redis, placed)
    assert (done.listeners, done.found) == (sum(map(len, MEMBERS.values())), {})
    assert await state(redis) == before


async def test_a_set_that_was_lost_is_made_anew(redis: AnyRedis, placed: Settings) -> None:
    before = await state(redis)
    await redis.delete(keys.cohort_users("c2"))
    await redis.zrem(keys.COHORTS, "c2")
    done = await repair_sets(redis, placed)
    assert done.found == {"missing": len(MEMBERS["c2"])}
    assert await state(redis) == before


async def test_all_sets_that_were_lost_are_made_anew(redis: AnyRedis, placed: Settings) -> None:
    before = await state(redis)
    for cohort in MEMBERS:
        await redis.delete(keys.cohort_users(cohort))
    await redis.delete(keys.COHORTS)
    done = await repair_sets(redis, placed)
    assert done.found == {"missing": done.listeners}
    assert await state(redis) == before


async def test_who_is_in_a_set_that_is_not_theirs_leaves_it(redis: AnyRedis, placed: Settings) -> None:
    before = await state(redis)
    await redis.sadd(keys.cohort_users("c5"), *MEMBERS["c1"][:5], "who-is-no-listener")
    done = await repair_sets(redis, placed)
    assert done.found == {"strays": 6, "sizes": 1}
    assert await state(redis) == before


async def test_a_wrong_size_is_written_right(redis: AnyRedis, placed: Settings) -> None:
    before = await state(redis)
    await redis.zadd(keys.COHORTS, {"c1": 7})
    await redis.hset(keys.cohort("c1"), "size", 7)
    assert (await repair_sets(redis, placed)).found == {"sizes": 1}
    assert await state(redis) == before


async def test_a_size_that_is_wrong_in_what_is_known_of_a_cohort_is_written_right(
    redis: AnyRedis, placed: Settings
) -> None:
    before = await state(redis)
    await redis.hset(keys.cohort("c1"), "size", 7)
    assert (await repair_sets(redis, placed)).found == {"sizes": 1}
    assert await state(redis) == before


async def test_a_cohort_that_has_listeners_is_among_the_living_again(
    redis: AnyRedis, placed: Settings
) -> None:
    before = await state(redis)
    await redis.zrem(keys.COHORTS, "c2")
    assert (await repair_sets(redis, placed)).found == {"sizes": 1}
    assert await state(redis) == before


async def test_stages_are_as_traits_say(redis: AnyRedis, placed: Settings) -> None:
    before = await state(redis)
    await redis.delete(keys.stage_users(STAGES[0]))
    await redis.sadd(keys.stage_users(STAGES[1]), "c1-ü0", "who-is-no-listener")
    assert (await repair_sets(redis, placed)).found == {"stages": 31}
    assert await state(redis) == before


async def test_who_opted_out_of_an_artist_is_known_by_the_artist_again(
    redis: AnyRedis, placed: Settings
) -> None:
    opted_out = Stores.on(redis, placed).opted_out
    await opted_out.add_of_artists({"c1-ü1": ["a1", "a2"], "c1-ü2": ["a1"]})
    await redis.delete(keys.artist_opted_out("a1"))
    assert (await repair_sets(redis, placed)).found == {"opted_out": 2}
    assert await opted_out.of_artists(["a1"]) == {"c1-ü1", "c1-ü2"}


def test_a_click_whose_place_in_the_index_was_lost_counts_once_its_song_is_there(
    settings: Settings, topics: Settings, log: KafkaLog, refrain: Refrain
) -> None:
    click = {"user_id": "u", "song_id": "late", "ts": time.time()}
    with redis_py.Redis.from_url(settings.redis) as server, Running(ingest, settings):
        log.send("clicks", [click])
        wait_for(lambda: server.hlen(keys.user_waiting("u")), "a click that waits")
        server.delete(keys.waiting_song("late"), keys.WAITING)
        refrain.start("work")
        log.send("songs", [{"song_id": "late", "artist_ids": ["a"]}])
        wait_for(lambda: server.exists(keys.song("late")), "the song")
        assert server.hlen(keys.user_waiting("u")) == 1  # nobody knows that it waits
        done = refrain.run("doctor", "--repair", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["repaired"]["waiting_clicks"] == 1
        wait_for(lambda: server.zscore(keys.user_artists("u"), "a"), "a click that counts")


def test_it_says_what_it_mended_and_that_nothing_is_left(settings: Settings, refrain: Refrain) -> None:
    place(settings, MEMBERS)
    with redis_py.Redis.from_url(settings.redis) as server:
        server.delete(keys.cohort_users("c2"))
    done = refrain.run("doctor", "--repair")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "listeners looked at: 3,550",
        "mended:",
        "  listeners who were not in the set of their cohort: 700",
        "  cohorts with a wrong size: 1",
        "looked once more: all is as their records say",
    ]


def test_a_repair_and_a_health_check_at_once_are_refused(refrain: Refrain) -> None:
    done = refrain.run("doctor", "--repair", "--only", "ingest")
    assert done.returncode == 2
    assert "--only" in done.stderr
