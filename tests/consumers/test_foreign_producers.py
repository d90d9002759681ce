"""Foreign producers before all processes: none stops one, and what they abort counts nowhere."""

from __future__ import annotations

import time
from typing import Any

import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.train.trainer import train
from stream.settings import Settings
from stream.wire.lag import behind
from stream.wire.topics import open_admin
from tests.consumers.crowd import click
from tests.consumers.desk import Desk
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running
from tests.foreign_producer import broken_lz4, send_batch, send_compressed, transaction
from tests.waiting import wait_for

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def lag(settings: Settings, process: str, *topics: str) -> int:
    with open_admin(settings) as admin:
        group = f"{settings.group}-{process}"
        return behind(settings, admin, {group: topics})[group]


def clicks_of(user: str, number: int) -> list[dict[str, Any]]:
    now = time.time()
    return [click(user, "ana", at=now - at) for at in range(number)]


def letters_of(log: KafkaLog, topic: str) -> list[dict[str, str]]:
    """The headers of the dead letters of undecodable batches of a topic."""
    found = [{name: value.decode() for name, value in r.headers} for r in log.records("dead-letters")]
    return [letter for letter in found if letter["topic"] == topic and "last_offset" in letter]


def counted(db: redis.Redis, name: str) -> list[str | None]:
    return [db.hget(f"process:{{{process}}}", name) for process in db.zrange("processes", 0, -1)]


def test_clicks_in_every_codec_count_and_a_broken_batch_among_them_is_one_dead_letter(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    with Running(ingest, settings), Running(train, settings):
        for codec in CODECS:
            send_compressed(settings, codec, "clicks", clicks_of(codec, 20))
        send_batch(settings, "clicks", 0, broken_lz4([b"1", b"2", b"3"]))
        log.send("clicks", clicks_of("behind it", 1), partition=0)
        for process in ("ingest", "train"):
            log.wait_until_caught_up(process, "clicks")
        wait_for(lambda: "1" in counted(db, "dead:undecodable-batch"), "it to be counted")
    assert [db.hget(f"user:{{{codec}}}", "clicks") for codec in CODECS] == ["20"] * len(CODECS)
    assert db.hget("user:{behind it}", "clicks") == "1"
    (letter,) = letters_of(log, "clicks")
    assert "lz4" in letter.pop("detail")
    assert letter == {
        "reason": "undecodable-batch",
        "topic": "clicks",
        "partition": "0",
        "offset": "100",
        "last_offset": "102",
    }


def test_clicks_in_a_topic_of_every_compression_type_count(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    with Running(ingest, settings):
        for codec in CODECS[1:]:
            log.configure("clicks", {"compression.type": codec})
            log.send("clicks", clicks_of(codec, 20), partition=0)
        log.wait_until_caught_up("ingest", "clicks")
    assert [db.hget(f"user:{{{codec}}}", "clicks") for codec in CODECS[1:]] == ["20"] * 4
    assert log.count("dead-letters") == 0
    assert len(log.events("clicks")) == 80, "kafka-python reads them, too"


def test_clicks_of_an_aborted_transaction_count_nowhere_and_are_no_lag(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    with Running(ingest, settings):
        transaction(settings, "clicks", clicks_of("committed", 20), commit=True)
        transaction(settings, "clicks", clicks_of("aborted", 200), commit=False)
        wait_for(lambda: db.hget("user:{committed}", "clicks") == "20", "what was committed")
        wait_for(lambda: lag(settings, "ingest", "clicks") == 0, "nothing to be left")
    assert log.count("clicks") == 222
    assert log.committed("ingest", "clicks") == {0: 20}
    assert not db.exists("user:{aborted}")
    log.send("clicks", clicks_of("later", 3), partition=0)
    assert lag(settings, "ingest", "clicks") == 3


@pytest.mark.parametrize(
    ("topic", "event"),
    [
        ("releases", {"release_id": "behind it", "artist_ids": ["a1"], "max_audience": 3}),
        ("feedback", {"release_id": "nobody knows", "user_id": "behind it", "kind": "opted_out", "ts": 5.0}),
        ("songs", {"song_id": "behind it", "artist_ids": ["a1"]}),
    ],
)
def test_a_broken_batch_stops_no_agent(office: Desk, topic: str, event: dict[str, Any]) -> None:
    made = {
        "releases": lambda: office.answer("behind it").summaries,
        "feedback": lambda: office.db.sismember("opted-out", "behind it"),
        "songs": lambda: office.db.exists("song:{behind it}"),
    }
    send_compressed(office.settings, "zstd", topic, [event | {next(iter(event)): "before it"}])
    send_batch(office.settings, topic, 0, broken_lz4([b"1", b"2"]))
    office.log.send(topic, [event], partition=0)
    wait_for(made[topic], f"what is behind it in {topic}")
    office.log.wait_until_caught_up("work", topic)
    (letter,) = letters_of(office.log, topic)
    assert (letter["reason"], letter["offset"], letter["last_offset"]) == ("undecodable-batch", "1", "2")


def test_a_release_of_an_aborted_transaction_is_not_answered(office: Desk) -> None:
    transaction(office.settings, "releases", [{"release_id": "never", "artist_ids": ["a1"]}], commit=False)
    transaction(office.settings, "releases", [{"release_id": "well", "artist_ids": ["a1"]}], commit=True)
    office.wait_for("well")
    assert not office.db.exists("release:{never}")
    wait_for(lambda: lag(office.settings, "work", "releases") == 0, "nothing to be left")
