from __future__ import annotations

import numpy as np
import pytest

from models.waves import Wave
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.decisions import Decisions
from stream.stores.feedback import FeedbackCounts, Heard
from stream.stores.opted_out import OptedOut
from stream.stores.releases import Fixable, Fixed, OpenRelease, Releases, State
from stream.stores.told import Told
from stream.wire.events import Feedback, Release, encode
from tests.stream.stores.planned import (
    ABOUT,
    CTR,
    NOW,
    PAGES,
    RELEASE,
    about,
    asked,
    claim,
    end_plan,
    fix,
    fixed,
    page,
    planned,
)


async def test_a_release_is_new_to_the_first_who_takes_it(releases: Releases) -> None:
    assert await claim(releases, "w1") == State.NEW
    assert await claim(releases, "w2", NOW + 1) is None


async def test_who_has_a_release_in_hand_may_take_it_again(releases: Releases) -> None:
    await claim(releases, "w1")
    assert await claim(releases, "w1", NOW + 4) == State.NEW
    assert await claim(releases, "w2", NOW + 6) is None


async def test_a_release_is_free_again_when_its_time_is_up(releases: Releases) -> None:
    await claim(releases, "w1")
    assert await claim(releases, "w2", NOW + 5.1) == State.NEW
    assert await claim(releases, "w1", NOW + 6) is None


async def test_a_release_that_is_kept_in_hand_is_not_free(releases: Releases) -> None:
    await claim(releases, "w1")
    assert await releases.renew("r1", "w1", NOW + 10)
    assert await claim(releases, "w2", NOW + 9) is None


async def test_who_lost_a_release_does_not_keep_it(releases: Releases) -> None:
    await claim(releases, "w1")
    await claim(releases, "w2", NOW + 6)
    assert not await releases.renew("r1", "w1", NOW + 20)
    assert await claim(releases, "w3", NOW + 12) == State.NEW


async def test_a_script_that_redis_has_forgotten_is_sent_again(redis: AnyRedis, releases: Releases) -> None:
    await claim(releases, "w1")
    await fix(releases, PAGES[0])
    await redis.script_flush()
    assert await claim(releases, "w2") is None
    await redis.script_flush()
    assert await fix(releases, PAGES[1])
    assert await fixed(releases) == [encode(page) for page in PAGES]


async def test_pages_are_fixed_as_they_go_to_kafka(releases: Releases) -> None:
    await planned(releases)
    assert await fixed(releases) == [encode(page) for page in PAGES]


async def test_who_is_told_by_a_page_is_known_once_it_is_fixed(redis: AnyRedis, releases: Releases) -> None:
    await claim(releases, "w1")
    await fix(releases, PAGES[0])
    assert await about(redis, keys.release_told("r1")) == {"a": "c1", "b": "c1"}


async def test_a_release_with_a_page_is_started_and_with_all_planned(releases: Releases) -> None:
    await claim(releases, "w1")
    await fix(releases, PAGES[0])
    assert await claim(releases, "w2", NOW + 1) is None
    assert await claim(releases, "w2", NOW + 6) == State.STARTED
    assert await fix(releases, PAGES[1], holder="w2")
    await end_plan(releases, PAGES, "w2")
    assert await claim(releases, "w3", NOW + 20) == State.PLANNED


async def test_what_a_worker_has_left_is_told_to_the_next(releases: Releases) -> None:
    await claim(releases, "w1")
    await fix(releases, PAGES[0])
    other = Release(release_id="r1", artist_ids=["bo"])
    await claim(releases, "w2", NOW + 6, asked(other, offset=9))
    left = await releases.left_by("r1")
    assert left == OpenRelease(asked(), State.STARTED, "done", NOW, [encode(PAGES[0])], {})


async def test_who_lost_the_release_fixes_nothing(releases: Releases) -> None:
    await claim(releases, "w1")
    assert await fix(releases, PAGES[0])
    await claim(releases, "w2", NOW + 6)
    assert await fix(releases, PAGES[1], holder="w1") is None
    assert not await end_plan(releases, PAGES, "w1")
    assert not await releases.tell(PAGES[1], "w1")
    assert await fixed(releases) == [encode(PAGES[0])]


async def test_a_page_that_is_fixed_is_not_fixed_anew(releases: Releases) -> None:
    await claim(releases, "w1")
    assert await fix(releases, PAGES[0])
    assert await fix(releases, PAGES[0]), "the answer to the first try was lost"
    assert await fix(releases, page(0, "x")) is None
    assert await fix(releases, page(2, "x")) is None, "the page before it is missing"
    assert await fixed(releases) == [encode(PAGES[0])]


