"""What the API answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
import requests

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.catalogue import Catalogue
from stream.wire.events import Song
from tests.cli.service import MEMBERS
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.own_redis import OwnRedis
from tests.waiting import wait_for
from tests.web.served import Served, serving

Run = Callable[[Callable[[AnyRedis], Awaitable[object]]], object]


def events(answer: requests.Response) -> Iterator[tuple[str, Any]]:
    """Name and data of server-sent events."""
    name = ""
    for line in answer.iter_lines(decode_unicode=True):
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def test_cohorts_are_listed_as_the_command_lists_them(served: Served) -> None:
    answer = served.get("/api/v1/cohorts").json()
    assert [(each["cohort_id"], each["size"]) for each in answer["cohorts"]] == [("c1", 3), ("c2", 2)]
    assert answer["in_no_cohort"] == 2


def test_before_a_model_the_answer_says_what_is_missing(settings: Settings) -> None:
    with serving(settings) as served:
        answer = served.get("/api/v1/cohorts")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "NoModel"
    assert "so far 0 have" in answer.json()["detail"]


def test_pages_of_members_hold_each_once(served: Served) -> None:
    after, seen = "", []
    while after is not None:
        page = served.get("/api/v1/cohorts/c1/listeners", params={"limit": 2, "after": after}).json()
        seen += [each["user_id"] for each in page["listeners"]]
        after = page["after"]
    assert seen == MEMBERS["c1"]


def test_a_listener_has_artists_and_a_reason(served: Served) -> None:
    answer = served.get("/api/v1/listeners/u1").json()
    assert answer["cohort"] == "c1"
    assert answer["artists"][0]["name"] == "Radiohead"
    assert answer["why"]["margin"] is not None


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/listeners/nobody", "UnknownListener"),
        ("/listeners/a%2Fslash", "UnknownListener"),
        ("/cohorts/c99", "UnknownCohort"),
        ("/releases/r99", "UnknownRelease"),
        ("/releases/r99/report", "UnknownRelease"),
        ("/models/99", "UnknownSnapshot"),
        ("/segments/rap", "UnknownSegment"),
    ],
)
def test_what_is_not_there_is_a_problem_with_a_kind(path: str, kind: str, served: Served) -> None:
    answer = served.get("/api/v1" + path)
    assert (answer.status_code, answer.json()["title"]) == (404, kind)


def test_a_name_that_several_artists_have_is_a_conflict(served: Served, with_redis: Run) -> None:
    song = Song(song_id="of b1", artist_ids=["b1"], artist_names=["Radiohead"])
    with_redis(lambda redis: Catalogue(redis).put([song]))
    answer = served.post("/api/v1/releases/preview", json={"artists": ["radiohead"]})
    assert (answer.status_code, answer.json()["title"]) == (409, "AmbiguousArtist")
    assert "a1 (Radiohead, " in answer.json()["detail"]


def test_a_listener_is_forgotten(served: Served) -> None:
    assert served.ask("DELETE", "/api/v1/listeners/u1").json()["user_id"] == "u1"
    assert served.get("/api/v1/listeners/u1").status_code == 404


def test_an_audience_is_previewed_by_the_artists_name(served: Served) -> None:
    answer = served.post("/api/v1/releases/preview", json={"artists": ["radiohead"]}).json()
    assert answer["artist_ids"] == ["a1"]
    assert {each["user_id"] for each in answer["first"]} >= {"u1", "u2", "u3"}


def test_a_preview_explains_a_listener(served: Served) -> None:
    answer = served.post(
        "/api/v1/releases/preview", params={"why": "u1"}, json={"artists": ["Radiohead"]}
    ).json()
    assert answer["why"]["user_id"] == "u1"


def test_a_misspelt_artist_is_answered_with_those_alike(served: Served) -> None:
    answer = served.post("/api/v1/releases/preview", json={"artists": ["Radiohaed"]})
    assert answer.status_code == 404
    assert "Did you mean 'Radiohead'?" in answer.json()["hint"]


def test_a_published_release_is_in_kafka(log: KafkaLog, served: Served) -> None:
    answer = served.post("/api/v1/releases", json={"release_id": "r1", "artists": ["Radiohead"]})
    assert answer.status_code == 202
    (event,) = log.events("releases")
    assert (event["release_id"], event["artist_ids"]) == ("r1", ["a1"])


def test_a_place_that_no_member_of_a_segment_can_have_is_refused(served: Served) -> None:
    answer = served.get("/api/v1/segments/rap", params={"start": 10**20})
    assert (answer.status_code, answer.json()["title"]) == (422, "WrongUse")
    assert "start" in answer.json()["detail"]


def test_a_field_that_there_is_not_is_named(served: Served) -> None:
    answer = served.post("/api/v1/releases/preview", json={"artist": ["Radiohead"]})
    assert answer.status_code == 422
    assert "artist: Extra inputs are not permitted" in answer.json()["detail"]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_ten_megabytes_is_refused(chunked: bool, served: Served) -> None:
    body = b'{"title": "' + b"x" * 10_000_000 + b'"}'
    given = iter([body[:100_000]]) if chunked else body
    try:
        answer = served.post(
            "/api/v1/releases/preview", data=given, headers={"Content-Type": "application/json"}
        )
    except requests.ConnectionError:
        return  # it stopped listening before all was sent
    assert answer.status_code == 413


def test_another_model_serves_when_asked_for(served: Served) -> None:
    answer = served.ask("PUT", "/api/v1/models/serving", json={"version": 4, "pin": True})
    assert answer.json() == {"serves": 4, "pinned": 4}
    assert served.get("/api/v1/models").json()["pinned"] == 4


def test_stages_of_all_listeners_are_added_up(served: Served) -> None:
    assert served.get("/api/v1/lifecycle").json()["listeners"] == 6


def test_the_doctor_is_asked(served: Served) -> None:
    assert "train" in {each["name"] for each in served.get("/api/v1/doctor").json()}


def test_what_goes_on_is_told_each_second(served: Served) -> None:
    with served.get("/api/v1/live", stream=True) as answer:
        told = events(answer)
        assert [next(told)[0], next(told)[0]] == ["now", "now"]


def test_a_model_that_comes_to_serve_is_told(served: Served) -> None:
    with served.get("/api/v1/live", stream=True) as answer:
        told = events(answer)
        next(told)
        with redis.Redis.from_url(served.settings.redis) as client:
            client.set(keys.MODEL_CURRENT, 5)
        assert next(data for name, data in told if name == "model") == {"version": 5}


def test_what_cannot_be_read_once_does_not_end_what_is_told(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with served.get("/api/v1/live", stream=True) as answer:
        told = events(answer)
        next(told)
        with redis.Redis.from_url(served.settings.redis) as client:
            client.set(keys.MODEL_CURRENT, "no number")
            wait_for(lambda: "ValueError" in caplog.text, "a look that failed, in the log")
            client.set(keys.MODEL_CURRENT, 5)
        assert next(data for name, data in told if name == "model") == {"version": 5}


def test_it_ends_while_somebody_follows(service: Settings) -> None:
    with serving(service) as served:
        answer = served.get("/api/v1/live", stream=True)
        next(events(answer))
    answer.close()


def test_without_redis_it_is_not_ready_and_says_so(settings: Settings, tmp_path: Path) -> None:
    own = OwnRedis(tmp_path / "redis")
    own.start()
    try:
        with serving(settings.model_copy(update={"redis": own.url})) as served:
            assert served.get("/readyz").status_code == 200
            own.kill()
            assert served.get("/readyz").status_code == 503
            asked = served.get("/api/v1/cohorts")
    finally:
        own.kill()
    assert (asked.status_code, asked.json()["hint"]) == (503, "`refrain doctor` looks why.")
