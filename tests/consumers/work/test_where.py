"""Who does not meet a release's conditions on traits is on no page, leaves others the place, and counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from consumers.work.planner import Before, Planner
from models.control import Groups
from stream.settings import Settings
from stream.stores.releases import Held
from tests.consumers.desk import Desk
from tests.consumers.placed import names
from tests.consumers.work.test_planner import (
    ASLEEP,
    EVERYBODY,
    HOUR,
    LEARNED,
    MANY,
    MEMBERS,
    MIDNIGHT,
    MODEL,
    NIGHT,
    crowd,
    plan,
    planner,
    release,
    told,
)

__all__ = ["planner"]


async def put(planner: Planner, traits: Mapping[str, Mapping[str, str | float]]) -> None:
    assert await planner.traits.write(traits) == set()


async def ranked(planner: Planner) -> list[str]:
    return told(await plan(planner, max_audience=1000))


async def test_only_those_who_meet_all_conditions_are_told(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    everybody = await ranked(planner)
    stages = {user: "fading" if at % 2 else "regular" for at, user in enumerate(everybody)}
    churns = {user: at / 100 for at, user in enumerate(everybody)}
    await put(planner, {user: {"stage": stages[user], "churn": churns[user]} for user in everybody})
    found = await plan(planner, max_audience=1000, where={"stage": "fading", "churn": {"above": 0.2}})
    expected = [user for user in everybody if stages[user] == "fading" and churns[user] > 0.2]
    assert told(found) == expected
    failing = Counter("stage" if stages[user] != "fading" else "churn" for user in everybody)
    assert found.left_out == {"stage": failing["stage"], "churn": failing["churn"] - len(expected)}


async def test_their_places_go_to_who_comes_next(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    everybody = await ranked(planner)
    await put(planner, {user: {"zero_week": 0.9 if at < 5 else 0.1} for at, user in enumerate(everybody)})
    found = await plan(planner, max_audience=10, where={"zero_week": {"max": 0.5}})
    assert told(found) == everybody[5:15]
    assert found.left_out == {"zero_week": 5}, "those further down took nobody's place"


async def test_who_has_no_such_trait_falls_out(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    everybody = await ranked(planner)
    await put(planner, {everybody[3]: {"segment:rap": 0.7}, everybody[4]: {"segment:rap": ""}})
    found = await plan(planner, max_audience=1000, where={"segment:rap": {"min": 0}})
    assert told(found) == [everybody[3]]
    assert found.left_out == {"segment:rap": len(everybody) - 1}


async def test_where_nobody_meets_them_nobody_is_told_and_all_count(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    everybody = await ranked(planner)
    found = await plan(planner, max_audience=1000, where={"stage": "new"})
    assert (told(found), found.reason) == ([], "nobody may be told now")
    assert found.left_out == {"stage": len(everybody)}


async def test_while_nobody_has_a_cohort_nobody_is_told_whatever_is_asked_for(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings, {"": names("nowhere", 5)})
    found = await plan(planner, where={"stage": "new"})
    assert (told(found), found.reason) == ([], "nobody is placed under this model yet")


async def test_opted_out_listeners_count_as_opted_out_only(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    everybody = await ranked(planner)
    await put(planner, {user: {"stage": "new"} for user in everybody[10:]})
    await planner.opted_out.add(everybody[:4])
    await planner.opted_out.refresh()
    found = await plan(planner, max_audience=10, where={"stage": "new"})
    assert told(found) == everybody[10:20]
    assert found.left_out == {"opted out": 4, "stage": 6}


async def test_those_drawn_for_comparison_meet_them_too(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    everybody = await ranked(planner)
    meet = set(everybody[::2])
    await put(planner, {user: {"stage": "new" if user in meet else "gone"} for user in everybody})
    gate = replace(EVERYBODY, groups=Groups(control=0.3))
    found = await plan(planner, gate=gate, max_audience=1000, where={"stage": "new"})
    assert found.control
    assert set(told(found)) | found.control.keys() == meet


async def test_once_it_is_learned_who_clicks_the_few_who_meet_them_are_found_however_far_down(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings, MANY)
    everybody = [user for users in MANY.values() for user in users]
    some = everybody[::50]
    await put(planner, {user: {"stage": "new"} for user in some})
    planner.habits.model = LEARNED
    found = await plan(planner, max_audience=len(some), where={"stage": "new"})
    assert set(told(found)) == set(some)
    assert 0 < found.left_out["stage"] <= len(everybody) - len(some)


async def test_when_quiet_hours_end_those_who_were_held_are_asked_after_once_more(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings, clocks=ASLEEP)
    planner = replace(planner, gate=replace(EVERYBODY, quiet_hours=NIGHT))
    first, *others = MEMBERS["c2"]
    await put(planner, {user: {"stage": "regular"} for user in others} | {first: {"stage": "dormant"}})
    event = release(where={"stage": "regular"})
    held = {user: Held(MIDNIGHT + 6 * HOUR, 1.0) for user in MEMBERS["c2"]}
    lookup = await planner.look_up(event)
    audience = await planner.plan_held(event, lookup, MODEL, MIDNIGHT + 6 * HOUR, Before(held=held))
    pages = [page async for page, _, _ in audience.pages]
    assert {user for page in pages for user in page.user_ids} == set(others)
    assert (audience.gone, audience.held) == ({"stage": 1}, {})


def test_a_worker_tells_those_who_meet_them_and_says_who_falls_out(office: Desk) -> None:
    everybody = office.ask("where-all", "a1").scores
    best = sorted(everybody, key=lambda user: -everybody[user])
    with office.db.pipeline() as pipeline:
        for at, user in enumerate(best):
            pipeline.hset(f"user:{{{user}}}:traits", mapping={"stage": "fading", "churn": (at % 10) / 10})
        pipeline.execute()
    answer = office.ask("where-some", "a1", where={"churn": {"min": 0.8}}, max_audience=100)
    assert answer.told == set([user for at, user in enumerate(best) if at % 10 >= 8][:100])
    assert answer.summary["left_out"] == {"churn": 400}, "four of five before the last who is told"
    nobody = office.ask("where-nobody", "a1", where="stage=gone")
    assert (nobody.pages, nobody.summary["reason"]) == ((), "nobody may be told now")
    assert nobody.summary["left_out"] == {"stage": len(best)}
