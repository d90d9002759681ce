"""From bytes in Kafka to keys in Redis."""

from __future__ import annotations

import asyncio
import json

import pytest
import redis
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from consumers.ingest.ingester import ingest
from models.affinity import ForwardDecay
from stream.settings import Settings
from tests.consumers.crowd import NOW, click, clicks, crowd_model, publish, put_songs
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.redis_state import assert_agrees, read_state
from tests.consumers.running import Running
from tests.waiting import wait_for

DECAY = ForwardDecay(Settings().half_life)


def test_a_lone_click_becomes_a_listener(settings: Settings, log: KafkaLog, db: redis.Redis) -> None:
    with Running(ingest, settings):
        ((partition, offset),) = log.send("clicks", [click("Zoë", "ana", "bo", action="like", at=NOW - 5)])
        wait_for(lambda: db.exists("user:{Zoë}"), "the listener")
        log.wait_until_caught_up("ingest", "clicks")
    found = db.hgetall("user:{Zoë}")
    expected = {"clicks": "1", "cohort": "", "bot": "0", f"o:{partition}": str(offset)}
    assert expected.items() <= found.items()
    assert {
        name: float(found[name]) for name in ("first_seen", "last_seen", "cohort_since")
    } == dict.fromkeys(("first_seen", "last_seen", "cohort_since"), NOW - 5)
    stored = DECAY.stored(3.0, NOW - 5)
    assert dict(db.zrange("user:{Zoë}:artists", 0, -1, withscores=True)) == {
        "ana": pytest.approx(stored),
        "bo": pytest.approx(stored),
    }
    assert db.smembers("cohort:{}:users") == {"Zoë"}
    assert db.zrange("cohorts", 0, -1) == []