async def test_of_a_page_that_is_not_fixed_nothing_is_noted(redis: AnyRedis, releases: Releases) -> None:
    await claim(releases, "w1")
    await claim(releases, "w2", NOW + 6)
    known = np.ones((2, 3), dtype=np.float32)
    made = Fixable(PAGES[0], encode(PAGES[0]), ABOUT, {"d": "c1"}, known)
    assert await releases.fix_pages([made], "w1") is None
    assert (await releases.response("r1")).control == 0
    assert (await Decisions(redis).outcome("r1")).user_ids == ()
    assert await about(redis, keys.release_told("r1")) == {}


async def test_what_was_known_of_who_is_on_a_page_is_noted_with_it(
    redis: AnyRedis, releases: Releases
) -> None:
    await claim(releases, "w1")
    known = np.array([[1, 2], [3, 4]], dtype=np.float32)
    made = Fixable(PAGES[0], encode(PAGES[0]), ABOUT, {"d": "c1"}, known)
    assert await releases.fix_pages([made], "w1") == Fixed(1, [])
    assert (await releases.response("r1")).control == 1
    outcome = await Decisions(redis).outcome("r1")
    assert outcome.user_ids == ("a", "b")
    assert outcome.features.tolist() == known.tolist()


async def test_between_two_waves_a_release_is_in_nobodys_hand_and_nobody_may_take_it(
    releases: Releases,
) -> None:
    await claim(releases, "w1")
    await fix(releases, PAGES[0])
    assert await releases.pause("r1", "w1", NOW + 60, {"wave": 1, "wave_until": 2, "aimed": 3})
    assert not await releases.renew("r1", "w1", NOW + 100)
    assert await claim(releases, "w1", NOW + 59) is None
    assert await releases.abandoned(NOW + 59) == []
    assert await releases.left_open(NOW + 59) == [], "it waits for nothing but the time"
    assert await releases.abandoned(NOW + 60) == [asked()]
    assert await claim(releases, "w2", NOW + 60) == State.PAUSED
    assert (await releases.left_by("r1")).wave == Wave(1, 2, 3)
    assert await fix(releases, PAGES[1], holder="w2")
    assert await claim(releases, "w3", NOW + 70) == State.STARTED


async def test_of_a_release_that_is_stopped_no_page_is_fixed(releases: Releases) -> None:
    await claim(releases, "w1")
    await fix(releases, PAGES[0])
    assert await releases.stop("r1", NOW) == State.STARTED
    assert await fix(releases, PAGES[0]), "what is fixed stays so"
    assert await fix(releases, PAGES[1]) == 0
    assert (await releases.left_by("r1")).stopped
    assert await fixed(releases) == [encode(PAGES[0])]


async def test_pages_are_fixed_together_in_their_order(redis: AnyRedis, releases: Releases) -> None:
    await claim(releases, "w1")
    known = np.ones((2, 3), dtype=np.float32)
    first = Fixable(PAGES[0], encode(PAGES[0]), ABOUT, {"d": "c1"}, known)
    second = Fixable(PAGES[1], encode(PAGES[1]), {"left_out": "{}"}, {"e": "c2"}, known[:1])
    for _ in range(2):  # they may be repeated
        assert await releases.fix_pages([first, second], "w1") == Fixed(2, [])
    assert await fixed(releases) == [encode(page) for page in PAGES]
    assert await about(redis, keys.release_told("r1")) == {"a": "c1", "b": "c1", "c": "c2"}
    assert await about(redis, keys.release_control("r1")) == {"d": "c1", "e": "c2"}
    assert (await Decisions(redis).outcome("r1")).user_ids == ("a", "b", "c")


async def test_who_is_on_a_page_that_is_not_fixed_as_the_release_is_stopped_is_not_told(
    redis: AnyRedis, releases: Releases
) -> None:
    await claim(releases, "w1")
    await fix(releases, PAGES[0])
    await releases.stop("r1", NOW)
    assert await fix(releases, *PAGES) == 1, "the first is fixed already"
    assert await about(redis, keys.release_told("r1")) == {"a": "c1", "b": "c1"}


