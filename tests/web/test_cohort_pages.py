"""The pages of cohorts."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.cohorts import Cohorts
from stream.stores.listeners import Listeners
from stream.stores.traits import Traits
from tests.apart import WithRedis
from tests.cli.service import MEMBERS, NOW, model_of
from tests.web.served import Served, serving

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def text(served: Served, path: str) -> str:
    answer = served.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_cohorts_are_on_the_map_and_lead_to_their_pages(served: Served) -> None:
    page = text(served, "/cohorts")
    (the_map,) = re.findall(r'<figure[^>]*data-chart="bubble".*?</figure>', page, re.DOTALL)
    assert re.findall(r'href="(/cohorts/\w+)"', the_map) == ["/cohorts/c1", "/cohorts/c2"]
    x, _, size, other_x, _, other_size = map(float, re.findall(r'data-value="(.+?)"', the_map))
    assert abs(x - other_x) > 1
    assert (size, other_size) == (3, 2)


def test_before_a_model_the_page_says_what_is_missing(settings: Settings) -> None:
    with serving(settings) as served:
        page = text(served, "/cohorts")
    assert "so far 0 have" in page


def test_without_a_map_the_page_says_when_it_comes(served: Served, with_redis: WithRedis) -> None:
    async def undrawn(redis: AnyRedis) -> None:
        for cohort in ("c1", "c2"):
            await redis.hdel(keys.cohort(cohort), "map_x", "map_y")

    with_redis(undrawn)
    assert "The map comes with the next model" in text(served, "/cohorts")


def test_a_cohort_s_growth_is_over_a_week(served: Served, with_redis: WithRedis) -> None:
    async def grew(redis: AnyRedis) -> None:
        for version, days, size in ((5, 9, 1), (6, 7.5, 2), (7, 1, 3)):
            entry = {"at": NOW - days * 86_400, "version": version, "event": "", "others": [], "size": size}
            line = json.dumps(entry | {"label": ""})
            await redis.zadd(keys.cohort_history("c1"), {line: version})

    with_redis(grew)
    found = served.get("/api/v1/cohorts").json()["cohorts"][0]
    assert (found["size_before"], found["size"]) == (2, 3)
    assert "+50.0 % in 8 d" in text(served, "/cohorts")


def test_a_hostile_label_is_shown_as_it_is(served: Served, with_redis: WithRedis) -> None:
    async def named(redis: AnyRedis) -> None:
        model = replace(model_of(version=5, created_at=NOW + 60), labels=(HOSTILE, "Björk"))
        await Cohorts(redis, Listeners(redis)).describe(model, [{}, {}], 3600)

    with_redis(named)
    for path in ("/cohorts", "/cohorts/c1"):
        page = text(served, path)
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_a_cohort_shows_the_artists_that_set_it_apart(served: Served) -> None:
    page = text(served, "/cohorts/c1")
    assert "Radiohead" in page
    assert "times as many as elsewhere" in page


def test_a_cohort_shows_in_which_stages_its_members_are(served: Served, with_redis: WithRedis) -> None:
    stages = {"u1": {"stage": "regular"}, "u2": {"stage": "regular"}, "u3": {"stage": "fading"}}
    with_redis(lambda redis: Traits(redis, Listeners(redis)).write(stages))
    mix = served.get("/api/v1/cohorts/c1/stages").json()
    assert (mix["drawn"], mix["in_no_stage"]) == (3, 0)
    assert {each["stage"]: each["listeners"] for each in mix["stages"] if each["listeners"]} == {
        "regular": 2,
        "fading": 1,
    }
    assert "66.7 %" in text(served, "/cohorts/c1")


def test_releases_are_listed_by_what_came_of_them_in_the_cohort(
    served: Served, with_redis: WithRedis
) -> None:
    async def told(redis: AnyRedis) -> None:
        for name, clicked in (("dull", 1), ("hit", 20), ("elsewhere", 0)):
            about = {"title": f"The {name}", "planned_at": NOW, "sent": 400, "clicked": 40, "state": "done"}
            await redis.hset(keys.release(name), mapping=about)
            await redis.zadd(keys.RELEASES, {name: NOW})
            cohort = "c2" if name == "elsewhere" else "c1"
            await redis.hset(
                keys.release_counts(name), mapping={f"{cohort}:sent": 100, f"{cohort}:clicked": clicked}
            )

    with_redis(told)
    found = served.get("/api/v1/cohorts/c1/releases").json()
    assert [(each["release_id"], each["ctr"], each["ctr_of_all"]) for each in found] == [
        ("hit", 0.2, 0.1),
        ("dull", 0.01, 0.1),
    ]
    page = text(served, "/cohorts/c1")
    assert page.index("The hit") < page.index("The dull")
    assert "The elsewhere" not in page


def test_a_cohort_that_died_says_so_and_where_its_listeners_went(
    served: Served, with_redis: WithRedis
) -> None:
    async def died(redis: AnyRedis) -> None:
        one = {"cohort_ids": ("c1",), "labels": ("Radiohead",), "parents": ("",), "sizes": [5]}
        later = replace(model_of(version=5, created_at=NOW + 60), heirs={"c2": "c1"})
        alone = replace(
            later,
            **{**one, "sizes": later.sizes[:1]},
            centers=later.centers[:1],
            means=later.means[:1],
            born=later.born[:1],
            holders=later.holders[:1],
            named_after=((),),
            genres=("",),
        )
        cohorts = Cohorts(redis, Listeners(redis))
        await cohorts.describe(alone, [{}], 3600)
        await redis.zrem(keys.COHORTS, "c2")

    with_redis(died)
    page = text(served, "/cohorts/c2")
    assert "The model no longer has this cohort" in page
    assert "gone, most went to c1" in page


def test_a_cohort_that_there_is_not_is_named(served: Served) -> None:
    answer = served.get("/cohorts/c99", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert "there is no cohort &#39;c99&#39;" in answer.text


def test_members_come_a_page_at_a_time(served: Served, with_redis: WithRedis) -> None:
    first = text(served, "/cohorts/c1/members")
    assert re.findall(r"/listener\?id=(\w+)", first) == MEMBERS["c1"]
    assert "<button" not in first
    rest = text(served, "/cohorts/c1/members?after=u1")
    assert re.findall(r"/listener\?id=(\w+)", rest) == ["u2", "u3"]


def test_a_page_of_many_members_has_a_button_for_the_next(served: Served, with_redis: WithRedis) -> None:
    async def many(redis: AnyRedis) -> None:
        await redis.sadd(keys.cohort_users("c1"), *(f"m{number:02}&x" for number in range(40)))

    with_redis(many)
    page = text(served, "/cohorts/c1/members")
    assert 'hx-get="/cohorts/c1/members?after=m24%26x"' in page