def test_a_listeners_record_has_the_clock_that_their_clicks_say(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    def clock() -> str | None:
        found: str | None = db.hget("user:{u}", "utc_offset_min")
        return found

    with Running(ingest, settings):
        for at, said, known in ((9, {}, None), (8, {"utc_offset_min": 330}, "330"), (7, {}, "330")):
            log.send("clicks", [click("u", "ana", at=NOW - at) | said])
            log.wait_until_caught_up("ingest", "clicks")
            assert clock() == known
        log.send("clicks", [click("u", "ana", at=NOW - 6) | {"utc_offset_min": -60}])
        log.wait_until_caught_up("ingest", "clicks")
    assert clock() == "-60"


def test_the_catalogue_gives_a_click_its_artists(settings: Settings, log: KafkaLog, db: redis.Redis) -> None:
    put_songs(settings)
    with Running(ingest, settings):
        log.send("clicks", [click("u", song_id="song 3")])
        log.wait_until_caught_up("ingest", "clicks")
    assert set(db.zrange("user:{u}:artists", 0, -1)) == {"artist 3", "artist 23"}


def test_what_cannot_be_used_goes_to_the_dead_letters_as_it_came(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    bad = {
        b"\xff{": "not-json",
        b'{"user_id": "u"}': "missing-field",
        json.dumps(click("{u}", "ana")).encode(): "bad-id",
        json.dumps(click("u", "ana", at=-1)).encode(): "bad-time",
        json.dumps(click("u", "ana", at=NOW + 3600)).encode(): "too-far-in-the-future",
        json.dumps(click("u", "ana", action="dance")).encode(): "bad-value",
        b"x" * 900_000: "too-large",
    }
    places = log.send("clicks", bad, partition=2)
    log.send("clicks", [click("u", "ana")], partition=2)
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
        expected = {"clicks": 1, **{f"dead:{reason}": 1 for reason in bad.values()}}

        def counts() -> dict[str, int]:
            said = _counted(db).items()
            return {name: int(n) for name, n in said if name.startswith(("dead:", "clicks"))}

        # They are said as they come: a record as large as one of these is fetched after the others.
        wait_for(lambda: sum(counts().values()) >= len(bad) + 1, "the counts of all records")
        assert counts() == expected
    assert db.hget("user:{u}", "clicks") == "1"
    letters = {record.value: record for record in log.records("dead-letters")}
    assert letters.keys() == bad.keys()
    for (partition, offset), (value, reason) in zip(places, bad.items(), strict=True):
        headers = dict(letters[value].headers)
        assert letters[value].key == b"a key"
        assert headers.pop("detail")
        assert headers == {
            "reason": reason.encode(),
            "topic": b"clicks",
            "partition": str(partition).encode(),
            "offset": str(offset).encode(),
        }


def test_a_dead_letter_keeps_the_headers_that_the_event_came_with(settings: Settings, log: KafkaLog) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.kafka)
    producer.send("clicks", key=b"u", value=b"{", headers=[("traceparent", b"00-ab"), ("offset", b"theirs")])
    producer.close()
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    (letter,) = log.records("dead-letters")
    assert [value for name, value in letter.headers if name == "traceparent"] == [b"00-ab"]
    assert [value for name, value in letter.headers if name == "offset"] == [b"0"]


def test_what_retention_deleted_unread_is_told_by_partition_and_the_rest_is_read(
    settings: Settings, log: KafkaLog, db: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    log.send("clicks", [click("u", "ana")], partition=1)
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    log.send("clicks", [click("u", "ana", at=NOW + number) for number in range(50)], partition=1)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    admin.delete_records({TopicPartition("clicks", 1): 47})
    admin.close()
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
        lost = wait_for(lambda: _counted(db).get("deleted:clicks:1"), "the count of what was deleted")
    assert lost == "46"
    assert db.hget("user:{u}", "clicks") == "5", "one before, and the four that are left"
    assert "46 messages of clicks, partition 1, were deleted before they were read" in caplog.text


def _counted(db: redis.Redis) -> dict[str, str]:
    found = [db.hgetall(f"process:{{{name}}}") for name in db.zrange("processes", 0, -1)]
    return next((process for process in found if process.get("clicks")), {})


def test_listeners_are_placed_and_every_change_of_cohort_is_said(settings: Settings, log: KafkaLog) -> None:
    publish(settings, crowd_model())
    put_songs(settings)
    log.send("clicks", clicks(2000))
    with Running(ingest, settings.model_copy(update={"batch_clicks": 100})):
        log.wait_until_caught_up("ingest", "clicks")
    state = read_state(settings.redis)
    assert state.clicks == 2000
    assert_agrees(state)
    cohort: dict[str, str] = {}
    changes = log.events("cohort-changes")
    for change in changes:
        assert change["from"] == cohort.get(change["user_id"], "")
        assert change["from"] != change["to"]
        assert change["model_version"] == 1
        cohort[change["user_id"]] = change["to"]
    assert cohort == {user: cohort for user, cohort in state.cohorts.items() if cohort or user in cohort}
    assert len(changes) > len(state.users)  # some changed their minds


def test_clicks_of_one_listener_in_two_partitions_are_all_counted(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    with Running(ingest, settings):
        for at in range(0, 30, 2):
            log.send("clicks", [click("u", "ana", at=NOW - at)], partition=0)
            log.send("clicks", [click("u", "ana", at=NOW - at - 1)], partition=3)
        log.wait_until_caught_up("ingest", "clicks")
    assert db.hmget("user:{u}", "clicks", "o:0", "o:3") == ["30", "14", "14"]
    expected = sum(DECAY.stored(1.0, NOW - at) for at in range(30))
    assert db.zscore("user:{u}:artists", "ana") == pytest.approx(expected, rel=1e-12)
    assert_agrees(read_state(settings.redis))


def test_clicks_that_are_delivered_again_change_nothing(settings: Settings, log: KafkaLog) -> None:
    publish(settings, crowd_model())
    put_songs(settings)
    log.send("clicks", clicks(1500))
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    before = read_state(settings.redis)
    log.reset("ingest", "clicks")
    assert not log.caught_up("ingest", "clicks")
    with Running(ingest, settings.model_copy(update={"batch_clicks": 70})):
        log.wait_until_caught_up("ingest", "clicks")
    after = read_state(settings.redis)
    assert after.users == before.users
    assert (after.artists, after.tastes, after.members) == (before.artists, before.tastes, before.members)


def test_a_topic_made_anew_counts_on(settings: Settings, log: KafkaLog, db: redis.Redis) -> None:
    log.send("clicks", [click("u", "ana")] * 3, partition=0)
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    log.make_anew(settings, "clicks", partitions=4)
    log.send("clicks", [click("u", "ana")] * 2, partition=0)
    with Running(ingest, settings):
        wait_for(lambda: db.hget("user:{u}", "clicks") == "5", "the clicks in the new topic")


def test_listeners_wait_for_the_first_model_and_are_placed_when_it_comes(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    put_songs(settings)
    log.send("clicks", clicks(1000))
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
        waiting = read_state(settings.redis)
        assert set(waiting.cohorts.values()) == {""}
        assert_agrees(waiting)
        publish(settings, crowd_model())
        wait_for(lambda: db.hget("model:sweep", "done") == "1", "everybody to be placed")
    state = read_state(settings.redis)
    assert_agrees(state)
    placed = {change["user_id"]: change["to"] for change in log.events("cohort-changes")}
    assert placed == {user: cohort for user, cohort in state.cohorts.items() if cohort}


def test_what_hardly_is_an_event_stops_nothing(settings: Settings, log: KafkaLog, db: redis.Redis) -> None:
    asyncio.run(_send_nothing_under_no_key(settings))
    # Small enough for Kafka while it is compressed, too large for the dead letters as it is.
    with_gzip = KafkaProducer(
        bootstrap_servers=settings.kafka, compression_type="gzip", max_request_size=9_000_000
    )
    with_gzip.send("clicks", key=b"k", value=b" " * 5_000_000, partition=0).get(timeout=30)
    with_gzip.close()
    log.send("clicks", [click("u", "ana")], partition=0)
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    assert db.hget("user:{u}", "clicks") == "1"
    letters = {dict(record.headers)["reason"]: record for record in log.records("dead-letters")}
    assert set(letters) == {b"not-json", b"too-large"}
    assert not letters[b"not-json"].value
    large = letters[b"too-large"]
    assert large.value == b" " * len(large.value)
    assert b"5000000 bytes" in dict(large.headers)["detail"]


async def _send_nothing_under_no_key(settings: Settings) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    batch = producer.create_batch()
    batch.append(key=None, value=None, timestamp=None)
    await (await producer.send_batch(batch, "clicks", partition=0))
    await producer.stop()