async def test_a_release_that_is_stopped_between_two_waves_may_be_taken_at_once(releases: Releases) -> None:
    await claim(releases, "w1")
    await fix(releases, PAGES[0])
    await releases.pause("r1", "w1", NOW + 60, {"wave": 1, "wave_until": 2, "aimed": 3})
    assert await releases.stop("r1", NOW + 1) == State.PAUSED
    assert await releases.abandoned(NOW + 1) == [asked()]


async def test_a_release_that_is_stopped_just_before_it_is_paused_may_be_taken_at_once(
    releases: Releases,
) -> None:
    await claim(releases, "w1")
    await fix(releases, PAGES[0])
    assert await releases.stop("r1", NOW + 1) == State.STARTED
    assert await releases.pause("r1", "w1", NOW + 3600, {"held": 3})
    assert await releases.abandoned(NOW + 2) == [asked()]


async def test_what_is_planned_done_or_unknown_is_not_stopped(releases: Releases) -> None:
    await planned(releases)
    assert await releases.stop("r1", NOW) == State.PLANNED
    assert not (await releases.left_by("r1")).stopped
    assert await releases.told("r1") == 3
    await releases.finish("r1", "w1", None)
    assert await releases.stop("r1", NOW) == State.DONE
    assert await releases.stop("r2", NOW) is None


async def test_to_what_is_planned_no_page_is_added(releases: Releases) -> None:
    await planned(releases)
    assert not await fix(releases, page(2, "x"))
    assert await fixed(releases) == [encode(page) for page in PAGES]


async def test_a_release_that_found_nobody_is_free_for_a_later_event_at_once(releases: Releases) -> None:
    await planned(releases, ())
    await releases.finish("r1", "w1", None)
    assert await claim(releases, "w2", NOW + 1, asked(offset=8)) == State.NEW


@pytest.mark.parametrize("offset", [3, 7])
async def test_the_event_that_found_nobody_and_those_before_it_are_answered(
    releases: Releases, offset: int
) -> None:
    await planned(releases, ())
    await releases.finish("r1", "w1", None)
    assert await claim(releases, "w2", NOW + 1, asked(offset=offset)) == State.DONE
    assert await claim(releases, "w2", NOW + 1, asked(offset=offset, source="0.1")) == State.NEW


async def test_a_release_that_is_done_is_not_left_open_by_who_asks_for_it(releases: Releases) -> None:
    await planned(releases)
    await releases.finish("r1", "w1", None)
    await claim(releases, "w2", NOW + 1)
    assert await releases.left_open(NOW + 100) == []
    assert await releases.abandoned(NOW + 100) == []


async def test_what_is_known_of_a_release_can_be_read(redis: AnyRedis, releases: Releases) -> None:
    await planned(releases)
    await releases.finish("r1", "w1", latency_ms=12.34)
    found = await releases.about("r1")
    expected = {"state": "done", "audience": "3", "pages": "2", "cohorts": "2", "latency_ms": "12.3"}
    expected |= {"artist_ids": '["ana"]', "title": "Sól", "reason": "done", "relied_on": "artists"}
    assert expected.items() <= found.items()
    assert "event" not in found
    rates = await redis.zrange(keys.release_cohorts("r1"), 0, -1, desc=True, withscores=True)
    assert rates == [(b"c1", 0.2), (b"c2", 0.1)]


async def test_it_is_known_of_a_release_when_its_last_page_was_made(releases: Releases) -> None:
    assert await claim(releases, "w1") == State.NEW
    for each, at in zip(PAGES, (NOW, NOW + 900), strict=True):
        assert await fix(releases, each.model_copy(update={"emitted_at": at}))
        assert float((await releases.about("r1"))["last_page_at"]) == at


async def test_a_release_that_is_done_is_done_for_good(releases: Releases) -> None:
    await planned(releases)
    await releases.finish("r1", "w1", None)
    assert await claim(releases, "w1", NOW + 1, asked(offset=8)) == State.DONE
    assert await claim(releases, "w2", NOW + 100, asked(offset=9)) == State.DONE


async def test_a_release_that_found_nobody_may_be_asked_for_again(releases: Releases) -> None:
    await planned(releases, ())
    await releases.finish("r1", "w1", None)
    await planned(releases, offset=8)
    assert (await releases.about("r1"))["audience"] == "3"


