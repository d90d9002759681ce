"""Traits of listeners follow what they did, and member sets and `stage-changes` follow the traits."""

from __future__ import annotations

import logging
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from consumers.actions.forget_listener import forget_listener
from consumers.ingest.apply import Applier
from consumers.traits.looks import LOOK_SECONDS
from models.affinity import DAY
from models.traits.activity import day_of
from models.traits.lifecycle import STAGES
from models.traits.next_week import ENOUGH, NextWeek
from stream.errors import SnapshotDamaged
from stream.stores import keys
from stream.stores.next_week_model import NextWeekModel
from stream.wire.events import Label
from tests.consumers.labelled_world import world_model
from tests.consumers.traits.bureau import NOW, RULES, Bureau


async def test_the_stage_is_in_the_traits_in_one_set_and_announced(bureau: Bureau) -> None:
    await bureau.click("ü", 1)
    await bureau.click("v", *range(1, 60, 2))
    await bureau.scorer.score(["ü", "v"])
    assert (await bureau.stage("ü"), await bureau.stage("v")) == ("new", "regular")
    assert await bureau.members() == {"new": {"ü"}, "regular": {"v"}}
    assert sorted(bureau.said()) == [("v", "", "regular"), ("ü", "", "new")]


async def test_who_is_scored_again_is_not_announced_again(bureau: Bureau) -> None:
    await bureau.click("u", 1)
    await bureau.scorer.score(["u"])
    before = await bureau.stores.traits.about("u")
    await bureau.scorer.score(["u"])
    assert await bureau.stores.traits.about("u") == before
    assert bureau.said() == [("u", "", "new")]


async def test_a_stage_changes_without_a_click(bureau: Bureau) -> None:
    await bureau.click("u", 30, 1)
    await bureau.scorer.score(["u"])
    bureau.now += 20 * DAY
    await bureau.scorer.score(["u"])
    bureau.now += 60 * DAY
    await bureau.scorer.score(["u"])
    assert bureau.said() == [("u", "", "returned"), ("u", "returned", "dormant"), ("u", "dormant", "gone")]
    assert await bureau.members() == {"gone": {"u"}}
    assert (await bureau.stores.traits.sizes())["gone"] == 1


async def test_a_click_counts_at_once_also_today(bureau: Bureau) -> None:
    await bureau.click("u", 100, 30)
    await bureau.scorer.score(["u"])
    await bureau.click("u", 0)
    await bureau.scorer.score(["u"])
    assert bureau.said() == [("u", "", "dormant"), ("u", "dormant", "returned")]


async def test_a_change_that_was_not_announced_is_by_who_comes_next(bureau: Bureau) -> None:
    await bureau.click("u", 1)

    async def die() -> None:
        raise KeyboardInterrupt

    bureau.producer.before = die
    with pytest.raises(KeyboardInterrupt):
        await bureau.scorer.score(["u"])
    assert (await bureau.stage("u"), bureau.said()) == ("new", [])
    await bureau.another().score(["u"])
    assert bureau.said() == [("u", "", "new")]
    assert await bureau.members() == {"new": {"u"}}


async def test_nothing_is_written_of_who_is_no_listener(bureau: Bureau) -> None:
    await bureau.scorer.score(["nobody"])
    assert (await bureau.stores.traits.about("nobody"), await bureau.members()) == ({}, {})


async def test_forgetting_erases_traits_and_membership(bureau: Bureau) -> None:
    await bureau.click("u", 1)
    await bureau.scorer.score(["u"])
    await forget_listener(bureau.redis, bureau.settings, "u")
    await bureau.scorer.score(["u"])
    assert (await bureau.stores.traits.about("u"), await bureau.members()) == ({}, {})


async def test_nothing_is_left_of_who_is_forgotten_while_they_are_scored(bureau: Bureau) -> None:
    await bureau.click("u", 1)

    async def forget() -> None:
        await forget_listener(bureau.redis, bureau.settings, "u")

    bureau.producer.before = forget
    await bureau.scorer.score(["u"])
    assert (await bureau.stores.traits.about("u"), await bureau.members()) == ({}, {})


async def test_what_is_said_last_of_an_id_that_becomes_part_of_a_listener_meanwhile_is_no_stage(
    bureau: Bureau,
) -> None:
    await bureau.click("u", 1)

    async def merge() -> None:
        await bureau.stores.merges.fence("u", "ana", "", bureau.now)

    bureau.producer.before = merge
    await bureau.scorer.score(["u"])
    assert bureau.said() == [("u", "", "new"), ("u", "new", "")]


