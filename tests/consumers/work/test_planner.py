"""Whom a release is told to, and why to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from consumers.work.member_cache import MemberCache
from consumers.work.planner import Planner
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.catalogue import Catalogue
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.releases import Audience, Heard, Releases
from stream.wire.events import Feedback, Release
from tests.consumers.placed import names, place
from tests.consumers.small_model import made_up_model, small_model

MODEL = small_model()
MEMBERS = {"c1": names("c1", 30), "c2": names("c2", 20), "c5": names("c5", 10), "": names("nowhere", 5)}
CONTRACT = Path(__file__).parents[3] / "docs" / "contract.md"


@pytest.fixture
async def planner(settings: Settings) -> AsyncIterator[Planner]:
    redis = await open_redis(settings)
    listeners = Listeners(redis, 200)
    cohorts = Cohorts(redis, listeners)
    releases = Releases(redis, 3600)
    yield Planner(MemberCache(listeners, cohorts), cohorts, Catalogue(redis), releases, 1.0, 40)
    await redis.aclose()


async def crowd(settings: Settings, members: dict[str, list[str]] = MEMBERS) -> None:
    await asyncio.to_thread(place, settings, members, MODEL)


def release(**more: Any) -> Release:
    return Release(**{"release_id": "r1", "artist_ids": ["a1"], **more})


async def opt_out(planner: Planner, users: list[str]) -> None:
    out = [Feedback(release_id="r0", user_id=user, kind="opted_out", ts=5.0) for user in users]
    await planner.releases.count([Heard(entry, "0", at) for at, entry in enumerate(out)])


def assert_nobody(audience: Audience, reason: str) -> None:
    assert (audience.pages, audience.users, audience.cohorts) == ((), 0, 0)
    assert audience.reason == reason
    assert f'"{reason}"' in " ".join(CONTRACT.read_text(encoding="utf-8").split())


async def test_without_a_model_nobody_is_told(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    assert_nobody(await planner.plan(release(), None, 5.0), "no model yet")


async def test_of_an_unheard_artist_nobody_is_told(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    audience = await planner.plan(release(artist_ids=["x"]), MODEL, 5.0)
    assert_nobody(audience, "nobody knows these artists yet")
    assert audience.relied_on == "nothing"


@pytest.mark.parametrize("min_ctr", [None, 0.0, 0.5])
async def test_while_nobody_has_a_cohort_nobody_is_told(
    settings: Settings, planner: Planner, min_ctr: float | None
) -> None:
    await crowd(settings, {"": names("nowhere", 5)})
    audience = await planner.plan(release(min_ctr=min_ctr), MODEL, 5.0)
    assert_nobody(audience, "nobody is placed under this model yet")


async def test_while_nobody_has_a_taste_of_the_models_dimensions_nobody_is_told(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    wider = made_up_model(version=4, seed=4, artists=MODEL.artists, n_dims=5, cohorts=MODEL.cohort_ids)
    assert_nobody(await planner.plan(release(), wider, 5.0), "nobody is placed under this model yet")


async def test_where_no_cohort_promises_enough_nobody_is_told(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    assert_nobody(await planner.plan(release(min_ctr=1.0), MODEL, 5.0), "no cohort reaches min_ctr")


async def test_where_everybody_opted_out_nobody_is_told(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    await opt_out(planner, [user for users in MEMBERS.values() for user in users])
    audience = await planner.plan(release(), MODEL, 5.0)
    assert_nobody(audience, "everybody in these cohorts has opted out")


async def test_those_who_opted_out_leave_their_places_to_others(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    (first, *_), *_ = [page.user_ids for page in (await planner.plan(release(), MODEL, 5.0)).pages]
    await opt_out(planner, [first])
    audience = await planner.plan(release(), MODEL, 5.0)
    assert audience.users == planner.max_audience
    assert first not in {user for page in audience.pages for user in page.user_ids}


async def test_who_is_met_in_two_cohorts_on_their_way_is_told_once(
    settings: Settings, planner: Planner
) -> None:
    await crowd(settings)
    both = names("c1", 10)
    redis = planner.releases._redis
    await redis.sadd(keys.cohort_users("c2"), *both)
    told = [user for page in (await planner.plan(release(), MODEL, 5.0)).pages for user in page.user_ids]
    assert len(told) == len(set(told)) == planner.max_audience
    everybody = await planner.plan(release(max_audience=1000), MODEL, 5.0)
    assert everybody.users == 60


async def test_a_release_may_say_how_many_are_told_at_most(settings: Settings, planner: Planner) -> None:
    await crowd(settings)
    assert (await planner.plan(release(max_audience=7), MODEL, 5.0)).users == 7
    assert (await planner.plan(release(max_audience=1000), MODEL, 5.0)).users == 60
