"""What people do on the page, done in a real browser: by clicking, and by keyboard alone."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
import redis
from playwright.sync_api import Browser, Page, expect

from consumers.web.pages import cohorts
from consumers.work.worker import work
from models.ctr import FEATURES, CtrModel
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.catalogue import Catalogue
from stream.stores.ctr_models import CtrModels
from stream.stores.snapshots import Snapshots
from stream.wire.events import Song
from tests.apart import WithRedis, apart
from tests.cli.service import NOW, model_of
from tests.cli.test_release_report import FANS, OTHERS, released
from tests.consumers.desk import Desk, feedback
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.placed import names, place
from tests.consumers.running import Running
from tests.waiting import wait_for
from tests.web.browser import Visit, visiting
from tests.web.served import Served, serving


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


def test_the_artist_who_is_meant_is_chosen_of_those_who_have_a_name_in_common(
    visit: Visit, with_redis: WithRedis
) -> None:
    song = Song(song_id="of b1", artist_ids=["b1"], artist_names=["Radiohead"])
    with_redis(lambda redis: Catalogue(redis).put([song]))
    page = visit.page
    visit.open("/desk?artists=radiohead")
    page.get_by_role("button", name="Radiohead (a1)", exact=True).click()
    expect(page.get_by_role("list", name="The audience")).to_contain_text("listeners would be told")
    expect(page.get_by_role("list", name="Artists: chosen")).to_contain_text("Radiohead (a1)")


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
    visit: Visit, served: Served, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: Snapshots(redis).publish(model_of(5, NOW)))
    page = visit.page
    visit.open("/models")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Use model 4").click()
    expect(page.get_by_role("row", name=re.compile("^4 "))).to_contain_text("serves")
    assert served.get("/api/v1/now").json()["model_version"] == 4


def test_expected_clicks_by_audience_size_are_drawn_from_the_table_behind_them(
    visit: Visit, with_redis: WithRedis
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


MEMBERS = {"c1": names("c1", 1500), "c2": names("c2", 1000)}  # the first wave has 100 at least


@contextmanager
def released_by_a_worker(
    browser: Browser, log: KafkaLog, settings: Settings, **chosen: object
) -> Iterator[tuple[Page, Desk]]:
    """The page of a release that a worker sends, some seconds from wave to wave."""
    settings = settings.model_copy(update=chosen)

    def begin() -> None:  # in a thread of its own: Playwright's loop runs in this one
        place(settings, MEMBERS)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(begin).result()
    apart(partial(_learn, settings))
    with redis.Redis.from_url(settings.redis, decode_responses=True) as client:
        desk = Desk(settings, log, client)
        with serving(settings) as served, Running(work, settings):
            wait_for(lambda: _knows_who_clicks(desk), "a worker that knows who clicks")
            with visiting(browser, served.address) as visit:
                desk.publish("r1", "a1", max_audience=2000)
                wait_for(
                    lambda: client.hget(keys.release("r1"), "state") in ("paused", "done"), "an audience"
                )
                visit.open("/release?id=r1")
                yield visit.page, desk
                assert visit.errors == []


async def _learn(settings: Settings) -> None:
    client = await open_redis(settings)
    await CtrModels(client).publish(CtrModel(version=1, examples=1000, clicks=100))
    await client.aclose()


def _knows_who_clicks(desk: Desk) -> bool:
    """A page of a release to one listener, which has no waves, says how likely they are to click."""
    return "ctrs" in desk.ask(f"before {time.time()}", "a1", max_audience=1).pages[0]


def test_waves_are_seen_going_out(browser: Browser, log: KafkaLog, topics: Settings) -> None:
    an_hour = 60.0
    with released_by_a_worker(browser, log, topics, wave_minutes=an_hour) as (page, desk):
        waves = page.get_by_role("region", name="Waves").get_by_role("row")
        expect(waves).to_have_count(2)
        expect(waves.last).to_contain_text("200")
        desk.db.hset(keys.release("r1"), mapping={"till": 0, "next_wave_at": 1})  # the hour is over
        desk.db.zadd(keys.RELEASES_OPEN, {"r1": 0})
        expect(waves).to_have_count(3)
        expect(waves.last).to_contain_text("600")


def test_both_policies_of_an_ab_test_are_shown_and_by_how_much_they_differ(
    browser: Browser, log: KafkaLog, topics: Settings
) -> None:
    chosen = {"ab_policy": "taste", "ab_share": 0.5, "first_wave": 1.0}
    with released_by_a_worker(browser, log, topics, **chosen) as (page, desk):
        answer = desk.wait_for("r1")
        pages = [dict(zip(each["user_ids"], each["policies"], strict=True)) for each in answer.pages]
        policy = {user: by for each in pages for user, by in each.items()}
        told = {by: [user for user in policy if policy[user] == by] for by in ("usual", "taste")}
        clicked = told["usual"][: len(told["usual"]) // 2]
        did = [(user, "sent") for user in policy] + [(user, "clicked") for user in clicked]
        log.send("feedback", [event | {"ts": time.time()} for event in feedback("r1", did)])
        log.wait_until_caught_up("work", "feedback")
        page.reload()
        arms = page.get_by_role("region", name="Policies of the A/B test").get_by_role("row")
        expect(arms).to_have_count(3)
        share = 100 * len(clicked) / len(told["usual"])
        expect(arms.nth(1)).to_contain_text(f"{share:.1f} %")
        expect(arms.nth(2)).to_contain_text("0.0 %")
        expect(page.locator("main")).to_contain_text(
            f"Taste is clicked {share:.1f} points less often than usual"
        )


def test_what_telling_brought_is_beside_the_control_group(visit: Visit, with_redis: WithRedis) -> None:
    played = FANS + OTHERS[:20] + [f"apart {n}" for n in range(2)]
    released(with_redis, {"sent": FANS, "played": played}, song="s-a1", control=40)
    visit.open("/release?id=r1")
    expect(visit.page.locator("main")).to_contain_text("+80.7 points of plays")


def test_the_ctr_of_the_last_releases_is_beside_that_at_random(
    visit: Visit, served: Served, with_redis: WithRedis
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