@pytest.mark.parametrize("step", ["read", "write"])
async def test_an_id_that_becomes_part_of_a_listener_while_it_is_scored_is_said_to_be_in_no_stage(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    await bureau.click("u", 1)
    await bureau.scorer.score(["u"])
    proper = getattr(bureau.stores.traits, step)

    async def merged_meanwhile(*given: Any) -> Any:
        monkeypatch.undo()
        await bureau.stores.merges.fence("u", "ana", "", bureau.now)
        return await proper(*given)

    monkeypatch.setattr(bureau.stores.traits, step, merged_meanwhile)
    await bureau.scorer.score(["u"])
    assert bureau.said() == [("u", "", "new"), ("u", "new", "")]
    assert await bureau.members() == {}


async def test_a_bot_is_in_no_stage(bureau: Bureau) -> None:
    await bureau.click("u", 1)
    await bureau.scorer.score(["u"])
    await bureau.redis.hset("user:{u}", "bot", "1")
    await bureau.scorer.score(["u"])
    assert bureau.said() == [("u", "", "new"), ("u", "new", "")]
    assert await bureau.members() == {}


async def test_it_is_known_how_far_the_record_of_each_goes(bureau: Bureau) -> None:
    await bureau.click("u", 3, 2)
    seen = await bureau.scorer.score(["u"])
    assert seen == {"u": NOW - 2 * DAY}


async def test_stages_of_past_weeks_are_remembered_for_longer_than_days_are(bureau: Bureau) -> None:
    await bureau.click("u", *range(1, 60, 2))
    for _ in range(12):
        await bureau.scorer.score(["u"])
        bureau.now += 7 * DAY
    weeks = (await bureau.stores.traits.about("u"))["weeks"].partition(":")[2]
    regular, dormant, gone = (str(STAGES.index(stage)) for stage in ("regular", "dormant", "gone"))
    assert weeks.startswith(2 * regular)
    assert weeks.endswith(dormant + gone * 2)


async def test_the_next_week_is_predicted_once_enough_is_learned_and_goes_on_from_there(
    bureau: Bureau,
) -> None:
    daily, silent = ([f"{kind}{at}" for at in range(ENOUGH)] for kind in ("daily", "silent"))
    for user in daily:
        await bureau.click(user, *range(1, 40))
    for user in silent:
        await bureau.click(user, *range(20, 40))
    everybody: list[str] = [user for pair in zip(daily, silent, strict=True) for user in pair]
    await bureau.look_twice()
    await bureau.scorer.score(everybody)
    first, second = [await bureau.stores.traits.about(user) for user in ("daily0", "silent0")]
    assert float(first["zero_week"]) < 0.2
    assert float(second["zero_week"]) > 0.8
    assert float(first["expected_week"]) > 4 > float(second["expected_week"])
    assert first["zero_week:version"] == str(2 * ENOUGH)
    await bureau.next_week.keep()
    kept: Any = await NextWeekModel(bureau.redis).load()
    assert kept.version == 2 * ENOUGH
    assert (kept.zero.mean == bureau.next_week.model.zero.mean).all()


async def test_no_day_is_learned_twice(bureau: Bureau) -> None:
    users = [f"u{at}" for at in range(50)]
    for user in users:
        await bureau.click(user, *range(1, 30))
    await bureau.look_twice()
    await bureau.scorer.score(users)
    assert bureau.next_week.model.version == 50
    await bureau.scorer.score(users)
    assert bureau.next_week.model.version == 50


async def test_a_prediction_is_judged_as_it_was_when_the_week_began_of_who_was_active_lately(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.traits.next_week.ENOUGH", 60)
    today = day_of(bureau.now)
    turns = [user for user in map(str, range(1000)) if (crc32(user.encode()) + today) % 7 == 0]
    daily, stopped, gone = turns[:20], turns[20:40], turns[40:60]
    for users, days in ((daily, range(1, 40)), (stopped, range(12, 40)), (gone, range(40, 60))):
        for user in users:
            await bureau.click(user, *days)
    await bureau.look_twice()
    await bureau.scorer.score(turns[:60])
    assert bureau.next_week.model.foresight.examples == 0
    noted = {user: (await bureau.stores.traits.about(user))["learned"] for user in turns[:60]}
    assert {noted[user] for user in gone} == {str(today)}
    bureau.now += 7 * DAY
    for user in daily:
        await bureau.click(user, *range(1, 8))
    await bureau.look_twice()
    await bureau.scorer.score(turns[:60])
    errors = [float(noted[user].partition(":")[2]) - (user in stopped) for user in (*daily, *stopped)]
    foresight = bureau.next_week.model.foresight
    assert (foresight.examples, foresight.zeros) == pytest.approx((40, 20), rel=1e-3)
    assert foresight.squares == pytest.approx(sum(error**2 for error in errors), rel=1e-3)


async def test_churn_is_predicted_of_who_was_active_lately_and_of_nobody_else(bureau: Bureau) -> None:
    for at in range(40):
        await bureau.click(f"daily{at}", *range(1, 59, 2))
        await bureau.click(f"left{at}", *range(45 - at % 20, 59))
    await bureau.click("gone", *range(35, 59))
    for later in (0.0, LOOK_SECONDS):
        await bureau.churn.tick(bureau.now + later)
    await bureau.scorer.score(["daily0", "left19", "gone"])
    daily, left, gone = [await bureau.stores.traits.about(user) for user in ("daily0", "left19", "gone")]
    assert daily["churn:version"] == str(bureau.churn.version)
    assert float(daily["churn"]) < 0.2
    assert float(left["churn"]) > 0.5
    assert gone["churn"] == ""


async def test_a_churn_that_a_few_examples_said_goes_once_what_is_learned_is_read(bureau: Bureau) -> None:
    await bureau.click("u", *range(1, 59, 2))
    await bureau.stores.traits.write({"u": {"churn": 0.9}})
    await bureau.scorer.score(["u"])
    before = (await bureau.stores.traits.about("u"))["churn"]
    for later in (0.0, LOOK_SECONDS):
        await bureau.churn.tick(bureau.now + later)
    await bureau.scorer.score(["u"])
    assert (bureau.churn.version, before) == (1, "0.9")
    assert (await bureau.stores.traits.about("u"))["churn"] == ""


async def test_where_activity_is_not_recorded_nothing_of_the_next_week_is_learned(bureau: Bureau) -> None:
    bureau.applier = Applier(bureau.stores.listeners, RULES, activity=False)
    await bureau.click("u", 40, 3)
    await bureau.look_twice()
    await bureau.scorer.score(["u"])
    assert bureau.next_week.model.version == 0
    assert await bureau.stage("u") == "occasional"


async def learn_of_a_crowd(bureau: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let churn and the next week be predicted, of some who click every other day and some who left."""
    monkeypatch.setattr("consumers.traits.next_week.ENOUGH", 80)
    for at in range(40):
        await bureau.click(f"daily{at}", *range(1, 59, 2))
        await bureau.click(f"left{at}", *range(45 - at % 20, 59))
    everybody = [f"{kind}{at}" for kind in ("daily", "left") for at in range(40)]
    await bureau.look_twice()
    for later in (0.0, LOOK_SECONDS):
        await bureau.churn.tick(bureau.now + later)
    await bureau.scorer.score(everybody)


async def test_who_clicks_on_once_activity_is_not_recorded_any_more_is_not_expected_to_go(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn_of_a_crowd(bureau, monkeypatch)
    before = await bureau.stores.traits.about("daily0")
    bureau.applier = Applier(bureau.stores.listeners, RULES, activity=False)
    bureau.now += 10 * DAY
    packed = await bureau.redis.get(keys.user_activity("daily1"))
    for user in ("daily0", "daily1"):
        await bureau.click(user, *range(10))
    await bureau.redis.set(keys.user_activity("daily1"), packed)  # as an earlier version left it
    await bureau.scorer.score(["daily0", "daily1"])
    after = [await bureau.stores.traits.about(user) for user in ("daily0", "daily1")]
    assert "" not in (before["churn"], before["zero_week"])
    assert [(each["churn"], each["zero_week"]) for each in after] == [("", "")] * 2


async def recorded_again(bureau: Bureau, *users: str) -> None:
    """Let listeners click for months while that is not recorded, and today, when it is."""
    bureau.applier = Applier(bureau.stores.listeners, RULES, activity=False)
    for user in users:
        await bureau.click(user, *range(1, 200, 4))
    bureau.applier = Applier(bureau.stores.listeners, RULES)
    for user in users:
        await bureau.click(user, 0)


async def test_a_week_that_was_not_recorded_is_not_learned_as_one_without_activity(bureau: Bureau) -> None:
    users = [f"u{at}" for at in range(20)]
    await recorded_again(bureau, *users)
    await bureau.look_twice()
    await bureau.scorer.score(users)
    assert bureau.next_week.model.version == 0


async def test_a_week_is_learned_once_it_is_recorded_again(bureau: Bureau) -> None:
    users = [f"u{at}" for at in range(20)]
    await recorded_again(bureau, *users)
    bureau.now += 9 * DAY
    for user in users:
        await bureau.click(user, 0)
    await bureau.look_twice()
    await bureau.scorer.score(users)
    assert bureau.next_week.model.version == 20


async def test_who_is_recorded_again_is_expected_to_do_what_is_of_one_who_came_then(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn_of_a_crowd(bureau, monkeypatch)
    bureau.now += DAY
    await recorded_again(bureau, "again")
    await bureau.click("new", 0)
    bureau.now += 6 * DAY
    for user in ("again", "new"):
        await bureau.click(user, 3, 1)
    await bureau.scorer.score(["again", "new"])
    again, new = [await bureau.stores.traits.about(user) for user in ("again", "new")]
    traits = ("churn", "zero_week", "expected_week")
    assert [again[trait] for trait in traits] == [new[trait] for trait in traits]
    assert "" not in [again[trait] for trait in traits]


async def test_nothing_is_learned_of_the_next_week_while_history_is_on_its_way(bureau: Bureau) -> None:
    users = [f"u{at}" for at in range(20)]
    for user in users:
        await bureau.click(user, *range(20, 40))
    await bureau.look_twice()
    await bureau.scorer.score(users)
    assert bureau.next_week.model.version == 0
    await bureau.click("u0", 1)
    await bureau.look_twice()
    await bureau.scorer.score(users)
    assert bureau.next_week.model.version == 20


async def test_who_is_scored_among_none_who_was_active_lately_is_learned_too(bureau: Bureau) -> None:
    stopped, active = ([f"{kind}{at}" for at in range(20)] for kind in ("stopped", "active"))
    for at in range(20):
        await bureau.click(stopped[at], *range(20, 40))
        await bureau.click(active[at], *range(1, 40))
    await bureau.look_twice()
    await bureau.scorer.score(stopped)
    await bureau.scorer.score(active)
    assert bureau.next_week.model.version == 40


async def test_nothing_is_learned_of_the_next_week_while_history_comes_beside_live_clicks(
    bureau: Bureau,
) -> None:
    users = [f"u{at}" for at in range(20)]
    for days_ago in (40, 39):
        for user in users:
            await bureau.click(user, days_ago)
        await bureau.click("live", 0)
        await bureau.look()
    await bureau.scorer.score([*users, "live"])
    assert bureau.next_week.model.version == 0
    await bureau.look()
    await bureau.scorer.score([*users, "live"])
    assert bureau.next_week.model.version == 20


async def test_one_late_click_among_few_listeners_keeps_no_week_from_being_learned(bureau: Bureau) -> None:
    users = [f"u{at}" for at in range(100)]
    for user in users:
        await bureau.click(user, *range(1, 30))
    await bureau.look()
    await bureau.click("u0", 5)
    await bureau.look()
    await bureau.scorer.score(users)
    assert bureau.next_week.model.version == 100


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says of whether anything is learned."""
    said = [record.getMessage() for record in caplog.records]
    return [each for each in said if "history seems to be on its way" in each or "learned again" in each]


async def let_history_come(bureau: Bureau, looks: int) -> None:
    users = [f"u{at}" for at in range(20)]
    for user in users:
        await bureau.click(user, 45, 0)
    await bureau.look()
    for days_ago in range(44, 44 - looks, -1):
        for user in users:
            await bureau.click(user, days_ago)
        await bureau.look()


async def test_that_nothing_is_learned_as_history_comes_is_told_once_with_the_reason(
    bureau: Bureau, caplog: pytest.LogCaptureFixture
) -> None:
    await let_history_come(bureau, looks=14)
    (said,) = told(caplog)
    assert "what 20 of 20 listeners looked at did before yesterday has changed" in said


async def test_history_that_comes_for_a_few_minutes_is_not_told(
    bureau: Bureau, caplog: pytest.LogCaptureFixture
) -> None:
    await let_history_come(bureau, looks=3)
    assert told(caplog) == []


async def test_that_it_learns_again_is_told_where_it_was_told_that_it_does_not(
    bureau: Bureau, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "consumers.traits.next_week")
    await let_history_come(bureau, looks=12)
    await bureau.look_twice()
    await bureau.look_twice()
    assert told(caplog)[1:] == ["churn and the next week are learned again"]


async def test_that_nothing_is_learned_as_nobody_was_active_lately_is_told_with_the_reason(
    bureau: Bureau, caplog: pytest.LogCaptureFixture
) -> None:
    await bureau.click("u", *range(2, 40))
    for _ in range(14):
        await bureau.look()
    (said,) = told(caplog)
    assert "none of 1 listeners looked at has activity of yesterday or today" in said


async def test_a_play_yesterday_which_goes_on_behind_utc_is_not_missed_in_what_is_learned(
    bureau: Bureau,
) -> None:
    users = ["west", "here"]
    await bureau.click("west", *range(2, 50, 3))
    await bureau.click("here", *range(50))

    async def learned() -> NextWeek:
        bureau.next_week = bureau.another_next_week()
        await bureau.look_twice()
        activities = await bureau.stores.listeners.activities(users)
        bureau.next_week.learn(users, activities, day_of(bureau.now), ["", ""])
        return bureau.next_week.model

    before = await learned()
    await bureau.click("west", 1)
    after = await learned()
    assert (before.version, after.version) == (2, 2)
    assert (before.zero.mean == after.zero.mean).all()
    assert (before.count.mean == after.count.mean).all()


@pytest.mark.parametrize(("utc_offset_min", "since"), [(0, (8, 9)), (780, (9, 10))], ids=["UTC", "ahead"])
async def test_nothing_is_learned_of_who_came_within_the_week_or_the_day_before_by_their_clock(
    bureau: Bureau, utc_offset_min: int, since: tuple[int, int]
) -> None:
    for days in since:
        await bureau.click(f"since {days}", days, 1, utc_offset_min=utc_offset_min)
    await bureau.look_twice()
    learned = []
    for days in since:
        await bureau.scorer.score([f"since {days}"])
        learned.append(bureau.next_week.model.version)
    assert learned == [0, 1]


async def test_what_was_learned_of_the_next_week_and_is_damaged_is_learned_anew(bureau: Bureau) -> None:
    await bureau.redis.set(keys.NEXT_WEEK, b"\x93no")
    with pytest.raises(SnapshotDamaged, match="next week cannot be read"):
        await NextWeekModel(bureau.redis).load()
    await bureau.next_week.begin()
    assert bureau.next_week.model.version == 0


async def test_a_segment_that_is_forgotten_while_traits_are_written_is_not_in_them(
    bureau: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    bureau.model = world_model()
    await bureau.click("u", 1)
    segments, traits = bureau.stores.segments, bureau.stores.traits
    await segments.label([Label(user_id="u", segment=name, value=1, ts=1.0) for name in ("a", "b")])
    write = traits.write

    async def forgotten_meanwhile(rows: Any) -> set[str]:
        assert "segment:a" in rows["u"]
        monkeypatch.undo()
        await segments.forget_segment("a", [])
        await traits.drop_of_all(["segment:a"])
        return await write(rows)

    monkeypatch.setattr(traits, "write", forgotten_meanwhile)
    await bureau.scorer.score(["u"])
    fields = (await traits.about("u")).keys()
    assert ("segment:a" in fields, "segment:b" in fields) == (False, True)


async def test_what_is_learned_of_the_next_week_and_has_diverged_is_learned_anew_and_told(
    bureau: Bureau, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, diverged = NextWeekModel(bureau.redis), NextWeek()
    diverged.zero.mean[2] = np.nan
    await store.keep(diverged)
    await bureau.next_week.begin()
    assert "it has diverged" in caplog.text
    caplog.clear()
    assert bureau.next_week.model.finite
    users = [f"u{at}" for at in range(20)]
    for user in users:
        await bureau.click(user, *range(1, 40))
    await bureau.look_twice()

    def diverge(model: NextWeek, *_: object) -> None:
        model.zero = diverged.zero

    monkeypatch.setattr(NextWeek, "learn", diverge)
    await bureau.scorer.score(users)
    monkeypatch.undo()
    assert "has diverged" in caplog.text
    await bureau.scorer.score(users)
    assert (bureau.next_week.model.finite, bureau.next_week.model.version) == (True, 20)
