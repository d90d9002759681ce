"""A proxy in front of `refrain serve`: when what it passes on is answered, and when it is believed."""

from __future__ import annotations

import http.client
import socket
from urllib.parse import urlencode

import pytest
import requests

from consumers.web import rates
from stream.settings import Settings
from stream.stores.api_keys import Role
from tests.web.served import PATIENCE, Served, key_of, serving

MAKE_KEY = "`refrain key add NAME --role administer`"
MAKE_KEY_AS_CODE = "<code>refrain key add NAME --role administer</code>"


def address_in_a_network() -> str:
    """An address of this machine that others reach."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect(("192.0.2.1", 9))  # nothing is sent
        except OSError:
            pytest.skip("this machine is in no network")
        return str(asking.getsockname()[0])


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via"]
)
def test_without_keys_nothing_is_answered_that_a_proxy_passed_on(header: str, served: Served) -> None:
    answer = served.get("/api/v1/cohorts", headers={header: "127.0.0.1"})
    assert answer.status_code == 403
    assert MAKE_KEY in answer.json()["detail"]


def test_without_keys_a_person_behind_a_proxy_is_told_that_one_is_needed(served: Served) -> None:
    answer = served.get("/", headers={"Accept": "text/html", "X-Forwarded-For": "203.0.113.7"})
    assert answer.status_code == 403
    assert MAKE_KEY_AS_CODE in answer.text


def test_without_keys_another_machine_is_not_answered_that_reaches_it_all_the_same(
    service: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def everywhere(settings: Settings) -> socket.socket:
        return socket.create_server(("0.0.0.0", settings.web_port))  # noqa: S104

    monkeypatch.setattr("consumers.web.process.listen", everywhere)
    with serving(service) as served, requests.Session() as asking:
        asking.trust_env = False  # a proxy that is set for this machine's own requests
        answer = asking.get(
            f"http://{address_in_a_network()}:{served.settings.web_port}/api/v1/cohorts",
            headers={"Host": f"127.0.0.1:{served.settings.web_port}"},
            timeout=PATIENCE,
        )
    assert answer.status_code == 403
    assert MAKE_KEY in answer.json()["detail"]


def test_whoever_has_a_key_is_answered_through_a_proxy(service: Settings) -> None:
    key = key_of(service, Role.LOOK)
    with serving(service) as served:
        passed_on = {"Authorization": f"Bearer {key}", "X-Forwarded-For": "203.0.113.7"}
        assert served.get("/api/v1/cohorts", headers=passed_on).status_code == 200


ELSEWHERE = "127.0.0.2"
"""An address that is not trusted by itself, as that of a proxy on another machine."""


def passed_on(served: Served, proxy: str, whose: str, key: str) -> http.client.HTTPResponse:
    """What is answered where somebody signs in, over TLS, at a proxy."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", served.settings.web_port, timeout=PATIENCE, source_address=(proxy, 0)
    )
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": whose,
    }
    connection.request("POST", "/sign-in", urlencode({"key": key}), headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.mark.parametrize(
    ("proxy", "trusted", "secure"),
    [
        ("127.0.0.1", None, True),
        (ELSEWHERE, None, False),
        (ELSEWHERE, ELSEWHERE, True),
        (ELSEWHERE, "10.0.0.1, 127.0.0.2/31", True),
        ("127.0.0.1", ELSEWHERE, False),
    ],
)
def test_a_session_begun_over_tls_has_a_secure_cookie_where_the_proxy_is_trusted(
    proxy: str, trusted: str | None, secure: bool, service: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if trusted is None:
        monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    else:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", trusted)
    key = key_of(service, Role.LOOK)
    with serving(service) as served:
        answer = passed_on(served, proxy, "203.0.113.7", key)
    assert answer.status == 303
    assert ("Secure" in answer.headers["Set-Cookie"].split("; ")) == secure


def test_guesses_of_one_stranger_are_not_counted_as_another_s_behind_a_proxy_that_is_trusted(
    service: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", ELSEWHERE)
    key_of(service, Role.LOOK)
    with serving(service) as served:
        guesses = [
            passed_on(served, ELSEWHERE, "203.0.113.7", "guessed").status
            for _ in range(rates.REFUSED_A_MINUTE + 1)
        ]
        another = passed_on(served, ELSEWHERE, "203.0.113.8", "mistyped").status
    assert (guesses[-1], another) == (429, 401)
