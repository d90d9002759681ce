from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.click_rate import MIN_SENT
from stream.connect import AnyRedis
from stream.stores import keys
from stream.stores.feedback import FeedbackCounts, Heard
from stream.stores.opted_out import OptedOut
from stream.stores.releases import Fixable, Releases
from stream.stores.told import Caps, Told, ToldLately
from stream.wire.events import Feedback, encode
from tests.stream.stores.planned import ABOUT, NOW, PAGES, RELEASE, about, claim, page, planned


@pytest.fixture
def opted_out(redis: AnyRedis) -> OptedOut:
    return OptedOut(redis)


@pytest.fixture
def told(redis: AnyRedis) -> Told:
    return Told(redis)


@pytest.fixture
def counts(redis: AnyRedis, opted_out: OptedOut, told: Told) -> FeedbackCounts:
    return FeedbackCounts(redis, 3600, opted_out, told, clock=lambda: NOW)


def heard(*events: tuple[str, str, int], release: str = "r1", source: str = "0") -> list[Heard]:
    """User, kind, offset."""
    return [
        Heard(Feedback(release_id=release, user_id=user, kind=kind, ts=NOW), source, offset)
        for user, kind, offset in events
    ]


async def assert_counts(redis: AnyRedis, key: str, expected: dict[str, int]) -> None:
    found = await about(redis, key)
    kinds = ("sent", "opened", "clicked", "dismissed", "opted_out")
    assert {kind: int(found[kind]) for kind in kinds if kind in found} == expected


async def test_feedback_counts_for_the_release_and_for_the_cohort_that_was_told(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts
) -> None:
    await planned(releases)
    events = heard(
        ("a", "sent", 0), ("b", "sent", 1), ("c", "sent", 2), ("a", "opened", 3), ("a", "clicked", 4)
    )
    assert await counts.count(events) == 5
    await assert_counts(redis, keys.release("r1"), {"sent": 3, "opened": 1, "clicked": 1})
    await assert_counts(redis, keys.cohort("c1"), {"sent": 2, "opened": 1, "clicked": 1})
    await assert_counts(redis, keys.cohort("c2"), {"sent": 1})


@pytest.mark.parametrize("cut", [[2, 4], [1, 3], [4], [0, 1, 2, 3, 4]])
async def test_feedback_delivered_again_in_any_cut_counts_once(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts, cut: Sequence[int]
) -> None:
    await planned(releases)
    events = heard(
        ("a", "sent", 0), ("c", "sent", 1), ("a", "clicked", 2), ("b", "sent", 3), ("c", "clicked", 4)
    )
    await counts.count(events)
    before = await _all(redis)
    for begin, end in zip([0, *cut], [*cut, len(events)], strict=True):
        await counts.count(events[begin:end])
    assert await _all(redis) == before


async def _all(redis: AnyRedis) -> list[dict[str, str]]:
    hashes = keys.release("r1"), keys.release_counts("r1"), keys.cohort("c1"), keys.cohort("c2")
    return [await about(redis, key) for key in hashes]


async def test_a_kind_reported_twice_of_a_listener_counts_once(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts
) -> None:
    await planned(releases)
    await counts.count(heard(("a", "sent", 0)))
    assert await counts.count(heard(("a", "sent", 1))) == 0
    assert await counts.count(heard(("a", "sent", 0), source="1")) == 0
    await assert_counts(redis, keys.release("r1"), {"sent": 1})
    await assert_counts(redis, keys.cohort("c1"), {"sent": 1})


async def test_feedback_counts_for_a_release_whose_id_was_used_by_one_that_is_forgotten(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts, told: Told
) -> None:
    await planned(releases)
    await counts.count(heard(("a", "sent", 0), ("b", "sent", 1)))
    await releases.finish("r1", "w1", None)
    for key in (keys.release("r1"), keys.release_told("r1")):  # as when their days are over
        await redis.delete(key)
    await told.forget("a")
    await planned(releases, offset=8)
    assert await counts.count(heard(("a", "sent", 2))) == 1
    await assert_counts(redis, keys.release("r1"), {"sent": 1})
    assert await about(redis, keys.release_counts("r1")) == {"c1:sent": "1"}
    assert [each.sent_of for each in await told.of(["a"])] == [{"r1"}]


