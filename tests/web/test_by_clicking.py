"""What people do on the page, done in a real browser: by clicking, and by keyboard alone."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator

import numpy as np
import pytest
import redis
from playwright.sync_api import Browser, expect

from consumers.web.pages import cohorts
from consumers.work.worker import work
from models.ctr import FEATURES, CtrModel
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.ctr_models import CtrModels
from stream.stores.snapshots import Snapshots
from tests.cli.service import NOW, model_of
from tests.cli.test_release_report import FANS, OTHERS, released
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running
from tests.web.browser import Visit, visiting
from tests.web.served import Served

Run = Callable[[Callable[[AnyRedis], Awaitable[object]]], object]


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Visit]:
    with visiting(browser, served.address) as begun:
        yield begun
        assert begun.errors == []


def test_a_release_is_published_by_clicking_and_its_audience_is_in_kafka(
    log: KafkaLog, visit: Visit, service: Settings
) -> None:
    page = visit.page
    with Running(work, service):
        visit.open("/desk")
        page.get_by_label("Artists", exact=True).press_sequentially("radio")
        page.get_by_role("option", name="Radiohead").click()
        expect(page.get_by_role("list", name="The audience")).to_contain_text("listeners would be told")
        page.get_by_role("button", name="Publish…").click()
        page.get_by_label("Id of the release").fill("by clicking")
        page.get_by_role("dialog").get_by_role("button", name="Publish").click()
        page.wait_for_url("**/release?id=by%20clicking&published=yes")
        expect(page.locator("main")).to_contain_text("Is out")
    pages = [event for event in log.events("audiences") if "user_ids" in event]
    assert {user for each in pages for user in each["user_ids"]} >= {"u1", "u2", "u3"}


def test_an_audience_is_seen_by_keyboard_alone(visit: Visit) -> None:
    page = visit.page
    visit.open("/desk")
    page.get_by_label("Artists", exact=True).focus()
    page.keyboard.type("sigur")
    expect(page.get_by_role("option", name="Sigur Rós")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="The audience")).to_contain_text("listeners would be told")


def test_a_click_on_a_bubble_opens_its_cohort(visit: Visit) -> None:
    page = visit.page
    visit.open("/cohorts")
    chart = page.locator("figure[data-chart=bubble] canvas")
    name, x, y = chart.evaluate(
        """canvas => {
          const [dot] = Chart.getChart(canvas).getDatasetMeta(0).data;
          const [raw] = Chart.getChart(canvas).data.datasets[0].data;
          return [raw.name, dot.x, dot.y];
        }"""
    )
    chart.click(position={"x": x, "y": y})
    page.wait_for_url("**/cohorts/c*")
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)


def test_members_are_paged_by_more(visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cohorts, "MEMBERS", 2)
    page = visit.page
    visit.open("/cohorts/c1")
    page.get_by_role("button", name="More of 3 listeners").click()
    expect(page.get_by_role("link", name="u3")).to_be_focused()
    assert [page.get_by_role("link", name=user, exact=True).count() for user in ("u1", "u2", "u3")] == [
        1,
        1,
        1,
    ]
    expect(page.get_by_role("button", name="More of 3 listeners")).to_have_count(0)


def test_rolling_back_after_a_confirmation_changes_the_model_that_serves(
    visit: Visit, served: Served, with_redis: Run
) -> None:
    with_redis(lambda redis: Snapshots(redis).publish(model_of(5, NOW)))
    page = visit.page
    visit.open("/models")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Use model 4").click()
    expect(page.get_by_role("row", name=re.compile("^4 "))).to_contain_text("serves")
    assert served.get("/api/v1/now").json()["model_version"] == 4


def test_expected_clicks_by_audience_size_are_drawn_from_the_table_behind_them(
    visit: Visit, with_redis: Run
) -> None:
    coefficients = np.zeros(1 + len(FEATURES))
    coefficients[0] = 3.0
    learned = CtrModel(version=1, examples=5000, coefficients=coefficients)
    with_redis(lambda redis: CtrModels(redis).publish(learned))
    page = visit.page
    visit.open("/desk?artists=a1")
    figure = page.get_by_role("figure").filter(has_text="Expected clicks by audience size")
    figure.get_by_text("Expected clicks by audience size: the numbers").click()
    cells = figure.get_by_role("row").locator("td:nth-child(2)")
    expect(cells.last).to_be_visible()
    clicks = [float(value) for value in cells.evaluate_all("all => all.map(cell => cell.dataset.value)")]
    assert clicks == sorted(clicks)
    assert clicks[-1] > 0
    drawn = figure.locator("canvas").evaluate("canvas => Chart.getChart(canvas).data.datasets[0].data")
    assert drawn == clicks


def test_waves_are_seen_going_out(visit: Visit, served: Served, with_redis: Run) -> None:
    released(with_redis, {"sent": FANS})
    name = keys.release("r1")
    page = visit.page
    with redis.Redis.from_url(served.settings.redis) as client:
        client.hset(name, mapping={"state": "paused", "told_by_wave": "[30]"})
        visit.open("/release?id=r1")
        waves = page.get_by_role("region", name="Waves").get_by_role("row")
        expect(waves).to_have_count(2)
        client.hset(name, mapping={"told_by_wave": "[30, 40]"})
        expect(waves).to_have_count(3)
        expect(waves.last).to_contain_text("40")


def test_both_policies_of_an_ab_test_are_shown_and_by_how_much_they_differ(
    visit: Visit, served: Served, with_redis: Run
) -> None:
    released(with_redis, {"sent": FANS + OTHERS})
    told = json.dumps({"usual": 35, "taste": 35})
    with redis.Redis.from_url(served.settings.redis) as client:
        client.hset(keys.release("r1"), mapping={"ab_policy": "taste", "told_by_policy": told})
        counts = {"usual:sent": 35, "usual:clicked": 14, "taste:sent": 35, "taste:clicked": 3}
        client.hset(keys.release_part_counts("r1"), mapping=counts)
    page = visit.page
    visit.open("/release?id=r1")
    arms = page.get_by_role("region", name="Policies of the A/B test").get_by_role("row")
    expect(arms).to_have_count(3)
    expect(arms.nth(1)).to_contain_text("40.0 %")
    expect(arms.nth(2)).to_contain_text("8.6 %")
    expect(page.locator("main")).to_contain_text("-31.4 points")


def test_what_telling_brought_is_beside_the_control_group(visit: Visit, with_redis: Run) -> None:
    played = FANS + OTHERS[:20] + [f"apart {n}" for n in range(2)]
    released(with_redis, {"sent": FANS, "played": played}, song="s-a1", control=40)
    visit.open("/release?id=r1")
    expect(visit.page.locator("main")).to_contain_text("+80.7 points of plays")


def test_the_ctr_of_the_last_releases_is_beside_that_at_random(
    visit: Visit, served: Served, with_redis: Run
) -> None:
    released(with_redis, {"sent": FANS + OTHERS, "clicked": FANS[:8]})
    with redis.Redis.from_url(served.settings.redis) as client:
        client.hset(keys.release("r1"), mapping={"random_ctr": 0.05})
    visit.open("/")
    release = visit.page.get_by_role("region", name="The last releases").get_by_role("row").last
    expect(release).to_contain_text("11.4 %")
    expect(release).to_contain_text("5.0 %")


def test_a_model_is_pinned_after_a_confirmation(visit: Visit) -> None:
    page = visit.page
    visit.open("/models")
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Pin model 4").click()
    expect(page.get_by_role("button", name="Unpin, and let the newest serve")).to_be_visible()


def test_a_listener_is_forgotten_after_a_confirmation(visit: Visit, served: Served) -> None:
    page = visit.page
    visit.open("/listener?id=u1")
    page.get_by_role("button", name="Forget…").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep them").click()
    assert served.get("/api/v1/listeners/u1").status_code == 200
    page.get_by_role("button", name="Forget…").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget them").click()
    expect(page.locator("main")).to_contain_text("u1")
    assert served.get("/api/v1/listeners/u1").status_code == 404
