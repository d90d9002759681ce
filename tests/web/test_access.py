"""Who may ask what: keys, roles, sessions, requests of other sites."""

from __future__ import annotations

import asyncio

import pytest
import redis
import requests

from consumers.web import rates
from consumers.web.access import COOKIE
from consumers.web.process import serve
from stream.broker.ports import free_port
from stream.errors import CannotStart
from stream.settings import Settings
from stream.stores.api_keys import Role
from tests.web.served import Served, key_of, serving

ROUTES = {
    ("GET", "/cohorts"): Role.LOOK,
    ("GET", "/cohorts/{cohort_id}"): Role.LOOK,
    ("GET", "/cohorts/{cohort_id}/listeners"): Role.LOOK,
    ("GET", "/cohorts/{cohort_id}/stages"): Role.LOOK,
    ("GET", "/cohorts/{cohort_id}/releases"): Role.LOOK,
    ("GET", "/listeners"): Role.LOOK,
    ("GET", "/listeners/{user_id}"): Role.LOOK,
    ("DELETE", "/listeners/{user_id}"): Role.ADMINISTER,
    ("GET", "/songs/{user_id}"): Role.LOOK,
    ("GET", "/told/{user_id}"): Role.LOOK,
    ("GET", "/artists"): Role.LOOK,
    ("GET", "/releases"): Role.LOOK,
    ("POST", "/releases"): Role.PUBLISH,
    ("POST", "/releases/preview"): Role.LOOK,
    ("GET", "/releases/{release_id}"): Role.LOOK,
    ("GET", "/releases/{release_id}/report"): Role.LOOK,
    ("POST", "/releases/{release_id}/stop"): Role.PUBLISH,
    ("GET", "/release"): Role.LOOK,
    ("GET", "/release/report"): Role.LOOK,
    ("POST", "/release/stop"): Role.PUBLISH,
    ("GET", "/models"): Role.LOOK,
    ("GET", "/models/serving"): Role.LOOK,
    ("PUT", "/models/serving"): Role.ADMINISTER,
    ("GET", "/models/{version}"): Role.LOOK,
    ("GET", "/training"): Role.LOOK,
    ("GET", "/ctr-models"): Role.LOOK,
    ("PUT", "/ctr-models/serving"): Role.ADMINISTER,
    ("GET", "/lifecycle"): Role.LOOK,
    ("GET", "/churn"): Role.LOOK,
    ("GET", "/segments"): Role.LOOK,
    ("GET", "/segments/{segment}"): Role.LOOK,
    ("GET", "/doctor"): Role.LOOK,
    ("GET", "/processes"): Role.LOOK,
    ("GET", "/now"): Role.LOOK,
    ("GET", "/live"): Role.LOOK,
}


def refusals(served: Served, key: str | None) -> set[tuple[str, str]]:
    """The routes that refuse a key."""
    asking = Served(served.address, served.settings, key)
    refused = set()
    for method, path in ROUTES:
        with asking.ask(method, "/api/v1" + path.replace("{version}", "99"), stream=True) as answer:
            if answer.status_code in (401, 403):
                refused.add((method, path))
    return refused


def test_the_routes_are_those_that_a_role_was_thought_of_for(served: Served) -> None:
    described = served.get("/api/v1/openapi.json").json()["paths"]
    there = {
        (method.upper(), path.removeprefix("/api/v1"))
        for path, methods in described.items()
        for method in methods
        if path.startswith("/api/v1")
    }
    assert there == set(ROUTES)


@pytest.mark.parametrize("role", Role)
def test_a_key_may_ask_what_its_role_allows_and_nothing_else(role: Role, served: Served) -> None:
    key = key_of(served.settings, role)
    assert refusals(served, key) == {route for route, needed in ROUTES.items() if needed > role}


def test_metrics_are_for_a_key_that_may_look(served: Served) -> None:
    key_of(served.settings, Role.LOOK)
    assert served.get("/metrics").status_code == 401
    looking = Served(served.address, served.settings, key_of(served.settings, Role.LOOK))
    assert looking.get("/metrics").status_code == 200


