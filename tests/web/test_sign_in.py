"""Where one is after signing in."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest

from stream.settings import Settings
from stream.stores.api_keys import Role
from tests.apart import WithRedis
from tests.web.served import Served, full, key_of, serving

HTML = {"Accept": "text/html"}


@pytest.fixture
def key(service: Settings) -> str:
    return key_of(service, Role.LOOK)


@pytest.fixture
def locked(service: Settings, key: str) -> Iterator[Served]:
    """A service that answers nobody who has no key."""
    with serving(service) as served:
        yield served


def signed_in(served: Served, key: str, sign_in: str) -> str:
    """Where a browser is led that was sent to an address to sign in, and does."""
    assert urlsplit(sign_in).path == "/sign-in"
    page = served.get(sign_in).text
    asked = page.partition('name="next" value="')[2].partition('"')[0].replace("&amp;", "&")
    answer = served.post("/sign-in", data={"key": key, "next": asked})
    assert answer.status_code == 303
    return answer.headers["Location"]


@pytest.mark.parametrize(
    "path", ["/", "/listener?id=a%2Fb%26c", "/release?id=..&published=yes", "/cohorts/c1", "/cohorts/a%3Fb"]
)
def test_it_is_the_page_that_was_asked_for(path: str, locked: Served, key: str) -> None:
    answer = locked.get(path, headers=HTML)
    assert answer.status_code == 303
    assert signed_in(locked, key, answer.headers["Location"]) == path


@pytest.mark.parametrize(
    ("current", "led_to"),
    [
        ("{here}/listener?id=u1#songs", "/listener?id=u1"),
        ("{here}", "/"),
        ("", "/"),
        ("{here}//elsewhere.example/", "/"),
        ("https://elsewhere.example/page", "/page"),
        ("https://[", "/"),
    ],
)
def test_of_a_part_it_is_the_page_that_asked_for_it(
    current: str, led_to: str, locked: Served, key: str
) -> None:
    headers = {**HTML, "HX-Request": "true", "HX-Current-URL": current.format(here=locked.address)}
    answer = locked.get("/listener/songs?id=u1", headers=headers)
    assert answer.status_code == 401
    assert signed_in(locked, key, answer.headers["HX-Redirect"]) == led_to


def test_of_what_was_sent_it_is_the_first_page(locked: Served, key: str) -> None:
    answer = locked.post("/release/stop", data={"id": "r1"}, headers=HTML)
    assert signed_in(locked, key, answer.headers["Location"]) == "/"


@pytest.mark.parametrize(
    "asked",
    [
        "//elsewhere.example",
        "/\\elsewhere.example",
        "/\t/elsewhere.example",
        "/\n/elsewhere.example",
        "https://elsewhere.example",
        "https:elsewhere.example",
        "javascript:alert(1)",
        "elsewhere.example",
        "/" + "x" * 5000,
        "",
    ],
)
def test_it_is_never_another_site(asked: str, locked: Served, key: str) -> None:
    page = locked.get("/sign-in", params={"next": asked}).text
    assert 'name="next" value="/"' in page
    sent = locked.post("/sign-in", data={"key": key, "next": asked[:2000]})
    led_to = urljoin(locked.address, sent.headers["Location"])
    assert urlsplit(led_to).netloc == urlsplit(locked.address).netloc


def test_of_a_redis_that_takes_no_writes_it_is_said(locked: Served, key: str, with_redis: WithRedis) -> None:
    with full(with_redis):
        answer = locked.post("/sign-in", data={"key": key})
    assert answer.status_code == 503
    assert "Redis takes no more writes" in answer.text
    assert "Give it memory (maxmemory)" in answer.text
