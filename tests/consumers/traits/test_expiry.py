"""Listeners who have been dormant for long are erased; all that counts them stays right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from consumers.ingest.apply import Applier
from consumers.ingest.merger import Merger
from consumers.runtime.live_model import LiveModel
from consumers.runtime.moves import Moves
from consumers.traits.expiry import Expiry
from models.affinity import DAY
from stream.retry import Retry
from stream.stores import keys
from stream.stores.heartbeats import Heartbeat
from stream.stores.merges import Forward
from stream.wire.events import Label, Merge
from tests.consumers.small_model import small_model
from tests.consumers.traits.bureau import RULES, Bureau

DORMANT, QUIET = 100, 7  # days
ON_REDIS = pytest.mark.parametrize("bureau", ["redis_url"], indirect=True)
"""And not on a cluster, too: what differs there, three tests show."""


class Died(Exception):
    """The process is no more."""


@pytest.fixture(autouse=True)
async def _awake(bureau: Bureau) -> None:
    """One who clicks always: else it would seem that clicks are not read."""
    await bureau.click("awake", -1000)


def expiry(bureau: Bureau) -> Expiry:
    return Expiry(
        bureau.stores,
        bureau.producer,
        lambda: bureau.model,
        Heartbeat(bureau.redis, "traits"),
        asyncio.Event(),
        Retry(asyncio.Event()),
        dormant_seconds=DAY * DORMANT,
        quiet_seconds=DAY * QUIET,
        minutes=60.0,
        clock=lambda: bureau.now,
    )


async def pass_days(bureau: Bureau, days: float) -> None:
    """Let listeners be looked at, and again so many days later."""
    await expiry(bureau).round()
    bureau.now += DAY * days
    await expiry(bureau).round()


async def everything(bureau: Bureau) -> dict[str, str]:
    """All that is in Redis, as text, by key."""
    redis = bureau.redis
    readers = {
        b"hash": redis.hgetall,
        b"set": redis.smembers,
        b"string": redis.get,
        b"stream": redis.xrange,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
    }
    return {
        key.decode(): str(await readers[await redis.type(key)](key))
        async for key in redis.scan_iter()
        if not key.startswith(b"process")
    }


async def mentions(bureau: Bureau, user: str) -> set[str]:
    return {key for key, held in (await everything(bureau)).items() if user in f"{key} {held}"}


async def assert_counted_right(bureau: Bureau) -> None:
    """Everybody with a record is in the set of their cohort alone, and sizes are what sets hold."""
    cohorts = bureau.stores.cohorts
    members = await cohorts.everyone(await cohorts.all())
    listeners = await bureau.stores.listeners.placed([u for users in members.values() for u in users])
    assert {each.user_id: each.cohort for each in listeners if each.rev} == {
        user: cohort for cohort, users in members.items() for user in users
    }
    records = {key.split("}")[0] for key in await everything(bureau) if key.startswith("user:{")}
    assert {key.removeprefix("user:{") for key in records} <= {each.user_id for each in listeners}
    sizes = {cohort: len(users) for cohort, users in members.items() if cohort}
    assert await cohorts.sizes() == sizes
    assert {c: int((await cohorts.about(c)).get("size", 0)) for c in sizes} == sizes


async def live(bureau: Bureau) -> None:
    """Let `sleeper` and some others click, and know of `sleeper` all that can be known."""
    bureau.model = small_model()
    for user, ago in {"sleeper": 101, "other": 101, "late": 99, "active": 0}.items():
        await bureau.click(user, ago, ago + 1)
    await bureau.scorer.score(["sleeper", "other", "late", "active"])
    stores, redis = bureau.stores, bureau.redis
    await stores.segments.label(
        [Label(user_id=user, segment="rap", value="1", ts=1.0) for user in ("sleeper", "active")]
    )
    await redis.zadd(keys.segment_users("rap"), {"sleeper": 0.9, "active": 0.8})
    await redis.hset(keys.segment_predicted("rap"), "sleeper", 0.5)
    await redis.set(keys.recommended("sleeper"), "songs")
    await redis.sadd(keys.user_redriven("sleeper"), "clicks:0:8")
    await redis.set(keys.user_heard("sleeper"), b"\0" * 4)
    await stores.told.reserve("r1", ["a"], ["sleeper", "active"], [False] * 2, bureau.now - 30 * DAY)


async def test_nothing_is_left_of_who_is_dormant_and_others_stay_as_they_were(bureau: Bureau) -> None:
    await live(bureau)
    before = await everything(bureau)
    await pass_days(bureau, QUIET)
    assert await mentions(bureau, "sleeper") == set()
    assert not {key for key in await everything(bureau) if "other" in key}
    await assert_counted_right(bureau)
    after = await everything(bureau)
    assert {key for key in after if "active" in key} == {key for key in before if "active" in key}
    assert await bureau.members() == {"new": {"active"}, "gone": {"late"}}
    assert await bureau.stores.segments.labels_of("active")
    assert await bureau.redis.zrange(keys.segment_users("rap"), 0, -1) == [b"active"]
    assert await bureau.stores.told.of(["active"]) != await bureau.stores.told.of(["sleeper"])


@ON_REDIS
async def test_that_they_are_in_no_cohort_and_no_stage_is_said(bureau: Bureau) -> None:
    bureau.model = small_model()
    await bureau.click("u", 101)
    await bureau.scorer.score(["u"])
    (cohort,) = (await bureau.stores.cohorts.holding(["u"]))["u"]
    assert cohort
    await pass_days(bureau, QUIET)
    assert [(each["from"], each["to"], each["reason"]) for each in bureau.producer.said()] == [
        (cohort, "", "dormant")
    ]
    assert bureau.said()[-1] == ("u", "gone", "")


@ON_REDIS
async def test_history_that_is_replayed_erases_nobody_while_it_comes(bureau: Bureau) -> None:
    for ago in (900, 700, 500):
        await bureau.click("u", ago)
        await pass_days(bureau, QUIET - 1)
    assert await bureau.stores.listeners.about("u")
    await pass_days(bureau, QUIET)
    assert not await bureau.stores.listeners.about("u")


@ON_REDIS
async def test_nobody_is_erased_while_no_click_of_the_last_day_is_known(bureau: Bureau) -> None:
    await bureau.click("u", 900)
    await expiry(bureau).round()
    bureau.now += DAY * QUIET
    await bureau.redis.hset(keys.user("awake"), "last_seen", repr(bureau.now - 1.1 * DAY))
    assert await expiry(bureau).round() == 0
    await bureau.redis.hset(keys.user("awake"), "last_seen", repr(bureau.now - 0.9 * DAY))
    assert await expiry(bureau).round() == 1


@ON_REDIS
async def test_who_was_noted_and_clicks_again_is_noted_anew(bureau: Bureau) -> None:
    await bureau.click("u", 200)
    await pass_days(bureau, QUIET - 1)
    await bureau.click("u", 150)
    bureau.now += DAY * 2
    await pass_days(bureau, QUIET - 1)
    assert (await bureau.stores.listeners.about("u"))["clicks"] == "2"


@ON_REDIS
async def test_a_bot_expires_too(bureau: Bureau) -> None:
    await bureau.click("automaton", 101)
    await bureau.redis.hset(keys.user("automaton"), "bot", "1")
    await pass_days(bureau, QUIET)
    assert await mentions(bureau, "automaton") == set()


@ON_REDIS
async def test_who_has_a_click_that_waits_for_its_song_stays(bureau: Bureau) -> None:
    await bureau.click("u", 101)
    await bureau.redis.hset(keys.user_waiting("u"), "0:9", b"a click")
    await pass_days(bureau, QUIET)
    assert await bureau.stores.listeners.about("u")


@ON_REDIS
async def test_who_opted_out_stays_so(bureau: Bureau) -> None:
    await bureau.click("u", 101)
    await bureau.stores.opted_out.add(["u"])
    await bureau.stores.opted_out.add_of_artists({"u": ["a0"]})
    await pass_days(bureau, QUIET)
    assert await mentions(bureau, "u}") | await mentions(bureau, "'u'") == {
        "opted-out",
        "listeners:opted-out",
        "user:{u}:opted-out",
        "artist:{a0}:opted-out",
    }
    await bureau.click("u", 0)
    assert await bureau.stores.opted_out.among(["u"]) == {"u"}
    assert await bureau.stores.opted_out.of_artists(["a0"]) == {"u"}


@ON_REDIS
async def test_an_id_of_theirs_stays_theirs(bureau: Bureau) -> None:
    await bureau.click("u", 101)
    await bureau.stores.merges.fence("anonymous", "u", "", 1.0)
    await pass_days(bureau, QUIET)
    assert not await bureau.stores.listeners.about("u")
    assert isinstance(await bureau.stores.merges.forward("anonymous"), Forward)
    await bureau.click("anonymous", 0)
    assert (await bureau.stores.listeners.about("u"))["clicks"] == "1"
    assert await bureau.stores.merges.ids(["u"]) == {"u": ["anonymous"]}


async def merge(bureau: Bureau, user: str, into: str) -> None:
    """Make an id part of a listener, to be undone for longer than anybody is dormant."""
    moves = Moves(bureau.stores.cohorts, bureau.clicked, Retry(asyncio.Event()))
    live = LiveModel(bureau.stores.snapshots)
    merger = Merger(bureau.applier, bureau.stores, moves, live, bureau.clicked, 300 * DAY)  # type: ignore[arg-type]
    await merger.take(Merge(user_id=user, into=into, ts=bureau.now), bureau.now)


async def test_a_click_of_an_id_of_theirs_brings_nothing_of_them_back(bureau: Bureau) -> None:
    for ago, user in enumerate(("first", "second", "u"), start=101):
        await bureau.click(user, ago)
    await merge(bureau, "first", "second")
    await merge(bureau, "second", "u")
    assert (await bureau.stores.listeners.about("u"))["clicks"] == "3"
    await pass_days(bureau, QUIET)
    bureau.applier = Applier(bureau.stores.listeners, RULES)  # an ingester that holds nobody in memory
    await bureau.click("first", 0)
    assert (await bureau.stores.listeners.about("u"))["clicks"] == "1"


@pytest.mark.parametrize("under_way", ["merge", "undoing"])
@ON_REDIS
async def test_what_a_merge_or_an_undoing_under_way_is_in_need_of_stays(
    bureau: Bureau, under_way: str
) -> None:
    await bureau.click("anonymous", 102)
    await bureau.click("u", 101)
    if under_way == "undoing":
        await merge(bureau, "anonymous", "u")
        forward, _ = await bureau.stores.merges.read("anonymous")
        assert forward
        await bureau.stores.merges.note_undoing(forward, {})
    else:
        await bureau.stores.merges.fence("anonymous", "u", "", 1.0)
    await pass_days(bureau, QUIET)
    assert not await bureau.stores.listeners.about("u")
    assert await bureau.redis.exists(keys.user_parts("anonymous"))


@ON_REDIS
async def test_caps_hold_on_for_a_week_after_the_last_notification(bureau: Bureau) -> None:
    await bureau.click("u", 101)
    await bureau.stores.told.reserve("r1", ["a"], ["u"], [False], bureau.now + (QUIET - 1) * DAY)
    await pass_days(bureau, QUIET)
    assert list((await bureau.stores.told.of(["u"]))[0].releases) == ["r1"]
    bureau.now += 7 * DAY + 2
    await expiry(bureau).round()
    assert not {key for key, held in (await everything(bureau)).items() if "b'u'" in held}


@ON_REDIS
async def test_caps_of_who_is_back_hold_on(bureau: Bureau) -> None:
    await bureau.click("u", 101)
    await bureau.stores.told.reserve("r1", ["a"], ["u"], [False], bureau.now + (QUIET - 1) * DAY)
    await pass_days(bureau, QUIET)
    await bureau.click("u", 0)
    bureau.now += 7 * DAY + 2
    await expiry(bureau).round()
    assert list((await bureau.stores.told.of(["u"]))[0].releases) == ["r1"]
    assert not await bureau.redis.exists(keys.EXPIRED_TOLD)


@ON_REDIS
async def test_what_was_reported_of_them_still_counts_for_past_releases(bureau: Bureau) -> None:
    await bureau.click("u", 101)
    await bureau.redis.hset(keys.release_told("r1"), "u", "c1")
    await bureau.redis.hset(keys.release_control("r1"), "u", "c1")
    await bureau.redis.hset(keys.release_seen("r1"), "u}clicked", "0:7")
    await pass_days(bureau, QUIET)
    assert await mentions(bureau, "u}clicked") | await mentions(bureau, "b'u'") == {
        "release:{r1}:told",
        "release:{r1}:control",
        "release:{r1}:seen",
    }


def before(store: object, name: str, happening: Callable[[], Awaitable[object]]) -> None:
    """Let something happen just before a store's method is called for the first time."""
    method, happened = getattr(store, name), False

    async def both(*arguments: Any) -> Any:
        nonlocal happened
        if not happened:
            happened = True
            await happening()
        return await method(*arguments)

    setattr(store, name, both)