async def test_the_gap_of_an_artist_holds_of_what_was_sent_after_it_was_reported_as_not_sent(
    redis: AnyRedis, releases: Releases, opted_out: OptedOut
) -> None:
    told = Told(redis, Caps(artist_gap=600))
    counts = FeedbackCounts(redis, 3600, opted_out, told, clock=lambda: NOW)
    await planned(releases)
    await told.reserve("r1", RELEASE.artist_ids, ["a"], [False], NOW)
    await counts.count(heard(("a", "not_sent", 0)))
    assert await told.of(["a"]) == [ToldLately()]
    await counts.count(heard(("a", "sent", 1)))
    for artist, reason in (("ana", "told of this artist lately"), ("bo", "")):
        assert await told.reserve("r2", [artist], ["a"], [True], NOW + 1) == [reason]


async def test_counts_of_history_stay_with_a_release_that_is_announced_later(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts
) -> None:
    await redis.hset(keys.user("x"), "cohort", "c1")
    history = Feedback(release_id="r1", user_id="x", kind="clicked", ts=NOW, history=True)
    assert await counts.count([Heard(history, "0", 0)]) == 1
    await planned(releases)
    await counts.count(heard(("a", "sent", 1)))
    await assert_counts(redis, keys.release("r1"), {"sent": 2, "clicked": 1})


async def test_a_cohort_is_counted_for_after_a_crash_between_the_two_counts(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts, monkeypatch: pytest.MonkeyPatch
) -> None:
    await planned(releases)

    async def crash(*_: Any) -> None:
        raise ConnectionError

    with monkeypatch.context() as patched, pytest.raises(ConnectionError):
        patched.setattr(counts, "_count_for_cohorts", crash)
        await counts.count(heard(("a", "sent", 0), ("b", "sent", 1)))
    await counts.count(heard(("a", "sent", 0)))
    await counts.count(heard(("b", "sent", 1), ("a", "clicked", 2)))
    await assert_counts(redis, keys.release("r1"), {"sent": 2, "clicked": 1})
    await assert_counts(redis, keys.cohort("c1"), {"sent": 2, "clicked": 1})


async def test_feedback_of_one_who_was_not_told_counts_nowhere(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts
) -> None:
    await planned(releases)
    assert await counts.count(heard(("stranger", "clicked", 0))) == 0
    assert await counts.count(heard(("a", "clicked", 1), release="never heard of")) == 0
    await assert_counts(redis, keys.release("r1"), {})
    assert await about(redis, keys.cohort("c1")) == {}


async def test_feedback_of_several_partitions_and_releases_is_counted(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts
) -> None:
    await planned(releases)
    other = RELEASE.model_copy(update={"release_id": "r2"})
    await planned(releases, [page(0, "a", release="r2")], other)
    await counts.count(
        [
            *heard(("a", "sent", 7), release="r2", source="1"),
            *heard(("a", "sent", 3), source="0"),
            *heard(("a", "clicked", 8), release="r2", source="1"),
            *heard(("b", "sent", 9), source="1"),
        ]
    )
    await assert_counts(redis, keys.cohort("c1"), {"sent": 3, "clicked": 1})
    await assert_counts(redis, keys.release("r2"), {"sent": 1, "clicked": 1})


async def test_who_opted_out_is_remembered_also_where_they_were_told_nothing(
    counts: FeedbackCounts, opted_out: OptedOut
) -> None:
    out = opted_out
    assert await out.among(["a", "stranger"]) == set()
    await counts.count(heard(("stranger", "opted_out", 0)))
    assert await out.among(["a", "stranger"]) == {"stranger"}
    assert await out.among([]) == set()
    assert await out.count() == 1


async def test_who_opted_out_is_held_in_memory_after_a_refresh(
    counts: FeedbackCounts, opted_out: OptedOut
) -> None:
    out = opted_out
    await counts.count(heard(("a", "opted_out", 0), ("b", "opted_out", 1)))
    assert out.held == set()
    assert await out.refresh()
    assert out.held == {"a", "b"}
    assert not await out.refresh(), "nobody has opted out since"


async def test_a_ctr_is_there_once_enough_were_sent(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts
) -> None:
    users = [f"u{n}" for n in range(MIN_SENT)]
    await planned(releases, [page(0, *users)])
    await counts.count(
        heard(*((user, "sent", at) for at, user in enumerate(users[1:])), (users[1], "clicked", 50))
    )
    assert "ctr" not in await about(redis, keys.release("r1")) | await about(redis, keys.cohort("c1"))
    await counts.count(heard((users[0], "sent", 51)))
    for key in (keys.release("r1"), keys.cohort("c1")):
        assert float((await about(redis, key))["ctr"]) == pytest.approx(1 / MIN_SENT)


@pytest.mark.parametrize("kind", ["opened", "clicked", "dismissed", "opted_out"])
async def test_who_reacts_was_sent_something(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts, kind: str
) -> None:
    await planned(releases)
    await counts.count(heard(("a", kind, 0)))
    for key in (keys.release("r1"), keys.cohort("c1")):
        await assert_counts(redis, key, {"sent": 1, kind: 1})
    assert (await about(redis, keys.release("r1")))["sent_implied"] == "1"