async def test_who_stood_still_before_the_end_leaves_the_next_answer_as_it_is(
    redis: AnyRedis, releases: Releases
) -> None:
    await planned(releases, ())
    assert await claim(releases, "w2", NOW + 6) == State.PLANNED
    assert await releases.finish("r1", "w2", None)
    assert await claim(releases, "w3", NOW + 7, asked(offset=8)) == State.NEW
    assert not await releases.finish("r1", "w1", None), "nothing of it is fixed"
    assert await fix(releases, PAGES[0], holder="w3")
    for stale in ("w1", "w2"):
        assert not await releases.finish("r1", stale, None)
    assert (await releases.about("r1"))["state"] == State.STARTED
    assert await fixed(releases) == [encode(PAGES[0])]
    assert await redis.ttl(keys.release("r1")) == -1
    assert await releases.abandoned(NOW + 20) == [asked(offset=8)], "others look after it"


async def test_a_release_is_not_done_before_all_its_pages_are_fixed(releases: Releases) -> None:
    await claim(releases, "w1")
    assert not await releases.finish("r1", "w1", None)
    await fix(releases, PAGES[0])
    assert not await releases.finish("r1", "w1", None)
    assert await fixed(releases) == [encode(PAGES[0])]


async def test_that_a_release_is_done_may_be_said_again(releases: Releases) -> None:
    await planned(releases)
    for _ in range(2):  # the answer to the first try was lost
        assert await releases.finish("r1", "w1", None)
    assert await releases.unfinished() == []


async def test_a_release_that_is_answered_anew_does_not_fade_by_the_days_of_the_first_answer(
    redis: AnyRedis, releases: Releases
) -> None:
    await claim(releases, "w1")
    assert await releases.hold("r1", "w1", {}, control={"apart": "c1"})
    await end_plan(releases, ())
    await releases.finish("r1", "w1", None)
    fading = (keys.release("r1"), keys.release_control("r1"))
    assert [0 < await redis.ttl(key) <= 3600 for key in fading] == [True, True]
    assert await claim(releases, "w2", NOW + 10, asked(offset=8)) == State.NEW
    assert [await redis.ttl(key) for key in fading] == [-1, -1]


async def test_everything_of_a_release_fades_after_its_days(redis: AnyRedis, releases: Releases) -> None:
    await claim(releases, "w1")
    known = np.ones((2, 3), dtype=np.float32)
    made = Fixable(PAGES[0], encode(PAGES[0]), ABOUT, {"apart": "c1"}, known)
    assert await releases.fix_pages([made], "w1") == Fixed(1, [])
    await releases.predict("r1", CTR)
    await end_plan(releases, PAGES[:1])
    opted_out, told = OptedOut(redis), Told(redis)
    sent = Heard(Feedback(release_id="r1", user_id="a", kind="sent", ts=NOW), "0", 0)
    await FeedbackCounts(redis, 3600, opted_out, told).count([sent])
    await releases.finish("r1", "w1", None)
    for part in ("", ":cohorts", ":told", ":control", ":decisions", ":seen", ":counts"):
        assert 0 < await redis.ttl(f"release:{{r1}}{part}") <= 3600, part
    assert not await redis.exists(keys.release_pages("r1"))


async def test_releases_in_hand_for_long_are_left_open(releases: Releases) -> None:
    other = RELEASE.model_copy(update={"release_id": "r2"})
    await claim(releases, "w1")
    await claim(releases, "w1", NOW + 10, asked(other))
    assert await releases.left_open(NOW + 5) == [RELEASE]
    await end_plan(releases, ())
    await releases.finish("r1", "w1", None)
    assert await releases.left_open(NOW + 20) == [other]


async def test_a_release_in_nobodys_hand_is_abandoned(releases: Releases) -> None:
    await claim(releases, "w1")
    assert await releases.abandoned(NOW + 4) == []
    assert await releases.abandoned(NOW + 5) == [asked()]


async def test_a_release_that_one_after_the_other_fails_at_waits_since_the_first(releases: Releases) -> None:
    for at in (0, 10, 20):
        assert await claim(releases, f"w{at}", NOW + at) == State.NEW
    assert await releases.left_open(NOW + 5) == [RELEASE]


async def test_an_audience_of_many_thousands_is_fixed(redis: AnyRedis, releases: Releases) -> None:
    pages = [page(n, *(f"u{n}-{i}" for i in range(1000)), cohort=f"c{n}") for n in range(30)]
    await planned(releases, pages)
    await releases.predict("r1", {f"c{n}": n / 100 for n in range(4000)})
    assert len(await fixed(releases)) == 30
    assert await redis.hlen(keys.release_told("r1")) == 30_000
    assert await redis.zcard(keys.release_cohorts("r1")) == 4000