@ON_REDIS
async def test_a_click_that_comes_just_before_the_record_would_be_erased_keeps_all(bureau: Bureau) -> None:
    bureau.model = small_model()
    await bureau.click("u", 101, 102)
    await expiry(bureau).round()
    bureau.now += DAY * QUIET
    before(bureau.stores.listeners, "expire", lambda: bureau.click("u", 0))
    await expiry(bureau).round()
    assert (await bureau.stores.listeners.about("u"))["clicks"] == "3"
    await assert_counted_right(bureau)
    assert not await bureau.redis.exists(keys.EXPIRED)


@pytest.mark.parametrize(
    ("store", "method"),
    [
        *[("cohorts", "holding"), ("cohorts", "drop"), ("traits", "place"), ("told", "expire")],
        *[("segments", "expire"), ("expired", "done")],
    ],
)
@ON_REDIS
async def test_a_click_that_comes_while_sets_follow_makes_a_new_listener(
    bureau: Bureau, store: str, method: str
) -> None:
    bureau.model = small_model()
    await bureau.click("u", 101, 102)
    await bureau.scorer.score(["u"])
    await expiry(bureau).round()
    bureau.now += DAY * QUIET

    async def click() -> None:
        await bureau.click("u", 0)  # of an ingester that holds the listener in memory
        await bureau.scorer.score(["u"])

    # What is first called once the record is erased.
    before(bureau.stores.listeners, "expire", lambda: erased(bureau, store, method, click))
    await expiry(bureau).round()
    about = await bureau.stores.listeners.about("u")
    assert about["clicks"] == "1"
    assert about["cohort"]
    await assert_counted_right(bureau)
    assert await bureau.members() == {"new": {"u"}}


