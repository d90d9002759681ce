"""Whom a release is told to, and why to nobody."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from consumers.actions.forget_listener import forget_listener
from consumers.runtime.live_songs import LiveSongs
from consumers.work import pages as paging
from consumers.work.ab_test import AbTest
from consumers.work.best_match import reserve_best_first
from consumers.work.click_habits import ClickHabits
from consumers.work.draft import Candidates, Draft
from consumers.work.gate import Gate
from consumers.work.member_cache import MemberCache
from consumers.work.persons import ANOTHER_ID
from consumers.work.planner import Before, Planner
from consumers.work.wave_plan import first_wave, in_wave
from models.affinity import DAY
from models.audience_size import Worth
from models.control import Groups
from models.ctr import FEATURES, CtrModel
from models.model import Model
from models.quiet_hours import QuietHours
from models.songs import SongModel
from models.waves import Wave
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.ctr_models import CtrModels
from stream.stores.erased import Erased
from stream.stores.erased_lately import ErasedLately
from stream.stores.listeners import Listeners
from stream.stores.merged_lately import MergedLately
from stream.stores.opted_out import OptedOut
from stream.stores.releases import Held
from stream.stores.song_models import SongModels
from stream.stores.told import Caps, Told
from stream.stores.traits import Traits
from stream.wire.events import Page, Release
from tests.consumers.placed import names, place
from tests.consumers.small_model import ARTISTS, made_up_model, small_model

MODEL = small_model()
MEMBERS = {"c1": names("c1", 30), "c2": names("c2", 20), "c5": names("c5", 10), "": names("nowhere", 5)}
NOW = 1_700_000_000.0
HOUR = 3600.0
CONTRACT = Path(__file__).parents[3] / "docs" / "contract.md"


@pytest.fixture
async def planner(settings: Settings) -> AsyncIterator[Planner]:
    redis = await open_redis(settings)
    listeners = Listeners(redis)
    member_cache = MemberCache(listeners, Cohorts(redis, listeners), Told(redis))
    yield Planner(
        member_cache,
        Catalogue(redis),
        OptedOut(redis),
        40,
        EVERYBODY,
        ClickHabits(Cohorts(redis, listeners), CtrModels(redis)),
        Worth(1.0, 0.02, 20.0),
        Traits(redis, listeners),
    )
    await redis.aclose()


async def crowd(
    settings: Settings,
    members: dict[str, list[str]] = MEMBERS,
    clocks: dict[str, int] | None = None,
) -> None:
    await asyncio.to_thread(place, settings, members, MODEL, clocks=clocks)


def release(**more: Any) -> Release:
    return Release(**{"release_id": "r1", "artist_ids": ["a1"], **more})


@dataclass(frozen=True)
class Planned:
    """An audience of which all pages are made, those that told `before` aside."""

    pages: tuple[Page, ...]
    control: dict[str, str]
    left_out: dict[str, int]
    held: dict[str, Held]
    reason: str
    relied_on: str


EVERYBODY = Gate(cast("Told", None), Groups(), Caps())  # asks nobody


class CountingTold(Told):
    """Notes after how many listeners it is asked each time."""

    def __init__(self, redis: AnyRedis, caps: Caps) -> None:
        super().__init__(redis, caps)
        self.asked: list[int] = []

    async def reserve(self, release_id: str, artists: Any, users: Any, *given: Any) -> Any:
        self.asked.extend([len(users)] if users else [])
        return await super().reserve(release_id, artists, users, *given)


async def plan(
    planner: Planner,
    model: Model | None = MODEL,
    before: Sequence[Page] = (),
    gate: Gate = EVERYBODY,
    now: float = 5.0,
    **more: Any,
) -> Planned:
    event, planner = release(**more), replace(planner, gate=gate)
    audience = await planner.plan(event, await planner.look_up(event), model, now, Before(before))
    pages, control = [], dict[str, str]()
    async for page, apart, _ in audience.pages:
        pages.append(page)
        control |= apart
    draft = audience.draft
    return Planned(
        tuple(pages),
        control,
        dict(audience.left_out),
        dict(audience.held),
        draft.reason,
        draft.target.relied_on,
    )


def told(audience: Planned) -> list[str]:
    return [user for page in audience.pages for user in page.user_ids]


def assert_nobody(audience: Planned, reason: str) -> None:
    assert audience.pages == ()
    assert audience.reason == reason
    assert f'"{reason}"' in " ".join(CONTRACT.read_text(encoding="utf-8").split())


async def test_a_release_of_any_id_of_an_artist_reaches_the_listeners_of_all(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    redis = await open_redis(settings)
    aliases = ArtistAliases(redis)
    known = replace(planner, aliases=aliases)
    of_one, of_both = await plan(planner, artist_ids=["a4"]), await plan(planner, artist_ids=["a1", "a4"])
    assert told(of_one) != told(of_both)
    assert_nobody(await plan(known, artist_ids=["x"]), "nobody knows these artists yet")
    await aliases.put({"x": "a1", "a4": "a1"})  # x is in no model, a4 is an artist of its own there
    await aliases.refresh()
    for name in ("x", "a1", "a4"):
        assert told(await plan(known, artist_ids=[name])) == told(of_both)
    assert told(await plan(known, artist_ids=["y"], featuring=["x"])) == told(of_both)
    await planner.opted_out.add_of_artists({told(of_both)[0]: ["x"]})
    assert told(of_both)[0] not in told(await plan(known, artist_ids=["a4"]))
    await redis.aclose()


async def test_without_a_model_nobody_is_told(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    assert_nobody(await plan(planner, None), "no model yet")


async def test_of_an_unheard_artist_nobody_is_told(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    audience = await plan(planner, artist_ids=["x"])
    assert_nobody(audience, "nobody knows these artists yet")
    assert audience.relied_on == "nothing"


@pytest.mark.parametrize("min_ctr", [None, 0.0, 0.5])
async def test_while_nobody_has_a_cohort_nobody_is_told(
    settings: Settings, planner: Planner, min_ctr: float | None
) -> None:
    await crowd(settings, {"": names("nowhere", 5)})
    audience = await plan(planner, min_ctr=min_ctr)
    assert_nobody(audience, "nobody is placed under this model yet")


async def test_while_nobody_has_a_taste_of_the_models_dimensions_nobody_is_told(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    wider = made_up_model(version=4, seed=4, artists=MODEL.artists, n_dims=5, cohorts=MODEL.cohort_ids)
    assert_nobody(await plan(planner, wider), "nobody is placed under this model yet")


async def test_where_no_cohort_promises_enough_nobody_is_told(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    assert_nobody(await plan(planner, min_ctr=1.0), "no cohort reaches min_ctr")


async def test_where_everybody_opted_out_nobody_is_told(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    await planner.opted_out.add([user for users in MEMBERS.values() for user in users])
    assert_nobody(await plan(planner), "everybody in these cohorts has opted out")


@pytest.mark.parametrize("in_memory", [True, False])
async def test_those_who_opted_out_leave_their_places_to_others(
    settings: Settings, planner: Planner, in_memory: bool
) -> None:
    await crowd(settings)
    first, second, *_ = told(await plan(planner, max_audience=40))
    await planner.opted_out.add([first])
    await planner.opted_out.refresh()
    await planner.opted_out.add([second])
    if in_memory:
        await planner.opted_out.refresh()
    audience = await plan(planner, max_audience=40)
    assert len(told(audience)) == 40
    assert not {first, second} & set(told(audience))


async def test_who_opted_out_and_is_not_announced_yet_is_not_told_though_another_is_meanwhile(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings)
    first, second, *_ = told(await plan(planner, max_audience=40))
    await planner.opted_out.refresh()
    await redis.sadd(keys.OPTED_OUT, first)
    event = release(max_audience=40)
    lookup = await planner.look_up(event)
    await planner.opted_out.add([second])
    await planner.opted_out.refresh()
    assert len(planner.opted_out.hashes) == 1, "as many as there were a moment ago"
    audience = await planner.plan(event, lookup, MODEL, 5.0, Before())
    users = [user async for page, _, _ in audience.pages for user in page.user_ids]
    assert len(users) == 40
    assert not {first, second} & set(users)


async def test_who_is_met_in_two_cohorts_on_their_way_is_told_once(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    both = names("c1", 10)
    redis = await open_redis(settings)
    await redis.sadd(keys.cohort_users("c2"), *both)
    await redis.aclose()
    found = told(await plan(planner, max_audience=40))
    assert len(found) == len(set(found)) == 40
    everybody = await plan(planner, max_audience=1000)
    assert len(told(everybody)) == 60


async def test_pages_that_follow_others_tell_those_who_are_not_told_yet(
    settings: Settings, planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGE", 20)
    await crowd(settings)
    whole = await plan(planner, max_audience=50)
    rest = await plan(planner, max_audience=50, before=whole.pages[:1])
    assert [page.page for page in rest.pages] == list(range(1, len(whole.pages)))
    assert sorted(told(rest)) == sorted(told(whole)[len(whole.pages[0].user_ids) :])


async def test_pages_may_have_told_everybody_already(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    whole = await plan(planner, max_audience=1000)
    rest = await plan(planner, max_audience=1000, before=whole.pages)
    assert (rest.pages, rest.reason) == ((), "done")


async def test_a_release_may_say_how_many_are_told_at_most(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    assert len(told(await plan(planner, max_audience=7))) == 7
    assert len(told(await plan(planner, max_audience=1000))) == 60


async def test_of_those_above_the_average_no_more_are_told_than_the_settings_say(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    few = await plan(replace(planner, max_audience=5))
    many = await plan(replace(planner, max_audience=1000))
    assert 5 == len(told(few)) < len(told(many)) < 60
    assert told(many)[:5] == told(few)


def test_where_all_are_alike_nobody_is_below_the_average() -> None:
    scores = np.full(3, 0.1, dtype=np.float32)
    alike = Candidates(("c1",), np.array([3]), (), scores, scores, scores)
    average = float(scores.mean(dtype=np.float64)) * (1 + 1e-6)
    assert alike.at_least(average, np.arange(3)).tolist() == [0, 1, 2]


async def test_the_control_group_of_a_release_is_on_no_page_and_leaves_its_places_to_others(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    groups = Groups("salt", control=0.3)
    whole = told(await plan(planner, max_audience=1000))
    found = await plan(planner, gate=replace(EVERYBODY, groups=groups), max_audience=20)
    drawn = [user for user in whole if groups.of("r1", user)]
    assert len(told(found)) == 20
    assert not set(told(found)) & set(drawn)
    last = whole.index(told(found)[-1])
    assert set(found.control) == {user for user in drawn if user in whole[:last]}
    assert found.left_out == {"control group": len(found.control)}
    everybody = await plan(planner, gate=replace(EVERYBODY, groups=groups), max_audience=1000)
    assert set(told(everybody)) | set(everybody.control) == set(whole)
    assert {user: cohort for user, cohort in everybody.control.items() if user not in MEMBERS[cohort]} == {}


async def test_who_is_held_out_is_told_of_no_release(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    gate = replace(EVERYBODY, groups=Groups("salt", holdout=0.3))
    first = await plan(planner, gate=gate, max_audience=1000)
    second = await plan(planner, gate=gate, max_audience=1000, release_id="r2", artist_ids=["a2"])
    kept = {user for user in told(await plan(planner, max_audience=1000)) if gate.groups.of("r1", user)}
    assert not kept & {*told(first), *told(second)}
    assert first.left_out == second.left_out == {"holdout": len(kept)} != {"holdout": 0}


async def test_nobody_of_the_holdout_whom_no_cap_keeps_out_is_in_a_control_group(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings)
    caps = Caps(a_day=1)
    gate = Gate(Told(redis, caps), Groups("salt", control=0.2, holdout=0.2), caps)
    everybody = [user for users in MEMBERS.values() for user in users]
    kept = {user for user in everybody if gate.groups.of("r1", user) == "holdout"}
    first = await plan(planner, gate=gate, now=NOW, max_audience=1000)
    second = await plan(planner, gate=gate, now=NOW, max_audience=1000, release_id="r2")
    for audience in (first, second):
        assert audience.left_out["holdout"] > 0
        assert not kept & {*audience.control, *told(audience)}
    assert set(first.control) != set()


async def test_who_has_been_told_often_enough_is_left_out_and_counted(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings)
    caps = Caps(a_day=1)
    gate = Gate(Told(redis, caps), Groups(), caps)
    first = await plan(planner, gate=gate, now=NOW, max_audience=20)
    second = await plan(planner, gate=gate, now=NOW, max_audience=1000, release_id="r2")
    assert len(told(first)) == 20
    assert set(told(second)) == {user for users in list(MEMBERS.values())[:3] for user in users} - set(
        told(first)
    )
    assert second.left_out == {"told often enough today": 20}
    again = await plan(planner, gate=gate, now=NOW, max_audience=20)
    assert told(again) == told(first), "planned once more, a release keeps its places"


async def test_however_many_of_the_best_have_been_told_often_enough_others_take_their_places(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings)
    caps = Caps(a_day=1)
    gate = Gate(Told(redis, caps), Groups(), caps)
    ranked = told(await plan(planner, max_audience=1000))
    await plan(planner, gate=gate, now=NOW, max_audience=45)
    found = await plan(planner, gate=gate, now=NOW, max_audience=10, release_id="r2")
    assert len(ranked) == 60
    assert told(found) == ranked[45:55]
    assert found.left_out == {"told often enough today": 45}
    free = await gate.told.reserve("r3", ["a1"], ranked, [True] * 60, NOW)
    assert free == ["told often enough today"] * 55 + [""] * 5, "no more places are reserved than there are"


async def test_who_sleeps_further_down_keeps_a_place_where_the_best_have_been_told_often_enough(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings, clocks=ASLEEP)
    caps = Caps(a_day=1)
    gate = Gate(Told(redis, caps), Groups("salt", control=0.2), caps, NIGHT)
    ranked = told(await plan(planner, max_audience=1000))
    capped = [user for user in ranked[:40] if user not in ASLEEP]
    assert not any(await gate.told.reserve("another", ["a2"], capped, [False] * len(capped), MIDNIGHT))
    best = [user for user in ranked if user not in capped and not gate.groups.of("r1", user)][:20]
    found = await plan(planner, gate=gate, now=MIDNIGHT, max_audience=20)
    assert told(found) == [user for user in best if user not in ASLEEP] != []
    assert [user for user in ranked if user in found.held and not found.held[user].drawn] == [
        user for user in best if user in ASLEEP
    ]


@pytest.mark.parametrize("max_audience", [1, 10, 1000])
async def test_where_a_large_crowd_has_been_told_often_enough_few_questions_show_it(
    settings: Settings, redis: AnyRedis, planner: Planner, max_audience: int
) -> None:
    await crowd(settings, MANY)
    caps = Caps(a_day=1)
    asked = (counting := CountingTold(redis, caps)).asked
    gate = Gate(counting, Groups(), caps)
    assert len(told(await plan(planner, gate=gate, now=NOW, max_audience=3000))) == 3000
    asked.clear()
    found = await plan(planner, gate=gate, now=NOW, max_audience=max_audience, release_id="r2")
    assert told(found) == []
    assert found.left_out == {"told often enough today": 3000}
    assert (sum(asked), max(asked) <= 5000) == (3000, True), "nobody is asked after twice"
    assert len(asked) <= 12


@pytest.mark.parametrize("max_audience", [1, 10, 1000])
async def test_a_preview_needs_few_questions_where_a_large_crowd_has_been_told_often_enough(
    settings: Settings, redis: AnyRedis, planner: Planner, max_audience: int
) -> None:
    await crowd(settings, MANY)
    caps = Caps(a_day=1)
    asked = (counting := CountingTold(redis, caps)).asked
    planner = replace(planner, gate=Gate(counting, Groups(), caps))
    await plan(planner, gate=planner.gate, now=NOW, max_audience=3000)
    asked.clear()
    event = release(release_id="r2", max_audience=max_audience)
    draft = await planner.draft(event, await planner.look_up(event), MODEL, NOW)
    found = await paging.expected(event, draft, planner.gate, NOW)
    assert (len(found.rows), found.left_out, found.asked) == (0, {"told often enough today": 3000}, 3000)
    assert (sum(asked), max(asked) <= 5000) == (3000, True), "nobody is asked after twice"
    assert len(asked) <= 13


async def test_a_preview_counts_those_alone_who_come_before_the_last_whom_it_lets_in(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings)
    caps = Caps(a_day=1)
    gate = Gate(Told(redis, caps), Groups(), caps)
    ranked = told(await plan(planner, max_audience=1000))
    capped = [*ranked[:45], *ranked[56:]]
    assert not any(await gate.told.reserve("another", ["a2"], capped, [False] * len(capped), NOW))
    event = release(max_audience=10)
    draft = await planner.draft(event, await planner.look_up(event), MODEL, NOW)
    found = await paging.expected(event, draft, gate, NOW)
    assert draft.candidates.users_at(found.rows) == ranked[45:55]
    assert (found.left_out, found.asked) == ({"told often enough today": 45}, 55)


async def test_listeners_of_five_pages_are_asked_after_together_but_for_those_of_the_first(
    settings: Settings, redis: AnyRedis, planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGE", 5)
    await crowd(settings)
    caps = Caps(a_day=1)
    gate = Gate(Told(redis, caps), Groups("salt", control=0.2), caps)
    asked = list[int]()

    class Counting(Gate):
        async def admit(self, *given: Any, **named: Any) -> Any:
            admitted = await super().admit(*given, **named)
            asked.append(admitted.reasons.count(""))
            return admitted

    found = await plan(planner, gate=Counting(gate.told, gate.groups, caps), max_audience=40)
    assert [len(page.user_ids) for page in found.pages] == 8 * [5]
    assert asked == [5, 25, 10]


async def test_of_two_ids_who_turn_out_to_be_one_the_second_is_not_told_while_the_first_waits_for_its_page(
    settings: Settings, redis: AnyRedis, planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGE", 5)
    await crowd(settings)
    caps = Caps(a_day=1)
    gate = Gate(Told(redis, caps), Groups(), caps)
    ranked = told(await plan(planner, max_audience=1000))
    assert not any(await gate.told.reserve("another", ["a2"], [ranked[10]], [False], NOW))
    planner = replace(planner, gate=gate, merged=MergedLately(redis))
    event, sent = release(max_audience=60), list[str]()
    audience = await planner.plan(event, await planner.look_up(event), MODEL, NOW)
    async for page, _, _ in audience.pages:
        sent += page.user_ids
        if page.page == 4:  # thirty were asked after, four of them wait for the next page
            assert ranked[29] not in sent
            await MergedLately(redis).announce(ranked[29], ranked[40])
    assert ranked[29] in sent
    assert ranked[40] not in sent
    assert audience.left_out[ANOTHER_ID] == 1


def behind(redis: AnyRedis, caps: Caps = Caps(a_day=9), **more: Any) -> Gate:  # noqa: B008 - a tuple
    """The gate of a worker: it knows who was erased, though members in memory are behind."""
    return Gate(Told(redis, caps), Groups(), caps, erased=ErasedLately(Erased(redis)), **more)


async def everybody_in_memory(planner: Planner) -> None:
    await planner.member_cache.fill(MODEL)
    assert {*planner.member_cache.held} == {*MODEL.cohort_ids}


async def shard_of(redis: AnyRedis, user: str) -> dict[str, bytes]:
    """What is kept of a listener among what listeners were told."""
    found = {key.decode(): await redis.hget(key, user) async for key in redis.scan_iter(match=keys.told("*"))}
    return {key: record for key, record in found.items() if record}


async def test_who_is_erased_is_told_of_nothing_and_is_not_in_redis_again_while_memory_holds_them(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings)
    await everybody_in_memory(planner)
    gate = behind(redis)
    first, second, *others = told(await plan(planner, max_audience=12))
    assert told(await plan(planner, gate=gate, max_audience=12, release_id="r0")) == [first, second, *others]
    await forget_listener(redis, settings, second)
    found = await plan(planner, gate=gate, max_audience=11)
    assert told(found) == [first, *others], "their place goes to the next"
    assert found.left_out == {"erased": 1}
    assert await shard_of(redis, first)
    assert not await shard_of(redis, second)


async def test_who_is_erased_while_a_release_goes_out_is_on_none_of_its_next_pages(
    settings: Settings, redis: AnyRedis, planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGE", 5)
    await crowd(settings)
    await everybody_in_memory(planner)
    ranked = told(await plan(planner, max_audience=1000))
    event, planner = release(max_audience=60), replace(planner, gate=behind(redis))
    audience = await planner.plan(event, await planner.look_up(event), MODEL, NOW)
    sent = []
    async for page, _, _ in audience.pages:
        sent += page.user_ids
        if not page.page:
            await forget_listener(redis, settings, ranked[7])
    assert sent == [user for user in ranked if user != ranked[7]]
    assert not await shard_of(redis, ranked[7])


async def test_who_is_erased_keeps_no_place_until_their_quiet_hours_end(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings, clocks=ASLEEP)
    await everybody_in_memory(planner)
    gone, *others = MEMBERS["c2"]
    await forget_listener(redis, settings, gone)
    gate = behind(redis, quiet_hours=NIGHT)
    found = await plan(planner, gate=gate, now=MIDNIGHT, max_audience=1000)
    assert found.held.keys() == set(others)


async def test_of_releases_of_one_moment_none_reserves_a_place_for_who_is_erased(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings)
    await everybody_in_memory(planner)
    planner = replace(planner, gate=behind(redis))
    events = [release(release_id=f"by {artist}", artist_ids=[artist], max_audience=60) for artist in ARTISTS]
    audiences = [await planner.plan(event, await planner.look_up(event), MODEL, NOW) for event in events]
    gone, other = MEMBERS["c1"][:2]
    await forget_listener(redis, settings, gone)
    await reserve_best_first(audiences, planner.gate, NOW)
    assert await shard_of(redis, other)
    assert not await shard_of(redis, gone)


async def test_each_page_is_full_and_says_whom_those_up_to_it_leave_out(
    settings: Settings, redis: AnyRedis, planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "PAGE", 5)
    await crowd(settings)
    caps = Caps(a_day=1)
    gate = Gate(Told(redis, caps), Groups("salt", control=0.2), caps)
    ranked = told(await plan(planner, max_audience=1000))
    capped = ranked[3::3]
    assert not any(await gate.told.reserve("another", ["a2"], capped, [False] * len(capped), NOW))
    event, planner = release(max_audience=30), replace(planner, gate=gate)
    audience = await planner.plan(event, await planner.look_up(event), MODEL, NOW)
    said = [(page, apart, dict(audience.left_out)) async for page, apart, _ in audience.pages]
    assert [len(page.user_ids) for page, _, _ in said] == 6 * [5]
    begins = [ranked.index(page.user_ids[0]) for page, _, _ in said] + [len(ranked)]
    control = set[str]()
    for (page, apart, left_out), next_page in zip(said, begins[1:], strict=True):
        control |= apart.keys()
        assert left_out["control group"] == len(control)
        last = ranked.index(page.user_ids[-1])
        assert _kept_out(ranked[:last], capped) <= left_out["told often enough today"]
        assert left_out["told often enough today"] <= _kept_out(ranked[:next_page], capped)
        assert _drawn(ranked[:last], capped, gate) <= control <= _drawn(ranked[:next_page], capped, gate)


def _kept_out(users: Sequence[str], capped: Sequence[str]) -> int:
    return len(set(users) & set(capped))


def _drawn(users: Sequence[str], capped: Sequence[str], gate: Gate) -> set[str]:
    return {user for user in users if user not in capped and gate.groups.of("r1", user)}


async def test_who_is_kept_out_by_a_cap_is_not_in_the_control_group_either(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings)
    caps = Caps(a_day=1)
    gate = Gate(Told(redis, caps), Groups("salt", control=0.5), caps)
    first = await plan(planner, gate=gate, now=NOW, max_audience=1000)
    second = await plan(planner, gate=gate, now=NOW, max_audience=1000, release_id="r2")
    assert not set(second.control) & set(told(first))
    assert set(first.control) <= set(second.control) | set(told(second))


NIGHT = QuietHours.parse("0-6")
MIDNIGHT = NOW - NOW % DAY  # in Greenwich
EAST = dict.fromkeys(MEMBERS["c1"][::2], 12 * 60)  # it is noon there
ASLEEP = dict.fromkeys(MEMBERS["c2"], 0)


async def test_who_has_quiet_hours_is_held_until_they_end_and_keeps_a_place(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings, clocks=EAST | ASLEEP)
    awake = told(await plan(planner, now=MIDNIGHT, max_audience=1000))
    gate = replace(EVERYBODY, quiet_hours=NIGHT)
    found = await plan(planner, gate=gate, now=MIDNIGHT, max_audience=1000)
    assert found.held == dict.fromkeys(MEMBERS["c2"], Held(MIDNIGHT + 6 * HOUR))
    assert told(found) == [user for user in awake if user not in ASLEEP]
    assert found.left_out == {}
    few = await plan(planner, gate=gate, now=MIDNIGHT, max_audience=15)
    assert {*told(few), *few.held} == set(awake[:15]), "nobody takes the place of those who are held"


async def test_after_their_quiet_hours_those_who_were_held_are_told(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings, clocks=ASLEEP)
    event, gate = release(), replace(EVERYBODY, quiet_hours=NIGHT)
    planner = replace(planner, gate=gate)
    gone, out, of_artist, *others = MEMBERS["c2"]
    held = {user: Held(MIDNIGHT + 6 * HOUR, 0.5) for user in ["nobody", gone, out, of_artist, *others]}
    held[gone] = Held(MIDNIGHT + 7 * HOUR)  # their hours end later
    await planner.opted_out.add([out])
    await planner.opted_out.add_of_artists({of_artist: ["a1"]})
    before = Before(held=held, wave=Wave(2, 60, 60))
    lookup = await planner.look_up(event)
    audience = await planner.plan_held(event, lookup, MODEL, MIDNIGHT + 6 * HOUR, before)
    pages = [page async for page, _, _ in audience.pages]
    assert {user for page in pages for user in page.user_ids} == set(others), "one is held for an hour more"
    assert [page.propensities for page in pages] == [[0.5] * len(others)]
    assert [page.wave for page in pages] == [1]
    assert audience.gone == {"opted out": 2, "gone when their quiet hours ended": 1}
    assert audience.held == {}


@pytest.mark.parametrize("learned", [False, True])
async def test_after_their_quiet_hours_they_are_told_of_artists_whom_the_model_has_forgotten_meanwhile(
    settings: Settings, planner: Planner, *, learned: bool
) -> None:
    await crowd(settings)
    if learned:
        planner.habits.model = LEARNED
    event = release(artist_ids=["x"])
    out, *others = MEMBERS["c2"]
    await planner.opted_out.add([out])
    before = Before(held=dict.fromkeys(MEMBERS["c2"], Held(NOW, 0.5)))
    audience = await planner.plan_held(event, await planner.look_up(event), MODEL, NOW, before)
    (page,) = [page async for page, _, _ in audience.pages]
    assert set(page.user_ids) == set(others)
    assert set(page.cohort_ids) == {"c2"}
    assert set(page.scores) == {0.0}
    assert audience.gone == {"opted out": 1}
    assert audience.held == {}, "nobody waits for a model that knows the artist"


async def test_who_has_not_clicked_for_long_is_left_out_where_it_is_asked_for(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)  # all clicked last a second after the beginning of 1970
    some = MEMBERS["c1"][:3]
    redis = await open_redis(settings)
    for user in some:
        await redis.hset(keys.user(user), "last_seen", NOW - 29 * DAY)
    planner = replace(planner, dormant_days=30.0)
    for size in (1000, 3):
        found = await plan(planner, now=NOW, max_audience=size)
        assert set(told(found)) == set(some)
    ranked = told(await plan(replace(planner, dormant_days=0.0), now=NOW, max_audience=1000))
    last = max(ranked.index(user) for user in some)
    assert found.left_out == {"dormant": last - 2}, "those who would have been before them"
    await redis.aclose()


async def test_who_opted_out_of_an_artist_is_told_of_none_of_their_releases_and_counted(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    first, second = MEMBERS["c1"][:2]
    await planner.opted_out.add_of_artists({first: ["a1"], second: ["a7", "a1"]})
    found = await plan(planner, max_audience=1000)
    assert not {first, second} & set(told(found))
    assert found.left_out == {"opted out": 2}
    featured = await plan(planner, max_audience=1000, artist_ids=["a2"], featuring=["a7"])
    assert second not in told(featured)
    assert first in told(featured)


async def test_who_would_have_been_told_but_opted_out_is_counted(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    ranked = told(await plan(planner, max_audience=1000))
    await planner.opted_out.add([ranked[0], ranked[5], ranked[-1], "a stranger"])
    await planner.opted_out.refresh()
    assert (await plan(planner, max_audience=10)).left_out == {"opted out": 2}


async def test_of_releases_of_one_moment_a_listener_hears_of_the_best_match(
    settings: Settings, redis: AnyRedis, planner: Planner
) -> None:
    await crowd(settings)
    caps = Caps(a_day=1)
    planner = replace(planner, gate=Gate(Told(redis, caps), Groups("salt", control=0.1), caps))
    events = [release(release_id=f"by {artist}", artist_ids=[artist], max_audience=60) for artist in ARTISTS]
    likely: dict[str, dict[str, float]] = {}
    audiences = []
    for event in events:
        audience = await planner.plan(event, await planner.look_up(event), MODEL, NOW)
        draft = audience.draft
        assert draft.likely is not None
        users = draft.candidates.users_at(draft.told)
        likely[event.release_id] = dict(zip(users, draft.likely(draft.told).tolist(), strict=True))
        audiences.append(audience)
    await reserve_best_first(audiences, planner.gate, NOW)
    heard, control = {}, dict[str, set[str]]()
    for event, audience in zip(events, audiences, strict=True):
        control[event.release_id] = set()
        async for page, apart, _ in audience.pages:
            heard |= dict.fromkeys(page.user_ids, event.release_id)
            control[event.release_id] |= apart.keys()
        control[event.release_id] |= audience.apart.keys()
    drawn = planner.gate.groups.of
    best = {
        user: max(
            (name for name in likely if user in likely[name] and not drawn(name, user)),
            key=lambda name: likely[name][user],
            default="",
        )
        for user in heard
    }
    assert heard == best
    for name, users in likely.items():
        apart = {user for user in users if drawn(name, user)}
        best_of_all = {
            user for user in apart if name == max(likely, key=lambda each: likely[each].get(user, -1))
        }
        assert best_of_all <= control[name] <= apart, "who would have heard of it, were they not drawn"
    assert len(set(heard.values())) > 1, "else the first of them would have done"


LEARNED = CtrModel(version=1, examples=1000, clicks=100)
MANY = {"c1": names("c1", 1500), "c2": names("c2", 1000), "c5": names("c5", 500)}


def by_closeness(version: int, coefficient: float) -> CtrModel:
    coefficients = np.zeros(1 + len(FEATURES))
    coefficients[1 + FEATURES.index("closeness")] = coefficient
    return CtrModel(version=version, examples=1000, clicks=100, coefficients=coefficients)


async def in_ab_test(planner: Planner, settings: Settings, policy: str, share: float, **more: Any) -> Draft:
    """A draft of a release by two policies, of which the usual one prefers those far from it."""
    await crowd(settings, MANY)
    test = AbTest(Groups("salt"), policy, share)
    planner = replace(planner, ab_test=test, max_audience=600)
    planner.habits.model = by_closeness(2, -0.5)
    event = release(**more)
    return await planner.draft(event, await planner.look_up(event), MODEL, NOW)


@pytest.mark.parametrize("share", [0.5, 0.2])
async def test_in_an_ab_test_each_policy_tells_its_best_by_its_share(
    settings: Settings, planner: Planner, share: float
) -> None:
    draft = await in_ab_test(planner, settings, "taste", share, max_audience=600)
    assert draft.ab_test
    everybody = np.arange(len(draft.candidates.scores))
    users = draft.candidates.users_at(everybody)
    other, scores = draft.ab_test.drawn(users), draft.candidates.scores
    told = {
        policy: draft.told[other[draft.told] == flag] for policy, flag in (("usual", False), ("taste", True))
    }
    assert len(told["taste"]) == pytest.approx(600 * share, abs=1)
    assert len(told["usual"]) == pytest.approx(600 * (1 - share), abs=1)
    assert other.mean() == pytest.approx(share, abs=0.03)
    ctrs = draft.ctr.predict(draft.known(everybody))
    for policy, by, some in (("taste", scores, other), ("usual", ctrs, ~other)):
        best = np.sort(by[some])[::-1][: len(told[policy])]
        assert by[told[policy]].tolist() == pytest.approx(best.tolist())
    pages = paging.admitted_pages(release(), draft, planner.gate, Counter(), {}, {}, {}, NOW)
    first = (await anext(pages)).page
    assert first.policies == draft.ab_test.policies(first.user_ids)
    assert first.ctrs == pytest.approx(draft.ctr.predict(draft.known(draft.told)).tolist(), abs=1e-5)


async def test_what_is_known_of_each_listener_stands_beside_them_on_every_page(
    settings: Settings, planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    await crowd(settings, MANY)
    monkeypatch.setattr(paging, "PAGE", 50)
    monkeypatch.setattr(paging, "READ_AHEAD", 120)
    event, asked = release(max_audience=600), list[int]()
    draft = await planner.draft(event, await planner.look_up(event), MODEL, NOW)
    known = draft.known
    assert known

    def noted(rows: Any) -> Any:
        asked.append(len(rows))
        return known(rows)

    seen = paging.admitted_pages(event, replace(draft, known=noted), planner.gate, Counter(), {}, {}, {}, NOW)
    pages = [each async for each in seen]
    assert [len(each.page.user_ids) for each in pages] == 12 * [50]
    for each in pages:
        rows = [draft.candidates.row_of(user) for user in each.page.user_ids]
        assert each.features is not None
        assert each.features.tolist() == known(np.array(rows)).tolist()
    assert asked == [50, 170, 170, 170, 100]  # the first page alone, then some further ahead


async def test_an_ab_test_does_not_begin_in_the_middle_of_a_release(
    settings: Settings, planner: Planner
) -> None:
    await in_ab_test(planner, settings, "taste", 0.5, max_audience=600)
    planner.habits.model = by_closeness(2, -0.5)
    planner = replace(planner, ab_test=AbTest(Groups("salt"), "taste", 0.5))
    event = release(max_audience=600)
    first = (await plan(replace(planner, ab_test=None), max_audience=100)).pages
    lookup = await planner.look_up(event)
    rest = await planner.plan(event, lookup, MODEL, NOW, Before(first))
    assert rest.draft.ab_test is None
    whole = await planner.plan(event, lookup, MODEL, NOW)
    assert whole.draft.ab_test


async def test_without_the_model_it_compares_with_there_is_no_ab_test(
    settings: Settings, planner: Planner
) -> None:
    draft = await in_ab_test(planner, settings, "ctr:7", 0.5, max_audience=600)
    assert draft.ab_test is None
    assert len(draft.told) == 600


async def test_in_an_ab_test_without_a_size_both_policies_tell_alike_many(
    settings: Settings, planner: Planner
) -> None:
    draft = await in_ab_test(planner, settings, "taste", 0.5, min_ctr=0.6)
    policies = Counter(draft.ab_test.policies(draft.candidates.users_at(draft.told)))
    assert 0 < policies["usual"] < 300
    assert policies["taste"] == policies["usual"]


async def test_in_an_ab_test_of_two_models_the_other_goes_by_its_version(
    settings: Settings, planner: Planner
) -> None:
    redis = await open_redis(settings)
    first = by_closeness(1, 0.5)
    await CtrModels(redis).publish(first)
    await redis.aclose()
    draft = await in_ab_test(planner, settings, "ctr:1", 0.5, max_audience=600)
    other = draft.ab_test.drawn(draft.candidates.users_at(draft.told))
    likely = first.predict(draft.known(draft.told)), draft.ctr.predict(draft.known(draft.told))
    for told, ranked_by, not_by in ((other, *likely), (~other, *likely[::-1])):
        falling = np.sort(ranked_by[told])[::-1]
        assert ranked_by[told].tolist() == pytest.approx(falling.tolist(), abs=1e-5)
        assert not_by[told].tolist() != pytest.approx(np.sort(not_by[told])[::-1].tolist(), abs=1e-5)


async def test_the_first_wave_of_an_ab_test_explores_by_the_usual_policy_alone(
    settings: Settings, planner: Planner
) -> None:
    draft = await in_ab_test(planner, settings, "taste", 0.25, max_audience=1600)
    wave = first_wave(draft, 0.25)
    assert draft.ab_test
    assert wave
    first = in_wave(draft, wave, 0, planner.random)
    other = draft.ab_test.drawn(first.candidates.users_at(first.told))
    everybody = draft.ab_test.drawn(draft.candidates.users_at(draft.told))
    assert (len(first.told), other.sum()) == (400, 100)
    assert first.told[other].tolist() == draft.told[everybody][:100].tolist(), "the other policy's best"
    assert set(first.propensities) == set(first.told[~other].tolist())
    assert min(first.propensities.values()) < 1


async def in_waves(planner: Planner, settings: Settings, **more: Any) -> Draft:
    """The first wave of a release to 2,000 of 3,000 listeners, once a CTR model serves."""
    await crowd(settings, MANY)
    return await first_of_many(planner, **more)


async def first_of_many(planner: Planner, **more: Any) -> Draft:
    planner = replace(planner, max_audience=2000, **more)
    planner.habits.model = LEARNED
    event = release(max_audience=2000)
    draft = await planner.draft(event, await planner.look_up(event), MODEL, NOW)
    wave = first_wave(draft, planner.first_wave)
    return in_wave(draft, wave, 0, planner.random) if wave else draft


async def test_propensities_of_a_wave_that_explores_are_of_whom_it_tells_and_below_1(
    settings: Settings, planner: Planner
) -> None:
    draft = await in_waves(planner, settings)
    assert draft.wave == Wave(1, 200, 2000)
    assert set(draft.propensities) == set(draft.told.tolist())
    assert 0 < min(draft.propensities.values()) < max(draft.propensities.values()) <= 1


async def test_inverse_propensities_of_a_wave_estimate_the_audience_it_is_drawn_from(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings, MANY)
    draws = [sum(1 / p for p in (await first_of_many(planner)).propensities.values()) for _ in range(40)]
    assert np.mean(draws) == pytest.approx(2000, abs=4 * np.std(draws) / np.sqrt(len(draws)))


async def test_where_all_are_to_be_told_at_once_there_are_no_waves(
    settings: Settings, planner: Planner
) -> None:
    draft = await in_waves(planner, settings, first_wave=1.0)
    assert (draft.wave, len(draft.told), draft.ends) == (None, 2000, True)


async def test_an_audience_that_is_too_small_to_learn_from_has_no_waves(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings, MANY)
    planner.habits.model = LEARNED
    audience = await plan(planner, max_audience=900)
    assert len(told(audience)) == 900


@pytest.mark.parametrize("wave", [Wave(1, 200, 2000), Wave(2, 800, 2000)])
async def test_a_wave_of_artists_whom_the_model_has_forgotten_meanwhile_is_the_last_and_says_why(
    settings: Settings, planner: Planner, wave: Wave
) -> None:
    await crowd(settings)
    planner.habits.model = LEARNED
    event = release(artist_ids=["x"])
    audience = await planner.plan(event, await planner.look_up(event), MODEL, NOW, Before(wave=wave))
    assert (audience.draft.wave, audience.draft.ends) == (wave, True)
    assert audience.draft.reason == "nobody knows these artists yet"


@pytest.mark.parametrize("wave", [Wave(1, 200, 2000), Wave(2, 800, 2000)])
async def test_a_wave_for_which_no_model_is_at_hand_is_left_to_the_next(
    settings: Settings, planner: Planner, wave: Wave
) -> None:
    event = release()
    audience = await planner.plan(event, await planner.look_up(event), None, NOW, Before(wave=wave))
    assert (audience.draft.wave, audience.draft.ends) == (wave, False)


async def test_a_first_wave_that_goes_on_before_a_worker_has_read_who_clicks_tells_the_best(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    event = release(max_audience=40)
    before = Before(wave=Wave(1, 10, 40))
    audience = await planner.plan(event, await planner.look_up(event), MODEL, NOW, before)
    (page,) = [page async for page, _, _ in audience.pages]
    assert page.user_ids == told(await plan(planner, max_audience=10))
    assert (page.wave, audience.draft.ends) == (1, False)


async def test_a_release_of_a_song_goes_by_who_has_played_it_too(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    by_artist = await plan(planner, max_audience=5)
    songs = LiveSongs(SongModels(cast("AnyRedis", None)))  # asks nobody
    away = -MODEL.towards(MODEL.known(["a1"]))
    songs.model = SongModel(
        version=3,
        created_at=0.0,
        n_listeners=30,
        plays=30,
        songs=("s1",),
        directions=away.astype(np.float16),
        levels=np.ones(1, dtype=np.float32),
        listeners=np.array([3000]),
        artists=("a1",),
        made_by=csr_matrix([[1.0]]),
        beside=csr_matrix((1, 1)),
        to_audience=np.eye(3),
        strength=float("nan"),
        activity=0.5,
    )
    knowing = replace(planner, songs=songs)
    by_song = await plan(knowing, max_audience=5, song_id="s1")
    assert by_song.relied_on == "song, artists"
    assert set(told(by_song)).isdisjoint(told(by_artist))
    for unknown in (await plan(knowing, max_audience=5), await plan(knowing, max_audience=5, song_id="s2")):
        assert unknown.relied_on == "artists"
        assert told(unknown) == told(by_artist)
