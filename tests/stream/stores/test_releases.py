from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.releases import Asked, Heard, OpenRelease, Releases, State
from stream.wire.events import Feedback, Page, Release, encode

NOW = 1000.0
RELEASE = Release(release_id="r1", artist_ids=["ana"], title="Sól")


def page(number: int, *users: str, cohort: str = "c1", release: str = "r1") -> Page:
    return Page(
        release_id=release,
        page=number,
        user_ids=list(users),
        cohort_ids=[cohort] * len(users),
        scores=[0.5] * len(users),
        model_version=3,
        emitted_at=NOW,
    )


PAGES = (page(0, "a", "b"), page(1, "c", cohort="c2"))
CTR = {"c1": 0.2, "c2": 0.1}
ABOUT = {"artist_ids": '["ana"]', "title": "Sól", "planned_at": NOW, "reason": "done", "relied_on": "artists"}


def asked(release: Release = RELEASE, offset: int = 7, source: str = "0") -> Asked:
    return Asked(release, source, offset, published_at=NOW - 1)


async def claim(
    releases: Releases, holder: str, now: float = NOW, event: Asked | None = None
) -> State | None:
    return await releases.claim(event or asked(), holder, now, 5.0)


async def fix(releases: Releases, page: Page, holder: str = "w1") -> bool:
    return await releases.fix_page(page, encode(page), holder, ABOUT)


async def end_plan(releases: Releases, pages: Sequence[Page], holder: str = "w1") -> bool:
    totals = {
        "audience": sum(len(page.user_ids) for page in pages),
        "pages": len(pages),
        "cohorts": len({cohort for page in pages for cohort in page.cohort_ids}),
    }
    return await releases.end_plan(pages[0].release_id if pages else "r1", holder, {**ABOUT, **totals})


async def planned(
    releases: Releases, pages: Sequence[Page] = PAGES, release: Release = RELEASE, offset: int = 7
) -> None:
    assert await claim(releases, "w1", event=asked(release, offset)) == State.NEW
    for each in pages:
        assert await fix(releases, each)
    await releases.predict(release.release_id, CTR)
    assert await end_plan(releases, pages)


async def fixed(releases: Releases) -> list[bytes]:
    return (await releases.left_by("r1")).pages


async def about(redis: AnyRedis, key: str) -> dict[str, str]:
    return {k.decode(): v.decode() for k, v in (await redis.hgetall(key)).items()}


def heard(*events: tuple[str, str, int], release: str = "r1", source: str = "0") -> list[Heard]:
    """User, kind, offset."""
    return [
        Heard(Feedback(release_id=release, user_id=user, kind=kind, ts=NOW), source, offset)
        for user, kind, offset in events
    ]


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
    assert await fix(releases, PAGES[1], "w2")
    await end_plan(releases, PAGES, "w2")
    assert await claim(releases, "w3", NOW + 20) == State.PLANNED


async def test_what_a_worker_has_left_is_told_to_the_next(releases: Releases) -> None:
    await claim(releases, "w1")
    await fix(releases, PAGES[0])
    other = Release(release_id="r1", artist_ids=["bo"])
    await claim(releases, "w2", NOW + 6, asked(other, offset=9))
    left = await releases.left_by("r1")
    assert left == OpenRelease(asked(), State.STARTED, "done", NOW, [encode(PAGES[0])])


async def test_who_lost_the_release_fixes_nothing(releases: Releases) -> None:
    await claim(releases, "w1")
    assert await fix(releases, PAGES[0])
    await claim(releases, "w2", NOW + 6)
    assert not await fix(releases, PAGES[1], "w1")
    assert not await end_plan(releases, PAGES, "w1")
    assert not await releases.tell(PAGES[1], "w1")
    assert await fixed(releases) == [encode(PAGES[0])]


async def test_a_page_that_is_fixed_is_not_fixed_anew(releases: Releases) -> None:
    await claim(releases, "w1")
    assert await fix(releases, PAGES[0])
    assert await fix(releases, PAGES[0]), "the answer to the first try was lost"
    assert not await fix(releases, page(0, "x"))
    assert not await fix(releases, page(2, "x")), "the page before it is missing"
    assert await fixed(releases) == [encode(PAGES[0])]


