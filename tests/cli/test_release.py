from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.artist_aliases import ArtistAliases
from stream.stores.catalogue import Catalogue
from stream.stores.told import Caps, Told
from stream.wire.events import Page, Release, Song, Summary, encode
from tests.apart import WithRedis
from tests.refrain_command import NO_BROKER, Refrain


class Worker(threading.Thread):
    """Answers every release with one page and a summary; of the same id only once."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._producer = KafkaProducer(bootstrap_servers=settings.kafka)
        self._consumer = KafkaConsumer(bootstrap_servers=settings.kafka)
        self._consumer.assign([TopicPartition("releases", n) for n in range(settings.partitions)])
        self._consumer.seek_to_beginning()
        self._ending = threading.Event()
        self.heard: list[Release] = []

    def run(self) -> None:
        while not self._ending.is_set():
            for messages in self._consumer.poll(timeout_ms=50).values():
                for message in messages:
                    self._answer(Release.model_validate_json(message.value))
        self._consumer.close()
        self._producer.close()

    def _answer(self, release: Release) -> None:
        if release.release_id not in [before.release_id for before in self.heard]:
            for part in (
                _page("another", "x"),
                _page(release.release_id, "u1"),
                _summary(release.release_id),
            ):
                self._producer.send("audiences", key=part.release_id.encode(), value=encode(part))
            self._producer.flush()
        self.heard.append(release)

    def end(self) -> None:
        self._ending.set()
        self.join()


def _page(release_id: str, user: str) -> Page:
    return Page(
        release_id=release_id,
        page=0,
        user_ids=[user],
        cohort_ids=["c1"],
        scores=[0.5],
        model_version=4,
        emitted_at=1.0,
    )


def _summary(release_id: str) -> Summary:
    return Summary(release_id=release_id, pages=1, users=1, cohorts=1, reason="done")


@pytest.fixture
def worker(service: Settings, topics: Settings) -> Iterator[Worker]:
    worker = Worker(topics)
    worker.start()
    yield worker
    worker.end()


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_audience_is_printed_as_it_comes(worker: Worker, refrain: Refrain) -> None:
    options = (
        "--title",
        "Creep",
        "--song",
        "s-a1",
        "--max-audience",
        "7",
        "--min-ctr",
        "0.1",
        "--genre",
        "rock",
    )
    done = refrain.run(
        "release", "r1", "--artist", "radiohead", "--similar-to", "SIGUR RÓS", *options, "--wait", "--json"
    )
    assert done.returncode == 0, done.stderr
    published, page, summary = lines(done.stdout)
    assert published["published"] | {"ts": 0} == {
        **{
            "release_id": "r1",
            "artist_ids": ["a1"],
            "similar_to": ["a2"],
            "featuring": [],
            "genres": ["rock"],
        },
        **{"title": "Creep", "song_id": "s-a1", "max_audience": 7, "min_ctr": 0.1, "ts": 0},
    }
    assert (page["user_ids"], summary["users"]) == (["u1"], 1)
    assert summary["after_ms"] >= page["after_ms"] > 0
    assert worker.heard[0].artist_ids == ["a1"]


def test_for_people_it_is_said_in_words(worker: Worker, refrain: Refrain) -> None:
    shown = refrain.run("release", "r1", "--artist", "a1", "--wait").stdout
    assert "published r1" in shown
    assert "1 listener of 1 cohort" in shown
    assert "1 listener in 1 page, of 1 cohort" in shown


def test_what_the_audience_goes_by_is_said(worker: Worker, refrain: Refrain, with_redis: WithRedis) -> None:
    planned = {"state": "planned", "relied_on": "similar_to, artists"}
    with_redis(lambda redis: redis.hset("release:{r1}", mapping=planned))
    asked = ("release", "r1", "--artist", "a1", "--wait")
    assert "going by similar to, artists" in refrain.run(*asked).stdout
    summary = lines(refrain.run(*asked, "--json").stdout)[-1]
    assert (summary["done"], summary["relied_on"]) == (True, "similar_to, artists")


def test_that_a_release_reached_nobody_once_is_not_its_answer_later(
    worker: Worker, refrain: Refrain, topics: Settings, with_redis: WithRedis
) -> None:
    nobody = Summary(release_id="r1", pages=0, users=0, cohorts=0, reason="no model yet")
    producer = KafkaProducer(bootstrap_servers=topics.kafka)
    producer.send("audiences", key=b"r1", value=encode(nobody))
    producer.close()
    asked = ("release", "r1", "--artist", "a1", "--wait", "--json")
    assert lines(refrain.run(*asked).stdout)[-1]["users"] == 1
    done = {"state": "done", "audience": "1"}
    with_redis(lambda redis: redis.hset("release:{r1}", mapping=done))
    assert [part.get("users") for part in lines(refrain.run(*asked).stdout)] == [None, None, 1]


def test_one_that_reached_nobody_is_said_to_be_tried_again(
    worker: Worker, refrain: Refrain, with_redis: WithRedis
) -> None:
    before = {"state": "done", "audience": "0", "reason": "no model yet"}
    with_redis(lambda redis: redis.hset("release:{r1}", mapping=before))
    shown = refrain.run("release", "r1", "--artist", "a1", "--wait").stdout
    assert "it reached nobody before (no model yet): tried again" in shown
    assert "nobody is told twice" not in shown


def test_what_kafka_does_not_have_is_not_said_to_be_published(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run_program("release", "r1", "--artist", "a1", kafka=NO_BROKER, connect_timeout=0.2)
    assert (failed.returncode, failed.stdout) == (1, "")
    assert f"no Kafka broker answers at {NO_BROKER}" in failed.stderr


def test_how_long_to_wait_without_waiting_is_wrong_use(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("release", "r1", "--artist", "a1", "--timeout", "5")
    assert failed.returncode == 2
    assert "--timeout says how long --wait waits" in failed.stderr


def test_where_no_worker_answers_it_says_so_and_the_release_is_published(
    service: Settings, topics: Settings, refrain: Refrain
) -> None:
    failed = refrain.run("release", "r1", "--artist", "a1", "--wait", "--timeout", "0.5")
    assert failed.returncode == 1
    assert "has not come within 0.5 s" in failed.stderr
    assert "the release is published" in failed.stderr
    late = Worker(topics)
    late.start()
    again = refrain.run("release", "r2", "--artist", "a1", "--wait")
    late.end()
    assert again.returncode == 0
    assert [release.release_id for release in late.heard] == ["r1", "r2"]


@pytest.mark.parametrize("command", [("release", "r1"), ("audience",)], ids=" ".join)
def test_an_unknown_artist_is_told_the_nearest_names(
    service: Settings, topics: Settings, refrain: Refrain, command: tuple[str, ...]
) -> None:
    failed = refrain.run(*command, "--artist", "Radiohaed")
    assert failed.returncode == 1
    assert "nobody has heard of 'Radiohaed'\nDid you mean 'Radiohead'" in failed.stderr
    assert "say whom they sound like, who is featured, the label or a genre" in failed.stderr
    consumer = KafkaConsumer(bootstrap_servers=topics.kafka)
    ends = consumer.end_offsets([TopicPartition("releases", n) for n in range(topics.partitions)])
    consumer.close()
    assert set(ends.values()) == {0}


@pytest.mark.parametrize("command", [("release", "r1"), ("audience",)], ids=" ".join)
def test_a_name_that_several_artists_have_is_refused_and_their_ids_are_said(
    service: Settings, topics: Settings, refrain: Refrain, with_redis: WithRedis, command: tuple[str, ...]
) -> None:
    async def another(redis: AnyRedis) -> None:
        await Catalogue(redis).put([Song(song_id="s", artist_ids=["b1"], artist_names=["radiohead"])])
        await Catalogue(redis).count({"a1": 1234, "b1": 1})

    with_redis(another)
    failed = refrain.run(*command, "--artist", "Radiohead")
    assert failed.returncode == 1
    said = "2 artists are called 'Radiohead': a1 (Radiohead, 1,234 listeners), b1 (radiohead, 1 listener)"
    assert said in failed.stderr
    consumer = KafkaConsumer(bootstrap_servers=topics.kafka)
    ends = consumer.end_offsets([TopicPartition("releases", n) for n in range(topics.partitions)])
    consumer.close()
    assert set(ends.values()) == {0}


def test_ids_that_clicks_name_and_differ_in_case_alone_are_refused_like_one_name_of_several_artists(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: Catalogue(redis).note(["Nirvana", "NIRVANA"]))
    with_redis(lambda redis: Catalogue(redis).count({"Nirvana": 7}))
    failed = refrain.run("release", "r1", "--artist", "nirvana")
    assert failed.returncode == 1
    said = "2 artists are called 'nirvana': Nirvana (Nirvana, 7 listeners), NIRVANA (NIRVANA, 0 listeners)"
    assert said in failed.stderr


def test_a_name_is_refused_no_more_once_its_artists_are_joined(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    songs = [Song(song_id=f"of {a}", artist_ids=[a], artist_names=["Radiohead"]) for a in ("b1", "b2")]
    with_redis(lambda redis: Catalogue(redis).put(songs))
    with_redis(lambda redis: ArtistAliases(redis).put({"b1": "a1", "b2": "b1"}))
    found = refrain.run("audience", "--artist", "Radiohead", "--json")
    assert json.loads(found.stdout)["artist_ids"] == ["a1"], found.stderr


@pytest.mark.parametrize("typed", ["sigur ros", "SIGUR RÓS", "Sigur Ro\N{COMBINING ACUTE ACCENT}s", "A2"])
def test_an_artist_is_found_however_the_name_is_spelt(
    service: Settings, refrain: Refrain, typed: str
) -> None:
    found = refrain.run("audience", "--artist", typed, "--json")
    assert json.loads(found.stdout)["artist_ids"] == ["a2"], found.stderr


def test_a_newcomer_is_taken_where_something_else_is_said(service: Settings, refrain: Refrain) -> None:
    done = refrain.run("audience", "--artist", "Newcomer", "--similar-to", "a2", "--json")
    assert "Newcomer is new here" in done.stderr
    assert json.loads(done.stdout)["relied_on"] == "similar_to"


def test_a_preview_says_whom_it_would_reach_and_emits_nothing(
    service: Settings, topics: Settings, refrain: Refrain
) -> None:
    done = refrain.run("audience", "--artist", "Radiohead", "--max-audience", "4", "--first", "2", "--json")
    found = json.loads(done.stdout)
    assert (found["listeners"], found["relied_on"], found["model_version"]) == (4, "artists", 4)
    assert found["cohorts"][0]["cohort_id"] == "c1"
    assert found["cohorts"][0]["told"] == 3
    assert {entry["user_id"] for entry in found["first"]} <= {"u1", "u2", "u3"}
    assert len(found["first"]) == 2
    assert 0 < found["play_rate"] <= 1
    shown = refrain.run("audience", "--artist", "Radiohead").stdout
    assert "Radiohead" in shown
    assert "play rate" in shown
    consumer = KafkaConsumer(bootstrap_servers=topics.kafka)
    ends = consumer.end_offsets(
        [TopicPartition(topic, n) for topic in ("releases", "audiences") for n in range(topics.partitions)]
    )
    consumer.close()
    assert set(ends.values()) == {0}


def test_nobody_to_tell_is_a_normal_answer(service: Settings, refrain: Refrain) -> None:
    done = refrain.run("audience", "--artist", "Radiohead", "--min-ctr", "1")
    assert done.returncode == 0
    assert "nobody to tell" in done.stdout


def why(refrain: Refrain, user: str, *options: str) -> tuple[dict[str, Any], str]:
    """Why a listener is told of Radiohead or is not, for programs and in words."""
    asked = ("audience", "--artist", "Radiohead", "--why", user, *options)
    done, shown = refrain.run(*asked, "--json"), refrain.run(*asked)
    assert (done.returncode, shown.returncode) == (0, 0), done.stderr
    return json.loads(done.stdout)["why"], " ".join(shown.stdout.split())


def test_a_listener_who_is_told_shows_score_place_cohort_and_what_it_went_by(
    service: Settings, refrain: Refrain
) -> None:
    found, shown = why(refrain, "u1")
    assert (found["told"], found["reason"], found["cohort"], found["cohort_rank"]) == (True, "told", "c1", 1)
    assert (found["looked_at"], found["listeners"], found["relied_on"]) == (5, 3, "artists")
    assert 1 <= found["place"] <= 3
    assert sum(p["pull"] for p in found["pulls"]) == pytest.approx(found["closeness"], abs=1e-5)
    assert found["score"] == pytest.approx(found["closeness"] * found["activity"], abs=1e-5)
    assert found["score"] >= found["audience_ends_at"]
    assert found["plays_already"] == [{"artist_id": "a1", "name": "Radiohead"}]
    assert "u1 is told" in shown
    assert "because of Radiohead (100 %)" in shown
    assert "number 1 of 2 by play rate" in shown
    assert "plays already Radiohead" in shown


def test_a_listener_is_as_the_audience_itself_has_them(service: Settings, refrain: Refrain) -> None:
    told = json.loads(refrain.run("audience", "--artist", "Radiohead", "--json").stdout)["first"]
    for place, entry in enumerate(told, start=1):
        found, _ = why(refrain, entry["user_id"])
        assert (found["place"], found["score"]) == (place, entry["score"])


def test_below_the_cut_it_says_where_the_audience_ends(service: Settings, refrain: Refrain) -> None:
    # Listeners of one taste stand in the order in which Redis names them, which is another on every server.
    told = json.loads(refrain.run("audience", "--artist", "Radiohead", "--json").stdout)["first"]
    last = told[-1]["user_id"]
    found, shown = why(refrain, last, "--max-audience", "1")
    assert (found["told"], found["reason"], found["listeners"]) == (False, "score", 1)
    assert found["place"] > 1
    assert f"{last} is not told: the release suits others better" in shown
    assert "the audience ends at" in shown


@pytest.mark.parametrize(
    ("user", "options", "reason", "words"),
    [
        ("v1", ("--min-ctr", "0.2"), "min_ctr", "is below --min-ctr"),
        ("w1", (), "no cohort", "in no cohort yet"),
        ("robot", (), "bot", "click like a bot"),
    ],
)
def test_who_is_not_looked_at_is_told_why(
    service: Settings, refrain: Refrain, user: str, options: tuple[str, ...], reason: str, words: str
) -> None:
    found, shown = why(refrain, user, *options)
    assert (found["told"], found["reason"], found["place"]) == (False, reason, None)
    assert words in shown


def test_who_opted_out_of_the_artist_is_told_so(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: redis.sadd(keys.artist_opted_out("a1"), "u1"))
    found, shown = why(refrain, "u1")
    assert (found["told"], found["reason"]) == (False, "opted out of the artist")
    assert "they have opted out of hearing of releases by this artist" in shown


def test_whom_their_caps_leave_no_place_is_told_so(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    async def tell(redis: AnyRedis) -> None:
        await Told(redis, Caps(a_day=9)).reserve("r0", ["a1"], ["u1"], [False], time.time())

    with_redis(tell)
    asked = ("audience", "--artist", "Radiohead", "--why", "u1")
    done = refrain.run(*asked, "--json", told_artist_hours=24)
    found = json.loads(done.stdout)["why"]
    assert (found["told"], found["reason"], found["told_lately"]) == (False, "told of this artist lately", 1)
    assert "they were told of this artist lately" in refrain.run(*asked, told_artist_hours=24).stdout
    assert why(refrain, "u1")[0]["told"], "without that cap"


def test_who_is_below_the_average_is_told_so(service: Settings, refrain: Refrain) -> None:
    found, shown = why(refrain, "v1")
    assert (found["told"], found["reason"]) == (False, "average")
    assert "below the average" in shown


def test_who_opted_out_is_told_so(service: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    with_redis(lambda redis: redis.sadd(keys.OPTED_OUT, "u1"))
    found, shown = why(refrain, "u1")
    assert (found["told"], found["reason"], found["listeners"]) == (False, "opted out", 2)
    assert "opted out" in shown


def test_of_what_nothing_is_known_nobody_is_told_and_it_says_so(service: Settings, refrain: Refrain) -> None:
    asked = ("audience", "--artist", "Newcomer", "--genre", "unheard", "--why", "u1")
    found = json.loads(refrain.run(*asked, "--json").stdout)["why"]
    assert (found["told"], found["reason"], found["score"]) == (False, "nobody knows these artists yet", None)
    assert "nobody knows these artists yet" in refrain.run(*asked).stdout


def test_an_unknown_listener_is_told(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("audience", "--artist", "Radiohead", "--why", "nobody")
    assert failed.returncode == 1
    assert "no listener 'nobody'" in failed.stderr