async def test_a_sent_that_is_reported_after_its_click_counts_once(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts
) -> None:
    await planned(releases)
    await counts.count(heard(("a", "clicked", 0), ("a", "sent", 1)))
    before = await _all(redis)
    await counts.count(heard(("a", "clicked", 0), ("a", "sent", 1)))
    assert await _all(redis) == before
    await assert_counts(redis, keys.cohort("c1"), {"sent": 1, "clicked": 1})
    assert (await about(redis, keys.release("r1")))["sent_implied"] == "0"


async def test_who_plays_without_having_been_sent_anything_implies_nothing(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts
) -> None:
    await planned(releases)
    await counts.count(heard(("a", "played", 0), ("a", "not_sent", 1)))
    await assert_counts(redis, keys.release("r1"), {})
    found = await about(redis, keys.release("r1"))
    assert (found["played"], found["not_sent"]) == ("1", "1")


async def test_plays_of_the_control_group_count_once_and_for_no_cohort(
    redis: AnyRedis, releases: Releases, counts: FeedbackCounts
) -> None:
    await claim(releases, "w1")
    await releases.fix_pages([Fixable(PAGES[0], encode(PAGES[0]), ABOUT, {"apart": "c1"})], "w1")
    plays = heard(("apart", "played", 0), ("apart", "clicked", 1))
    assert await counts.count(plays) == await counts.count(plays) == 0
    assert (await about(redis, keys.release("r1")))["control_played"] == "1"
    assert await about(redis, keys.cohort("c1")) == {}


events = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from(["sent", "opened", "clicked", "dismissed", "played"])),
    max_size=12,
)


@given(did=events, data=st.data())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_counts_are_the_truth_in_any_order_and_however_often_delivered(
    redis: AnyRedis,
    releases: Releases,
    counts: FeedbackCounts,
    did: list[tuple[str, str]],
    data: st.DataObject,
) -> None:
    name = f"r{uuid4().hex}"
    cohorts = {user: f"{name}-{cohort}" for user, cohort in (("a", 1), ("b", 1), ("c", 2))}
    pages = [page(n, user, cohort=cohort, release=name) for n, (user, cohort) in enumerate(cohorts.items())]
    await planned(releases, pages, RELEASE.model_copy(update={"release_id": name}))
    reports = heard(*((user, kind, at) for at, (user, kind) in enumerate(did)), release=name)
    at = 0
    while at < len(reports):  # Kafka goes back to any earlier offset, and on from there
        end = data.draw(st.integers(at + 1, len(reports)))
        await counts.count(reports[at:end])
        at = data.draw(st.integers(max(0, end - 3), end)) if data.draw(st.booleans()) else end
    happened = set(did) | {(user, "sent") for user, kind in did if kind not in ("sent", "played")}
    for cohort in (f"{name}-1", f"{name}-2"):
        truth = Counter(kind for user, kind in happened if cohorts[user] == cohort)
        found = await about(redis, keys.cohort(cohort))
        assert {kind: int(found[kind]) for kind in truth} == truth
        assert int(found.get("clicked", 0)) <= int(found.get("sent", 0))
    lately = await Told(redis).of(list(cohorts))
    for user, each in zip(cohorts, lately, strict=True):
        assert (name in each.releases) == ((user, "sent") in happened)


async def test_what_was_told_before_refrain_counts_for_the_cohort_that_listeners_are_in_now(
    redis: AnyRedis, counts: FeedbackCounts, told: Told
) -> None:
    for user, cohort in (("a", "c1"), ("b", "c2"), ("waits", "")):
        await redis.hset(keys.user(user), "cohort", cohort)
    did = [("a", "sent"), ("b", "clicked"), ("waits", "clicked"), ("nobody", "clicked"), ("a", "sent")]
    events = [
        Heard(Feedback(release_id="old", user_id=user, kind=kind, ts=NOW, history=True), "0", at)
        for at, (user, kind) in enumerate(did)
    ]
    for _ in range(2):
        await counts.count(events)
    await assert_counts(redis, keys.release("old"), {"sent": 2, "clicked": 1})
    await assert_counts(redis, keys.cohort("c1"), {"sent": 1})
    await assert_counts(redis, keys.cohort("c2"), {"sent": 1, "clicked": 1})
    assert await redis.ttl(keys.release("old")) > 0
    assert [len(each.releases) for each in await told.of(["a", "b", "nobody"])] == [1, 1, 0]