@ON_REDIS
async def test_what_is_said_last_of_who_is_back_is_the_cohort_on_their_record(bureau: Bureau) -> None:
    bureau.model, bureau.clicked = small_model(), bureau.producer
    await bureau.click("u", 101, 102)
    await expiry(bureau).round()
    bureau.now += DAY * QUIET
    bureau.producer.before = lambda: bureau.click("u", 0)  # just as it is said that they are in none
    await expiry(bureau).round()
    cohort = (await bureau.stores.listeners.about("u"))["cohort"]
    assert [each["to"] for each in bureau.producer.said()] == [cohort, cohort, "", cohort]


async def erased(bureau: Bureau, store: str, method: str, click: Callable[[], Awaitable[object]]) -> None:
    before(getattr(bureau.stores, store), method, click)


@pytest.mark.parametrize(
    ("store", "method"),
    [
        *[("listeners", "expire"), ("cohorts", "holding"), ("cohorts", "drop"), ("traits", "place")],
        *[("segments", "expire"), ("told", "expire"), ("listeners", "placed"), ("expired", "done")],
    ],
)
@ON_REDIS
async def test_whoever_comes_next_goes_on_after_a_death(bureau: Bureau, store: str, method: str) -> None:
    await live(bureau)
    await expiry(bureau).round()
    bureau.now += DAY * QUIET

    async def die() -> None:
        raise Died

    before(getattr(bureau.stores, store), method, die)
    with pytest.raises(Died):
        await expiry(bureau).round()
    await expiry(bureau).round()
    assert await mentions(bureau, "sleeper") == set()
    await assert_counted_right(bureau)
    assert await bureau.members() == {"new": {"active"}, "gone": {"late"}}
    assert {("sleeper", ""), ("other", "")} <= {
        (each["user_id"], each["to"]) for each in bureau.producer.said()
    }