def test_nobody_without_a_key_may_ask_anything_once_there_is_one(
    service: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "REFUSED_A_MINUTE", 1000)
    key_of(service, Role.LOOK)
    with serving(service) as served:
        assert refusals(served, None) == set(ROUTES)


def test_without_keys_this_machine_may_do_everything(served: Served) -> None:
    assert refusals(served, None) == set()


@pytest.mark.parametrize(
    "key", ["", "nonsense", "refrain_0123456789ab_" + "x" * 43, "refrain_0123456789ab_short"]
)
def test_a_wrong_key_is_refused_where_none_is_needed_too(key: str, served: Served) -> None:
    answer = served.get("/api/v1/cohorts", headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == (401 if key else 200)


def test_a_browser_whose_session_is_over_is_refused_only_where_a_key_is_needed(served: Served) -> None:
    def asked() -> int:
        return served.get("/api/v1/cohorts", cookies={COOKIE: "of nobody"}).status_code

    assert asked() == 200
    key_of(served.settings, Role.LOOK)
    assert asked() == 401


def test_a_right_id_with_a_wrong_secret_is_refused(served: Served) -> None:
    key = key_of(served.settings, Role.LOOK)
    wrong = key[:-1] + ("a" if key[-1] != "a" else "b")
    assert served.get("/api/v1/cohorts", headers={"Authorization": f"Bearer {wrong}"}).status_code == 401


def test_redis_holds_no_key(served: Served) -> None:
    key = key_of(served.settings, Role.LOOK)
    with redis.Redis.from_url(served.settings.redis) as client:
        held = client.hgetall("api:keys")
    assert key.rpartition("_")[2].encode() not in b"".join(held.values())


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_page_of_another_site_may_change_nothing(site: str, served: Served) -> None:
    answer = served.ask("DELETE", "/api/v1/listeners/u1", headers={"Sec-Fetch-Site": site})
    assert answer.status_code == 403
    assert served.get("/api/v1/listeners/u1").status_code == 200


def test_an_old_browser_s_request_of_another_origin_changes_nothing(served: Served) -> None:
    answer = served.ask("DELETE", "/api/v1/listeners/u1", headers={"Origin": "https://elsewhere.example"})
    assert answer.status_code == 403


def test_a_page_of_its_own_may_change_things(served: Served) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": served.address}
    assert served.ask("DELETE", "/api/v1/listeners/u1", headers=headers).status_code == 200


def test_a_name_that_another_site_lets_lead_here_is_refused_without_keys(served: Served) -> None:
    answer = served.get("/api/v1/cohorts", headers={"Host": "rebound.example"})
    assert answer.status_code == 403
    assert "rebound.example" in answer.json()["detail"]


def test_no_other_site_is_told_that_it_may_read(served: Served) -> None:
    answer = served.get("/api/v1/cohorts", headers={"Origin": "https://elsewhere.example"})
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_who_asks_too_often_is_told_when_to_ask_again(service: Settings) -> None:
    with serving(service.model_copy(update={"web_requests_a_minute": 3})) as served:
        answers = [served.get("/api/v1/cohorts") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60


def test_who_guesses_keys_is_not_listened_to_for_long(served: Served) -> None:
    key_of(served.settings, Role.LOOK)
    answers = [served.get("/api/v1/cohorts").status_code for _ in range(rates.REFUSED_A_MINUTE + 1)]
    assert answers == [401] * rates.REFUSED_A_MINUTE + [429]


def test_other_machines_are_not_let_in_before_there_is_a_key(service: Settings) -> None:
    open_to_all = service.model_copy(update={"web_host": "0.0.0.0", "web_port": free_port()})  # noqa: S104
    with pytest.raises(CannotStart, match="there are no keys yet"):
        asyncio.run(serve(open_to_all, asyncio.Event()))


def test_an_address_that_is_taken_is_named(served: Served) -> None:
    with pytest.raises(CannotStart, match=f"127.0.0.1:{served.settings.web_port}: Address already in use"):
        asyncio.run(serve(served.settings, asyncio.Event()))


def test_probes_are_answered_without_a_key(served: Served) -> None:
    key_of(served.settings, Role.LOOK)
    asked = [requests.get(served.address + path, timeout=30) for path in ("/healthz", "/readyz")]
    assert [answer.status_code for answer in asked] == [200, 200]
