"""The page of health."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from consumers.doctor import Check, examine
from consumers.web import examination
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.heartbeats import STARTING, Heartbeat
from tests.apart import WithRedis
from tests.waiting import wait_for
from tests.web.served import Served


def text(served: Served, path: str = "/health") -> str:
    answer = served.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == 200, answer.text
    return answer.text


def test_the_page_asks_for_what_takes_long(served: Served) -> None:
    assert 'hx-get="/health/checks" hx-trigger="load"' in text(served)


def test_what_the_doctor_says_comes_with_the_worst_first(served: Served) -> None:
    page = text(served, "/health/checks")
    states = re.findall(r">\S (wrong|warning|fine)</td>", page)
    assert states == sorted(states, key=["wrong", "warning", "fine"].index)
    said = served.get("/api/v1/doctor").json()
    assert sorted(re.findall(r'</td><td class="text">(.*?)</td>', page)) == sorted(
        each["name"] for each in said
    )


def test_what_to_do_is_said_beside_what_is_wrong(served: Served) -> None:
    assert "start <code>refrain train</code>, or <code>refrain up</code> for all" in text(
        served, "/health/checks"
    )


def test_processes_that_run_are_listed_and_those_that_do_not_are_named(served: Served) -> None:
    page = text(served)
    assert re.search(r"<tr><td>serve</td>", page)
    assert "No <code>refrain ingest</code> runs" in page
    assert [each["kind"] for each in served.get("/api/v1/processes").json()] == ["serve"]


def test_a_process_that_is_starting_is_told_from_those_at_work(served: Served, with_redis: WithRedis) -> None:
    now = time.time()
    ingester = Heartbeat(None, "ingest", gauges={STARTING: now - 12})  # type: ignore[arg-type]

    async def beat(redis: AnyRedis) -> None:
        ingester.redis = redis
        await ingester.beat(now)
        await redis.persist(keys.process(ingester.name))

    with_redis(beat)
    page, panel = text(served), text(served, "/")
    assert "<td>ingest, starting for 12 s</td>" in page
    assert "<code>refrain ingest</code> is starting:</strong> clicks are not read until it has" in page
    assert "No <code>refrain ingest</code> runs" not in page
    assert "Starting: refrain ingest." in panel
    assert "the ingester is starting" in panel
    [listed] = [each for each in served.get("/api/v1/processes").json() if each["kind"] == "ingest"]
    assert (listed["starting_since"], listed["says"]) == (ingester.gauges[STARTING], {})
    del ingester.gauges[STARTING]
    with_redis(beat)
    assert "<td>ingest</td>" in text(served)
    assert "clicks wait in Kafka" in text(served, "/")


def test_what_a_process_says_is_shown_as_it_is(served: Served, with_redis: WithRedis) -> None:
    hostile = "<script>alert(1)</script>"
    with_redis(lambda redis: Heartbeat(redis, "ingest", gauges={"says": hostile}).beat(time.time()))
    page = text(served)
    assert hostile not in page
    assert "&lt;script&gt;alert(1)" in page


def test_all_who_ask_the_doctor_meanwhile_share_one_examination(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on = list[Settings](), threading.Event()

    async def held_up(settings: Settings) -> list[Check]:
        began.append(settings)
        await asyncio.to_thread(goes_on.wait)
        return await examine(settings)

    monkeypatch.setattr(examination, "examine", held_up)
    paths = ["/api/v1/doctor", "/health/checks"] * 3
    with ThreadPoolExecutor(len(paths)) as pool:
        asking = [pool.submit(served.get, path) for path in paths]
        wait_for(lambda: began, "an examination")
        goes_on.set()
        assert {each.result().status_code for each in asking} == {200}
    assert len(began) == 1
