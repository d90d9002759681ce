"""Metrics of `refrain serve`: requests by route and status."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.web.served import Served


def counted(served: Served) -> dict[tuple[str, str, str], float]:
    """How many requests were answered, by method, route and status."""
    answer = served.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == "refrain_http_requests_total"
    }


def test_requests_are_counted_by_route_not_by_address(served: Served) -> None:
    before = counted(served)
    for cohort in ("no-such-1", "no-such-2"):
        served.get(f"/api/v1/cohorts/{cohort}")
    served.get("/api/v1/listeners/no-such/with/slashes")
    served.get("/nothing/here")
    served.ask("BREW", "/api/v1/cohorts")
    served.get("/static/style.css")
    after = counted(served)
    grown = {route: number - before.get(route, 0.0) for route, number in after.items()}
    assert grown["GET", "/api/v1/cohorts/{cohort_id}", "404"] == 2
    assert grown["GET", "/api/v1/listeners/{user_id:path}", "404"] == 1
    assert grown["GET", "other", "404"] == 1
    assert grown["GET", "/static", "200"] == 1
    assert grown["other", "/api/v1/cohorts", "405"] == 1
    assert not any("no-such" in route or "nothing" in route for _, route, _ in after)


def test_answers_are_timed_by_route(served: Served) -> None:
    served.get("/healthz")
    families = {family.name: family for family in text_string_to_metric_families(served.get("/metrics").text)}
    timed = {
        sample.labels["route"]: sample.value
        for sample in families["refrain_http_request_seconds"].samples
        if sample.name.endswith("_count")
    }
    assert timed["/healthz"] >= 1
    assert families["refrain_process_info"].samples[0].labels["process"] == "serve"
    assert "refrain_batch_seconds" not in families
