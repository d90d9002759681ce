"""`refrain redrive`: what can be used by now is put back, each once."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from collections.abc import Collection, Sequence
from typing import Any

import pytest
import redis
from kafka import KafkaProducer

from consumers.ingest.ingester import ingest
from consumers.traits.process import traits
from consumers.work.worker import work
from stream.settings import Settings
from stream.stores import keys
from stream.stores.merges import Merges
from stream.stores.redriven import Redriven
from stream.wire.dead_letter import DeadLetter, Reason
from stream.wire.record import Headers, Record
from stream.wire.sender import Message, open_sender
from tests.consumers.crowd import NOW, click
from tests.consumers.kafka_log import KafkaLog, kafka_log
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.waiting import wait_for


@pytest.fixture
def log(topics: Settings) -> Any:
    with kafka_log(topics) as opened:
        yield opened


@pytest.fixture
def db(settings: Settings) -> Any:
    with redis.Redis.from_url(settings.redis, decode_responses=True) as client:
        yield client


@pytest.fixture(autouse=True)
def begun(settings: Settings) -> None:
    """The database is older than all letters."""
    with redis.Redis.from_url(settings.redis) as client:
        client.set(keys.BEGUN, NOW - 30 * 86_400)


def bury(
    settings: Settings,
    topic: str,
    *events: Any,
    reason: Reason = Reason.UNKNOWN_SONG,
    at: float | None = None,
    first: int = 100,
) -> None:
    """Make dead letters, written `at` a time or now, of events of partition 0 from an offset on."""
    producer = KafkaProducer(bootstrap_servers=settings.kafka)
    for offset, event in enumerate(events, first):
        value = event if isinstance(event, bytes) else json.dumps(event).encode()
        letter = DeadLetter(Record(topic, 0, offset, b"a key", value), reason, "as it was then")
        producer.send(
            "dead-letters",
            key=b"a key",
            value=letter.value,
            headers=letter.headers,
            timestamp_ms=None if at is None else int(1000 * at),
        )
    producer.flush()
    producer.close()


def redrive(refrain: Refrain, *arguments: str) -> Any:
    return refrain.asked("redrive", *arguments)


def test_a_click_counts_once_however_often_it_is_a_letter_and_is_put_back(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    early, named = click("u", song_id="late"), click("u", "bo", at=NOW - 1)
    bury(settings, "clicks", early, named, click("u", song_id="never"), b"{")
    bury(settings, "clicks", early)  # once more: a letter comes at least once
    with Running(ingest, settings), Running(work, settings):
        log.send("songs", [{"song_id": "late", "artist_ids": ["ana"]}])
        wait_for(lambda: db.exists("song:{late}"), "the song")
        planned = redrive(refrain, "--dry-run")
        assert planned["put_back"] == {"unknown-song": 2}
        assert not db.exists("user:{u}")
        first = redrive(refrain)
        assert first["put_back"] == {"unknown-song": 2}
        assert first["left"] == {"unknown-song": 1, "not-json": 1}
        wait_for(lambda: db.hget("user:{u}", "clicks") == "2", "both to count")
        again = redrive(refrain)
        assert (again["put_back"], again["put_back_before"]["unknown-song"]) == ({}, 3)
        log.send("clicks", [click("u", "cleo", at=NOW - 2)])
        wait_for(lambda: db.zscore("user:{u}:artists", "cleo"), "a click after it")
    assert db.hget("user:{u}", "clicks") == "3"
    assert set(db.zrange("user:{u}:artists", 0, -1)) == {"ana", "bo", "cleo"}


def test_a_letter_that_is_older_than_the_database_is_left_unless_it_is_asked_for(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    event = click("u", "ana")
    log.send("clicks", [event], partition=0)
    bury(settings, "clicks", event, first=0)
    db.flushall()  # a rebuild: all that is in Kafka is read again
    with Running(ingest, settings):
        wait_for(lambda: db.hget("user:{u}", "clicks") == "1", "the click to count")
        found = redrive(refrain, "--since", "1d")
        assert (found["put_back"], found["left"]) == ({}, {"read-again": 1})
        bury(settings, "clicks", click("v", "ana"))
        assert redrive(refrain)["put_back"] == {"unknown-song": 1}
        wait_for(lambda: db.hget("user:{v}", "clicks") == "1", "the click of a later letter")
        assert db.hget("user:{u}", "clicks") == "1"
        assert redrive(refrain, "--older")["put_back"] == {"unknown-song": 1}
        wait_for(lambda: db.hget("user:{u}", "clicks") == "2", "the click that was asked for")


def test_a_letter_of_an_id_that_is_part_of_a_listener_counts_once_for_the_listener(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    bury(settings, "clicks", click("visitor", "ana"))
    with Running(ingest, settings):
        assert redrive(refrain)["put_back"] == {"unknown-song": 1}
        wait_for(lambda: db.hget("user:{visitor}", "clicks") == "1", "the click to count")
        log.send("merges", [{"user_id": "visitor", "into": "u", "ts": NOW}])
        log.wait_until_caught_up("merges", "merges")
        bury(settings, "clicks", click("visitor", "ana"), click("visitor", "bo"))
        assert redrive(refrain)["put_back"] == {"unknown-song": 1}
        wait_for(lambda: db.hget("user:{u}", "clicks") == "2", "both to count for the listener")
    assert not db.exists("user:{visitor}", "user:{visitor}:waiting")


def test_a_letter_whose_listener_becomes_part_of_another_at_that_moment_is_left_for_the_next_run(
    settings: Settings, log: KafkaLog, refrain: Refrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = Merges.roots

    async def merged_just_then(merges: Merges, user_ids: Collection[str]) -> dict[str, str]:
        found = await roots(merges, user_ids)
        await merges.fence("visitor", "u", "", NOW)
        return found

    bury(settings, "clicks", click("visitor", "ana"), click("v", "ana"))
    with monkeypatch.context() as patch:
        patch.setattr(Merges, "roots", merged_just_then)
        first = redrive(refrain)
    assert (first["put_back"], first["put_back_before"]) == ({"unknown-song": 1}, {})
    assert first["left"] == {"merged-meanwhile": 1}
    second = redrive(refrain)
    assert (second["put_back"], second["put_back_before"]) == ({"unknown-song": 1}, {"unknown-song": 1})


def test_what_is_about_a_listener_who_was_erased_since_is_left(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    with Running(ingest, settings):
        log.send("clicks", [click("u", "ana")])
        wait_for(lambda: db.hget("user:{u}", "clicks") == "1", "the click to count")
        bury(settings, "clicks", click("u", "bo"), click("v", "bo"))
        bury(settings, "labels", {"user_id": "u", "segment": "s", "value": 1, "ts": NOW})
        bury(settings, "feedback", {"release_id": "r", "user_id": "u", "kind": "sent", "ts": NOW})
        bury(settings, "merges", {"user_id": "u", "into": "v", "ts": NOW})
        bury(settings, "merges", {"user_id": "v", "into": "u", "ts": NOW})
        assert refrain.run("forget", "u").returncode == 0
        planned = redrive(refrain, "--dry-run")
        done = redrive(refrain)
        assert planned["left"] == done["left"] == {"erased": 5}
        assert planned["put_back"] == done["put_back"] == {"unknown-song": 1}
        wait_for(lambda: db.hget("user:{v}", "clicks") == "1", "the click of the other")
        assert not db.keys("user:{u}*")
        assert (log.count("labels"), log.count("feedback"), log.count("merges")) == (0, 0, 0)
        bury(settings, "clicks", click("u", "held up on its way") | {"song_id": "another"})
        assert redrive(refrain)["left"] == {"erased": 6}
        bury(settings, "clicks", click("u", "cleo") | {"ts": time.time()})
        assert redrive(refrain)["put_back"] == {"unknown-song": 1}
        wait_for(lambda: db.hget("user:{u}", "clicks") == "1", "a click of who has come back")
    assert db.zrange("user:{u}:artists", 0, -1) == ["cleo"]


def test_a_label_of_a_segment_that_was_forgotten_since_is_left(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    label = {"user_id": "u", "segment": "s", "value": 1, "ts": NOW}
    with Running(traits, settings):
        log.send("labels", [label])
        wait_for(lambda: db.exists("segment:{s}:labels"), "the label")
    bury(settings, "labels", label | {"user_id": "v"}, label | {"user_id": "v", "segment": "t"})
    assert refrain.run("segment", "forget", "s", "--yes").returncode == 0
    planned, done = redrive(refrain, "--dry-run"), redrive(refrain)
    assert planned["left"] == done["left"] == {"erased": 1}
    assert planned["put_back"] == done["put_back"] == {"unknown-song": 1}
    assert sorted(event["segment"] for event in log.events("labels")) == ["s", "t"]
    bury(settings, "labels", label | {"user_id": "w"})
    assert redrive(refrain)["put_back"] == {"unknown-song": 1}


def test_an_id_that_was_part_of_a_listener_who_was_erased_is_not_brought_back(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    with Running(ingest, settings):
        log.send("clicks", [click("visitor", "ana")])
        log.wait_until_caught_up("ingest", "clicks")
        log.send("merges", [{"user_id": "visitor", "into": "u", "ts": NOW}])
        log.wait_until_caught_up("merges", "merges")
        bury(settings, "clicks", click("visitor", "bo"))
        assert refrain.run("forget", "u").returncode == 0
        assert redrive(refrain)["left"] == {"erased": 1}
    assert not db.keys("user:*")


def test_an_opt_out_is_put_back_also_of_who_was_erased_as_those_that_were_read_are_kept(
    settings: Settings, log: KafkaLog, refrain: Refrain
) -> None:
    event = {"release_id": "r", "user_id": "u", "kind": "opted_out", "ts": 5.0}
    bury(settings, "feedback", event, reason=Reason.BAD_VALUE)
    refrain.run("forget", "u")
    assert redrive(refrain)["put_back"] == {"bad-value": 1}
    assert log.events("feedback") == [event]


def test_only_letters_with_the_reason_and_since_the_time_are_put_back(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    bury(settings, "clicks", click("u", "ana"), reason=Reason.BAD_TIME)
    bury(settings, "clicks", click("w", "ana"), reason=Reason.FUTURE)
    found = redrive(refrain, "--dry-run", "--reason", "bad-time")
    assert (found["letters"], found["put_back"]) == (1, {"bad-time": 1})
    assert redrive(refrain, "--dry-run", "--since", "1h")["letters"] == 2
    assert redrive(refrain, "--dry-run", "--until", "1h")["letters"] == 0
    bury(settings, "clicks", click("v", "ana"), at=time.time() - 7_200)
    assert redrive(refrain, "--dry-run", "--since", "1h")["letters"] == 2
    assert redrive(refrain, "--dry-run", "--until", "1h")["letters"] == 1
    assert redrive(refrain, "--dry-run", "--since", str(time.time() + 60))["letters"] == 0


def test_songs_and_feedback_go_to_their_topics_again_once(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    bury(settings, "songs", {"song_id": "s", "artist_ids": ["ana"]}, reason=Reason.BAD_ID)
    event = {"release_id": "r", "user_id": "u", "kind": "opted_out", "ts": 5.0}
    bury(settings, "feedback", event, reason=Reason.BAD_VALUE)
    assert redrive(refrain)["put_back"] == {"bad-id": 1, "bad-value": 1}
    assert redrive(refrain)["put_back"] == {}
    assert (log.count("songs"), log.count("feedback")) == (1, 1)


def test_a_release_that_is_no_news_any_more_is_left(
    settings: Settings, log: KafkaLog, refrain: Refrain
) -> None:
    old, new = ({"release_id": name, "artist_ids": ["ana"]} for name in ("old", "new"))
    bury(settings, "releases", old, reason=Reason.BAD_VALUE, at=time.time() - 2 * 86_400)
    bury(settings, "releases", new, reason=Reason.BAD_VALUE, at=time.time() - 3_600)
    found = redrive(refrain)
    assert (found["put_back"], found["left"]) == ({"bad-value": 1}, {"too-old": 1})
    assert log.events("releases") == [new]
    done = refrain.run("redrive", "--json", release_age_hours=0)
    assert json.loads(done.stdout)["put_back"] == {"bad-value": 1}
    assert log.events("releases") == [new, old]


def test_a_release_that_was_put_back_before_a_rebuild_is_left_after_it_unless_it_is_asked_for(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    release = {"release_id": "r", "artist_ids": ["ana"]}
    bury(settings, "releases", release, reason=Reason.BAD_VALUE, at=time.time() - 3_600)
    assert redrive(refrain)["put_back"] == {"bad-value": 1}
    db.flushall()
    db.set(keys.BEGUN, time.time())
    found = redrive(refrain)
    assert (found["put_back"], found["left"]) == ({}, {"read-again": 1})
    assert log.events("releases") == [release], "listeners are told once"
    assert redrive(refrain, "--older", "--reason", "bad-value")["put_back"] == {"bad-value": 1}
    assert log.events("releases") == [release] * 2


def test_an_alias_that_another_word_has_followed_is_left(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    with Running(ingest, settings):
        log.send("artist-aliases", [{"alias": "x", "artist_id": "a"}])
        log.send("artist-aliases", [{"alias": "a", "artist_id": "y"}])
        log.wait_until_caught_up("aliases", "artist-aliases")
        bury(settings, "artist-aliases", {"alias": "a", "artist_id": "x"}, reason=Reason.BAD_VALUE)
        bury(settings, "artist-aliases", {"alias": "b", "artist_id": "x"}, reason=Reason.BAD_VALUE)
        found = redrive(refrain)
        assert (found["put_back"], found["left"]) == ({"bad-value": 1}, {"superseded": 1})
        log.wait_until_caught_up("aliases", "artist-aliases")
        assert db.hget("aliases:artists", "b") == "x"
        again = redrive(refrain)
        assert (again["put_back_before"], again["left"]) == ({"bad-value": 1}, {"superseded": 1})
    assert db.hget("aliases:artists", "a") == "y"


def test_an_undoing_that_another_merge_has_followed_is_left(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    undo = {"user_id": "visitor", "undo": True}
    with Running(ingest, settings):
        log.send("merges", [{"user_id": "visitor", "into": "u", "ts": NOW - 50}])
        log.wait_until_caught_up("merges", "merges")
        bury(settings, "merges", undo | {"ts": NOW - 60}, reason=Reason.BAD_VALUE)
        found = redrive(refrain)
        assert (found["put_back"], found["left"]) == ({}, {"superseded": 1})
        assert log.count("merges") == 1
        bury(settings, "merges", undo | {"ts": NOW - 40}, reason=Reason.BAD_VALUE)
        assert redrive(refrain)["put_back"] == {"bad-value": 1}
        wait_for(lambda: not db.exists("user:{visitor}:into"), "the merge to be undone")


def test_events_of_one_key_go_to_their_topic_again_in_their_order(
    settings: Settings, log: KafkaLog, refrain: Refrain
) -> None:
    songs = [{"song_id": "s", "artist_ids": ["ana"], "title": f"{number}"} for number in range(30)]
    bury(settings, "songs", *songs, reason=Reason.BAD_ID)
    assert redrive(refrain)["put_back"] == {"bad-id": 30}
    assert log.events("songs") == songs


def test_an_event_that_is_refused_again_is_put_back_no_more(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    with Running(ingest, settings):
        log.send("merges", [{"user_id": "visitor", "into": into, "ts": NOW} for into in ("u", "v")])
        wait_for(lambda: log.count("dead-letters") == 1, "the second merge to be refused")
        assert redrive(refrain)["put_back"] == {"bad-value": 1}
        wait_for(lambda: log.count("dead-letters") == 2, "it to be refused again")
        for _ in range(2):
            again = redrive(refrain)
            assert (again["put_back"], again["put_back_before"]) == ({}, {"bad-value": 2})
    assert log.count("merges") == 3


def test_an_event_that_is_put_back_has_the_headers_of_its_producer_alone(
    settings: Settings, log: KafkaLog, refrain: Refrain
) -> None:
    song = json.dumps({"song_id": "s", "artist_ids": ["ana"]}).encode()
    headers = [("trace", b"\xff\x01"), ("topic", b"theirs"), ("trace", b"2")]
    letter = DeadLetter(Record("songs", 0, 100, b"s", song, headers), Reason.BAD_ID, "as it was then")
    producer = KafkaProducer(bootstrap_servers=settings.kafka)
    producer.send("dead-letters", key=b"s", value=letter.value, headers=letter.headers)
    producer.close()
    assert redrive(refrain)["put_back"] == {"bad-id": 1}
    (put_back,) = log.records("songs")
    assert list(put_back.headers) == [("trace", b"\xff\x01"), ("trace", b"2")]


def test_what_somebody_else_has_written_among_dead_letters_is_left(
    settings: Settings, log: KafkaLog, refrain: Refrain
) -> None:
    headers = [("reason", b"theirs"), ("topic", b"songs"), ("partition", None), ("offset", b"1")]

    async def send() -> None:
        async with open_sender(settings) as sender:
            theirs: list[Headers] = [headers, [("reason", None)], []]
            await sender.deliver(Message("dead-letters", b"s", b"{}", each) for each in theirs)

    asyncio.run(send())
    found = redrive(refrain)
    assert (found["put_back"], found["left"]) == ({}, {"no-headers": 3})


def test_what_is_left_is_said_by_reason_and_an_unknown_reason_is_wrong_use(
    settings: Settings, log: KafkaLog, refrain: Refrain
) -> None:
    bury(settings, "clicks", b"{", reason=Reason.NOT_JSON)
    assert refrain.run("redrive").stdout.splitlines() == ["1 dead letters: 1 left", "left: 1 not-json"]
    done = refrain.run("redrive", "--reason", "unkown-song")
    assert done.returncode == 2
    assert "unknown-song" in done.stderr


def test_a_page_that_an_endpoint_has_refused_is_left_as_others_have_read_it(
    settings: Settings, log: KafkaLog, refrain: Refrain
) -> None:
    bury(settings, "audiences", {"release_id": "r1", "page": 0}, reason=Reason.UNDELIVERED)
    found = redrive(refrain)
    assert (found["put_back"], found["left"]) == ({}, {"undelivered": 1})
    assert log.count("audiences") == 0


def test_of_two_runs_at_once_the_second_says_who_is_at_work_and_an_event_goes_once(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    among, others = Redriven.among, list[subprocess.CompletedProcess[str]]()

    async def meanwhile(redriven: Redriven, names: Sequence[str]) -> set[str]:
        found = await among(redriven, names)  # nothing yet: and now another run asks the same
        if names:
            others.append(await asyncio.to_thread(refrain.run_program, "redrive"))
        return found

    bury(settings, "songs", {"song_id": "s", "artist_ids": ["ana"]}, reason=Reason.BAD_ID)
    with monkeypatch.context() as patch:
        patch.setattr(Redriven, "among", meanwhile)
        assert redrive(refrain)["put_back"] == {"bad-id": 1}
    assert log.count("songs") == 1
    (second,) = others
    assert second.returncode == 1
    assert "another `refrain redrive` is at work (redrive-" in " ".join(second.stderr.split())
    assert not db.exists(keys.REDRIVE_LEASE)


def test_while_another_run_is_at_work_only_a_dry_run_is_done(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    bury(settings, "clicks", click("u", "ana"))
    db.set(keys.REDRIVE_LEASE, "redrive-of-another")
    assert refrain.run("redrive").returncode == 1
    assert redrive(refrain, "--dry-run")["put_back"] == {"unknown-song": 1}
    db.delete(keys.REDRIVE_LEASE)
    assert redrive(refrain)["put_back"] == {"unknown-song": 1}


def test_a_run_that_was_held_up_until_another_began_puts_nothing_more_back(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain, monkeypatch: pytest.MonkeyPatch
) -> None:
    among = Redriven.among

    async def held_up(redriven: Redriven, names: Sequence[str]) -> set[str]:
        if names:
            db.set(keys.REDRIVE_LEASE, "redrive-of-another")
        return await among(redriven, names)

    songs = [{"song_id": f"s{number}", "artist_ids": ["ana"]} for number in range(3)]
    bury(settings, "songs", *songs, reason=Reason.BAD_ID)
    monkeypatch.setattr("consumers.redrive.redrive.CHUNK", 1)
    with monkeypatch.context() as patch:
        patch.setattr(Redriven, "among", held_up)
        done = refrain.run("redrive")
    assert done.returncode == 1
    assert "another `refrain redrive` has begun" in " ".join(done.stderr.split())
    assert log.events("songs") == songs[:1]
    assert db.get(keys.REDRIVE_LEASE) == "redrive-of-another"
