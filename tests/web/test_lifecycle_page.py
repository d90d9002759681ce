"""The page of the lifecycle."""

from __future__ import annotations

import re
import time

import pytest

from benchmarks.year import simulate
from consumers.queries.lifecycle import MOST_WEEKS, read_lifecycle, read_lifecycles
from models.traits.activity import day_of
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.listeners import Listeners
from stream.stores.traits import Traits
from tests.apart import WithRedis
from tests.consumers.traits.living import live
from tests.waiting import wait_for
from tests.web.served import Served, serving

DAYS = 150


def text(served: Served, path: str = "/lifecycle") -> str:
    answer = served.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


def added_up(served: Served) -> str:
    wait_for(lambda: "Adding up" not in text(served, "/lifecycle/part"), "the lifecycle added up")
    return text(served)


@pytest.fixture
def lived(settings: Settings, with_redis: WithRedis) -> Settings:
    """A service of 200 listeners whose last seven weeks were lived through, up to today."""
    year = simulate(200, days=DAYS, seed=1, begin=day_of(time.time()) - DAYS)
    with_redis(lambda redis: live(redis, settings, year, weeks=7))
    return settings


def test_the_page_is_there_before_all_is_added_up_and_asks_for_the_rest(served: Served) -> None:
    page = text(served)
    assert "Adding up what all listeners did" in page
    assert 'hx-get="/lifecycle/part" hx-trigger="every 2s"' in page
    assert "hx-get" not in added_up(served)


def test_before_anybody_has_clicked_it_says_so(settings: Settings) -> None:
    with serving(settings) as served:
        assert "No listener has clicked yet" in added_up(served)


def test_ways_and_retention_are_as_dark_as_they_are_frequent(lived: Settings) -> None:
    with serving(lived) as served:
        page = added_up(served)
        found = served.get("/api/v1/lifecycle").json()
    ways, retention = re.findall(r'<table class="heat">.*?</table>', page, re.DOTALL)
    cells = [
        (int(dark), float(share))
        for dark, share in re.findall(r'class="heat-(\d+)">([\d.]+) %', ways + retention)
    ]
    known = len(found["transitions"]) + sum(len(each["active"]) for each in found["retention"])
    assert len(cells) == known > 20
    assert all(abs(dark - share / 10) <= 0.51 for dark, share in cells)
    assert "style=" not in page


def test_the_forecast_is_drawn_with_its_interval(lived: Settings) -> None:
    with serving(lived) as served:
        page = added_up(served)
    assert re.search(r'data-of="expected" data-role="low"', page)
    assert "in 4 weeks" in page


def test_the_risk_of_churn_is_counted_in_tenths(served: Served, with_redis: WithRedis) -> None:
    risks = {"u1": {"churn": 0.03}, "u2": {"churn": 0.97}, "u3": {"churn": 0.91}, "v1": {"churn": ""}}
    with_redis(lambda redis: Traits(redis, Listeners(redis)).write(risks))
    found = served.get("/api/v1/lifecycle").json()
    assert [each["listeners"] for each in found["churn_risk"]] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert re.search(r'90 to 100 %</td><td data-value="2">', added_up(served))


def test_it_is_added_up_once_however_many_weeks_ahead_one_looks(lived: Settings) -> None:
    with serving(lived) as served:
        found = [served.get("/api/v1/lifecycle", params={"weeks": weeks}).json() for weeks in (4, 12, 1)]
    assert len({each["at"] for each in found}) == 1
    assert [len(each["lost"]) for each in found] == [4, 12, 1]


def test_of_each_number_of_weeks_it_says_what_is_read_for_that_alone(
    lived: Settings, with_redis: WithRedis
) -> None:
    async def read(redis: AnyRedis) -> None:
        now = time.time()
        found = await read_lifecycles(redis, lived, now)
        for weeks in (1, 4, MOST_WEEKS):
            assert found[weeks] == await read_lifecycle(redis, lived, weeks, now)

    with_redis(read)


def test_without_a_prediction_of_churn_it_says_so(served: Served) -> None:
    assert "refrain model churn" in added_up(served)


def test_where_it_cannot_be_added_up_the_page_says_so_and_goes_on_asking(
    served: Served, with_redis: WithRedis
) -> None:
    key = keys.user_traits("u1")
    with_redis(lambda redis: redis.set(key, "no hash"))
    failed = "Redis failed while it was added up"
    wait_for(lambda: failed in text(served, "/lifecycle/part"), "the failure shown")
    with_redis(lambda redis: redis.delete(key))
    wait_for(lambda: "Stages" in text(served, "/lifecycle/part"), "the lifecycle added up after all")


def test_where_the_model_of_the_next_week_is_damaged_the_page_says_so_and_goes_on_asking(
    served: Served, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: redis.set(keys.NEXT_WEEK, b"\x93no"))
    failed = "what was learned of listeners&#39; next week cannot be read"
    wait_for(lambda: failed in text(served, "/lifecycle/part"), "the failure shown")
    with_redis(lambda redis: redis.delete(keys.NEXT_WEEK))
    wait_for(lambda: "Stages" in text(served, "/lifecycle/part"), "the lifecycle added up after all")