async def test_to_what_is_planned_no_page_is_added(releases: Releases) -> None:
    await planned(releases)
    assert not await fix(releases, page(2, "x"))
    assert await fixed(releases) == [encode(page) for page in PAGES]


async def test_a_release_that_found_nobody_is_free_for_a_later_event_at_once(releases: Releases) -> None:
    await planned(releases, ())
    await releases.finish("r1", None)
    assert await claim(releases, "w2", NOW + 1, asked(offset=8)) == State.NEW


@pytest.mark.parametrize("offset", [3, 7])
async def test_the_event_that_found_nobody_and_those_before_it_are_answered(
    releases: Releases, offset: int
) -> None:
    await planned(releases, ())
    await releases.finish("r1", None)
    assert await claim(releases, "w2", NOW + 1, asked(offset=offset)) == State.DONE
    assert await claim(releases, "w2", NOW + 1, asked(offset=offset, source="0.1")) == State.NEW


async def test_a_release_that_is_done_is_not_left_open_by_who_asks_for_it(releases: Releases) -> None:
    await planned(releases)
    await releases.finish("r1", None)
    await claim(releases, "w2", NOW + 1)
    assert await releases.left_open(NOW + 100) == []
    assert await releases.abandoned(NOW + 100) == []


async def test_what_is_known_of_a_release_can_be_read(redis: AnyRedis, releases: Releases) -> None:
    await planned(releases)
    await releases.finish("r1", latency_ms=12.34)
    found = await releases.about("r1")
    expected = {"state": "done", "audience": "3", "pages": "2", "cohorts": "2", "latency_ms": "12.3"}
    expected |= {"artist_ids": '["ana"]', "title": "Sól", "reason": "done", "relied_on": "artists"}
    assert expected.items() <= found.items()
    assert "event" not in found
    rates = await redis.zrange(keys.release_cohorts("r1"), 0, -1, desc=True, withscores=True)
    assert rates == [(b"c1", 0.2), (b"c2", 0.1)]


async def test_a_release_that_is_done_is_done_for_good(releases: Releases) -> None:
    await planned(releases)
    await releases.finish("r1", None)
    assert await claim(releases, "w1", NOW + 1, asked(offset=8)) == State.DONE
    assert await claim(releases, "w2", NOW + 100, asked(offset=9)) == State.DONE


async def test_a_release_that_found_nobody_may_be_asked_for_again(releases: Releases) -> None:
    await planned(releases, ())
    await releases.finish("r1", None)
    await planned(releases, offset=8)
    assert (await releases.about("r1"))["audience"] == "3"


async def test_everything_of_a_release_fades_after_its_days(redis: AnyRedis, releases: Releases) -> None:
    await planned(releases)
    await releases.count(heard(("a", "sent", 0)))
    await releases.finish("r1", None)
    for part in ("", ":cohorts", ":told", ":seen", ":counts"):
        assert 0 < await redis.ttl(f"release:{{r1}}{part}") <= 3600, part
    assert not await redis.exists(keys.release_pages("r1"))


async def test_releases_in_hand_for_long_are_left_open(releases: Releases) -> None:
    other = RELEASE.model_copy(update={"release_id": "r2"})
    await claim(releases, "w1")
    await claim(releases, "w1", NOW + 10, asked(other))
    assert await releases.left_open(NOW + 5) == [RELEASE]
    await releases.finish("r1", None)
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


async def assert_counts(redis: AnyRedis, key: str, expected: dict[str, int]) -> None:
    found = await about(redis, key)
    kinds = ("sent", "opened", "clicked", "dismissed", "opted_out")
    assert {kind: int(found[kind]) for kind in kinds if kind in found} == expected


async def test_feedback_counts_for_the_release_and_for_the_cohort_that_was_told(
    redis: AnyRedis, releases: Releases
) -> None:
    await planned(releases)
    events = heard(
        ("a", "sent", 0), ("b", "sent", 1), ("c", "sent", 2), ("a", "opened", 3), ("a", "clicked", 4)
    )
    assert await releases.count(events) == 5
    await assert_counts(redis, keys.release("r1"), {"sent": 3, "opened": 1, "clicked": 1})
    await assert_counts(redis, keys.cohort("c1"), {"sent": 2, "opened": 1, "clicked": 1})
    await assert_counts(redis, keys.cohort("c2"), {"sent": 1})
    assert float((await about(redis, keys.release("r1")))["ctr"]) == pytest.approx(1 / 3)
    assert float((await about(redis, keys.cohort("c1")))["ctr"]) == 0.5
    assert float((await about(redis, keys.cohort("c2")))["ctr"]) == 0.0