@ON_REDIS
async def test_a_redis_that_goes_away_in_the_middle_is_waited_for(bureau: Bureau) -> None:
    await live(bureau)
    await expiry(bureau).round()
    bureau.now += DAY * QUIET

    async def fail() -> None:
        raise RedisConnectionError("gone")

    for store, method in [("listeners", "expire"), ("cohorts", "drop"), ("expired", "done")]:
        before(getattr(bureau.stores, store), method, fail)
    assert await expiry(bureau).round() == 2
    assert await mentions(bureau, "sleeper") == set()
    await assert_counted_right(bureau)


async def test_under_clicks_at_the_same_moment_none_is_lost_and_none_counts_twice(bureau: Bureau) -> None:
    bureau.model = small_model()
    users = [f"u{at}" for at in range(60)]
    for user in users:
        await bureau.click(user, 200)
    await expiry(bureau).round()
    bureau.now += DAY * QUIET

    async def click() -> None:
        for user in users[::2]:
            await bureau.click(user, 0)
            await bureau.click(user, 0)

    await asyncio.gather(click(), expiry(bureau).round())
    clicks = {user: (await bureau.stores.listeners.about(user)).get("clicks") for user in users}
    assert {clicks[user] for user in users[1::2]} == {None}
    # What had been erased by then is the first click alone.
    assert {clicks[user] for user in users[::2]} <= {"2", "3"}
    await assert_counted_right(bureau)
    assert not await bureau.redis.exists(keys.EXPIRED)


