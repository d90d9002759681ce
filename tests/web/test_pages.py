"""The pages in a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from consumers.web.pages.layout import PAGES
from stream.settings import Settings
from stream.stores.api_keys import Role
from tests.web.browser import PHONE, Visit, visiting
from tests.web.served import Served, key_of, serving

ADDRESSES = [address for address, _ in PAGES]


@pytest.fixture
def visit(browser: Browser, served: Served) -> Iterator[Visit]:
    with visiting(browser, served.address) as begun:
        yield begun


def settle(visit: Visit) -> None:
    """Wait until nothing of the page is still on its way."""
    expect(visit.page.locator("h1")).to_be_visible()
    expect(visit.page.locator(".htmx-request")).to_have_count(0)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_opens_without_an_error_and_asks_no_other_host(address: str, visit: Visit) -> None:
    visit.open(address)
    settle(visit)
    assert (visit.errors, visit.elsewhere) == ([], [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_has_no_hurdle_that_axe_knows(
    address: str, scheme: str, browser: Browser, served: Served
) -> None:
    with visiting(browser, served.address, color_scheme=scheme) as visit:
        visit.open(address)
        settle(visit)
        assert visit.hurdles() == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_fits_a_phone(address: str, browser: Browser, served: Served) -> None:
    with visiting(browser, served.address, viewport=PHONE) as visit:
        visit.open(address)
        settle(visit)
        assert not visit.too_wide()


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Kolkata")
        time.tzset()
        yield
    time.tzset()


def test_every_page_says_whose_times_it_shows(served: Served, in_kolkata: None) -> None:
    silent = [address for address in ADDRESSES if "times are IST" not in served.get(address).text]
    assert silent == []


def test_a_preview_of_long_ids_fits_a_phone(browser: Browser, served: Served) -> None:
    with visiting(browser, served.address, viewport=PHONE) as visit:
        visit.open("/desk?artists=a1")
        who = visit.page.get_by_role("region", name="Who comes first").locator("td").first
        expect(who).to_be_visible()
        who.evaluate("cell => { cell.textContent = 'a-long-id-'.repeat(12); }")
        assert not visit.too_wide()


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_page_says_what_is_missing_before_there_is_anything(
    address: str, browser: Browser, settings: Settings
) -> None:
    with serving(settings) as served, visiting(browser, served.address) as visit:
        visit.open(address)
        settle(visit)
        assert visit.errors == []


def test_every_page_is_reached_by_keyboard_alone(visit: Visit) -> None:
    visit.open("/")
    for number in range(1, len(ADDRESSES)):
        visit.page.goto(visit.address + "/")
        # The link that skips to the content and the brand come first.
        for _ in range(3 + number):
            visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Enter")
        visit.page.wait_for_url(visit.address + ADDRESSES[number])


def test_what_goes_on_changes_by_itself(visit: Visit) -> None:
    visit.open("/")
    expect(visit.page.locator("li.tile", has_text="clicks a second").locator("b")).to_have_text("0")


def test_who_has_signed_in_is_at_the_page_that_was_asked_for(browser: Browser, service: Settings) -> None:
    key = key_of(service, Role.LOOK)
    with serving(service) as served, visiting(browser, served.address) as visit:
        visit.open("/listener?id=u1")
        visit.page.get_by_label("API key").fill(key)
        visit.page.keyboard.press("Enter")
        expect(visit.page.locator("h1")).to_have_text("u1")


def test_who_has_no_key_signs_in_first(browser: Browser, service: Settings) -> None:
    key = key_of(service, Role.LOOK, name="label desk")
    with serving(service) as served, visiting(browser, served.address) as visit:
        visit.open("/")
        visit.page.get_by_label("API key").fill("wrong")
        visit.page.keyboard.press("Enter")
        expect(visit.page.get_by_role("alert")).to_contain_text("This key is not known")
        visit.page.get_by_label("API key").fill(key)
        visit.page.keyboard.press("Enter")
        expect(visit.page.locator("h1")).to_have_text("Now")
        assert key not in str(visit.page.context.cookies())
        visit.page.get_by_role("button", name="Sign out").click()
        expect(visit.page.locator("h1")).to_have_text("Sign in")
