"""Streams of what goes on: for how long, and how many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from consumers.web import watch
from consumers.web.access import COOKIE
from stream.settings import Settings
from stream.stores.api_keys import ApiKeys, Role
from tests.apart import WithRedis
from tests.waiting import wait_for
from tests.web.served import Served, key_of, serving

STREAMS = ["/api/v1/live", "/now/live"]


def with_key(served: Served, role: Role = Role.LOOK) -> Served:
    return Served(served.address, served.settings, key_of(served.settings, role))


@dataclass
class Stream:
    """A stream that has told something."""

    answer: requests.Response
    lines: Iterator[bytes]  # one for all: the connection is closed with it

    @classmethod
    def of(cls, served: Served, path: str, **given: object) -> Stream:
        answer = served.get(path, stream=True, **given)
        assert answer.status_code == 200
        stream = cls(answer, answer.iter_lines())
        stream.tells_more()
        return stream

    def tells_more(self) -> None:
        assert b"event: now" in self.lines

    def ends(self) -> None:
        for _ in self.lines:
            pass


@pytest.mark.parametrize("path", STREAMS)
def test_a_stream_ends_when_its_key_is_revoked(path: str, served: Served, with_redis: WithRedis) -> None:
    looking = with_key(served)
    stream = Stream.of(looking, path)
    with_redis(lambda redis: ApiKeys(redis).revoke((looking.key or "").split("_")[1]))
    stream.ends()
    assert looking.get(path).status_code == 401


def test_a_stream_ends_when_the_browser_signs_out(served: Served) -> None:
    key = key_of(served.settings, Role.LOOK)
    with requests.Session() as browser:
        browser.post(f"{served.address}/sign-in", data={"key": key}, timeout=30)
        stream = Stream.of(served, "/now/live", cookies=browser.cookies)
        browser.post(f"{served.address}/sign-out", timeout=30)
    stream.ends()


def test_a_stream_under_another_name_ends_without_an_error_when_the_last_key_is_revoked(
    service: Settings, with_redis: WithRedis, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(service) as served:
        key = key_of(served.settings, Role.LOOK)
        with requests.Session() as browser:
            browser.post(f"{served.address}/sign-in", data={"key": key}, timeout=30)
            headers = {"Host": "refrain.example", "Cookie": f"{COOKIE}={browser.cookies[COOKIE]}"}
        stream = Stream.of(served, "/now/live", headers=headers)
        with_redis(lambda redis: ApiKeys(redis).revoke(key.split("_")[1]))
        stream.ends()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_stream_without_a_key_ends_when_keys_are_needed(served: Served) -> None:
    stream = Stream.of(served, "/api/v1/live")
    key_of(served.settings, Role.LOOK)
    stream.ends()


def test_other_keys_go_on_when_one_is_revoked(served: Served, with_redis: WithRedis) -> None:
    gone, stays = with_key(served), with_key(served)
    ends, goes_on = Stream.of(gone, "/api/v1/live"), Stream.of(stays, "/api/v1/live")
    with_redis(lambda redis: ApiKeys(redis).revoke((gone.key or "").split("_")[1]))
    ends.ends()
    for _ in range(3):
        goes_on.tells_more()
    goes_on.answer.close()


def test_a_key_may_follow_some_streams_and_no_more(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "MOST_STREAMS", 2)
    looking, other = with_key(served), with_key(served)
    streams = [Stream.of(looking, path) for path in STREAMS]
    refused = looking.get("/api/v1/live")
    assert refused.status_code == 429
    assert "close one first" in refused.json()["detail"]
    streams.append(Stream.of(other, "/api/v1/live"))
    streams.pop(0).answer.close()

    def let_in() -> bool:
        with looking.get("/now/live", stream=True) as answer:
            return answer.status_code == 200

    wait_for(let_in, "a place for a stream")
    for stream in streams:
        stream.answer.close()