@ON_REDIS
async def test_a_listener_resident_in_an_ingester_is_read_again(bureau: Bureau) -> None:
    bureau.model = small_model()
    await bureau.click("u", 101, 102)
    await pass_days(bureau, QUIET)
    assert "u" in bureau.applier.residents.index
    await bureau.click("u", 1)
    resident = bureau.applier.residents
    assert resident.listener(resident.index["u"]).clicks == 1
    fresh = Applier(bureau.stores.listeners, RULES)
    await fresh.apply({"u": []}, bureau.model, bureau.now)
    assert fresh.residents.listener(fresh.residents.index["u"]).clicks == 1


async def test_a_redis_that_is_full_erases_all_the_same(bureau: Bureau) -> None:
    await live(bureau)
    await expiry(bureau).round()
    bureau.now += DAY * QUIET
    nodes: dict[str, Any] = (
        {} if not hasattr(bureau.redis, "get_primaries") else {"target_nodes": "primaries"}
    )
    await bureau.redis.config_set("maxmemory", "1", **nodes)
    try:
        assert await expiry(bureau).round() == 2
    finally:
        await bureau.redis.config_set("maxmemory", "0", **nodes)
    assert await mentions(bureau, "sleeper") == set()
    await assert_counted_right(bureau)
    assert json.loads(json.dumps(bureau.said()))[-1][2] == ""
