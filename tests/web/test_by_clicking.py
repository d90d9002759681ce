"""What people do on the page, done in a real browser: by clicking, and by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from consumers.work.worker import work
from stream.settings import Settings
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running
from tests.web.browser import Visit, visiting
from tests.web.served import Served


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