@pytest.mark.parametrize("cut", [[2, 4], [1, 3], [4], [0, 1, 2, 3, 4]])
async def test_feedback_delivered_again_in_any_cut_counts_once(
    redis: AnyRedis, releases: Releases, cut: Sequence[int]
) -> None:
    await planned(releases)
    events = heard(
        ("a", "sent", 0), ("c", "sent", 1), ("a", "clicked", 2), ("b", "sent", 3), ("c", "clicked", 4)
    )
    await releases.count(events)
    before = await _all(redis)
    for begin, end in zip([0, *cut], [*cut, len(events)], strict=True):
        await releases.count(events[begin:end])
    assert await _all(redis) == before


async def _all(redis: AnyRedis) -> list[dict[str, str]]:
    hashes = keys.release("r1"), keys.release_counts("r1"), keys.cohort("c1"), keys.cohort("c2")
    return [await about(redis, key) for key in hashes]


async def test_a_kind_reported_twice_of_a_listener_counts_once(redis: AnyRedis, releases: Releases) -> None:
    await planned(releases)
    await releases.count(heard(("a", "sent", 0)))
    assert await releases.count(heard(("a", "sent", 1))) == 0
    assert await releases.count(heard(("a", "sent", 0), source="1")) == 0
    await assert_counts(redis, keys.release("r1"), {"sent": 1})
    await assert_counts(redis, keys.cohort("c1"), {"sent": 1})


async def test_a_cohort_is_counted_for_after_a_crash_between_the_two_counts(
    redis: AnyRedis, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    await planned(releases)

    async def crash(*_: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched, pytest.raises(ConnectionError):
        patched.setattr(releases, "_count_cohort", crash)
        await releases.count(heard(("a", "sent", 0), ("b", "sent", 1)))
    await releases.count(heard(("a", "sent", 0)))
    await releases.count(heard(("b", "sent", 1), ("a", "clicked", 2)))
    await assert_counts(redis, keys.release("r1"), {"sent": 2, "clicked": 1})
    await assert_counts(redis, keys.cohort("c1"), {"sent": 2, "clicked": 1})


async def test_feedback_of_one_who_was_not_told_counts_nowhere(redis: AnyRedis, releases: Releases) -> None:
    await planned(releases)
    assert await releases.count(heard(("stranger", "clicked", 0))) == 0
    assert await releases.count(heard(("a", "clicked", 1), release="never heard of")) == 0
    await assert_counts(redis, keys.release("r1"), {})
    assert await about(redis, keys.cohort("c1")) == {}


async def test_feedback_of_several_partitions_and_releases_is_counted(
    redis: AnyRedis, releases: Releases
) -> None:
    await planned(releases)
    other = RELEASE.model_copy(update={"release_id": "r2"})
    await planned(releases, [page(0, "a", release="r2")], other)
    await releases.count(
        [
            *heard(("a", "sent", 7), release="r2", source="1"),
            *heard(("a", "sent", 3), source="0"),
            *heard(("a", "clicked", 8), release="r2", source="1"),
            *heard(("b", "sent", 9), source="1"),
        ]
    )
    await assert_counts(redis, keys.cohort("c1"), {"sent": 3, "clicked": 1})
    await assert_counts(redis, keys.release("r2"), {"sent": 1, "clicked": 1})


async def test_who_opted_out_is_remembered_also_where_they_were_told_nothing(releases: Releases) -> None:
    out = releases.opted_out
    assert await out.among(["a", "stranger"]) == set()
    await releases.count(heard(("stranger", "opted_out", 0)))
    assert await out.among(["a", "stranger"]) == {"stranger"}
    assert await out.among([]) == set()
    assert await out.count() == 1


async def test_who_opted_out_is_held_in_memory_after_a_refresh(releases: Releases) -> None:
    out = releases.opted_out
    await releases.count(heard(("a", "opted_out", 0), ("b", "opted_out", 1)))
    assert out.held == frozenset()
    assert await out.refresh()
    assert out.held == {"a", "b"}
    assert not await out.refresh(), "nobody has opted out since"
