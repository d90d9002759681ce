"""One trainer leads; another follows it at once when it ends, within fifteen seconds when it dies."""

from __future__ import annotations

import logging
import os

import pytest
import redis
from kafka import KafkaConsumer

from consumers.ingest.ingester import ingest
from consumers.runtime import lead
from consumers.train.trainer import train
from models.model import Model
from stream.settings import Settings
from stream.stores.lease import Lease
from stream.stores.snapshots import Snapshots
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.kept import asked, heartbeat
from tests.consumers.running import Running
from tests.consumers.scenes import QUICK, clicking, clicks, learning
from tests.consumers.train.test_train import current
from tests.refrain_command import Refrain
from tests.waiting import wait_for

LEASE = "model:lease"
PROMISED = 15.0


def pid(holder: str | None) -> int:
    return int((holder or "-0").rsplit("-", 1)[1])


def newest(settings: Settings) -> Model:
    async def load(store: Snapshots) -> Model:
        return await store.load((await store.versions())[0][0])

    return asked(settings, load)


def test_a_lease_is_free_and_asked_for_in_time(db: redis.Redis) -> None:
    assert Lease(db, "t").seconds + lead.STANDBY_SECONDS < PROMISED
    assert Lease(db, "t").seconds > 3 * lead.RENEW_SECONDS


def test_a_trainer_that_is_killed_has_a_successor_who_keeps_the_cohorts(
    settings: Settings,
    log: KafkaLog,
    db: redis.Redis,
    refrain: Refrain,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "consumers")
    first = refrain.start("train", **QUICK)
    with Running(ingest, settings):
        wait_for(lambda: pid(db.get(LEASE)) == first.pid, "the first to lead")
        with Running(train, learning(settings)), clicking(log):
            wait_for(lambda: "waiting in reserve" in caplog.text, "the second to stand by")
            wait_for(lambda: current(db) >= 2, "some models")
            first.kill()
            left, last = db.pttl(LEASE), current(db)
            assert 0 < left <= 1000 * Lease(db, "t").seconds
            assert pid(db.get(LEASE)) == first.pid
            db.pexpire(LEASE, 1)  # as it does by itself when that time is over
            wait_for(lambda: current(db) > last, "the next model")
            assert pid(db.get(LEASE)) == os.getpid()
            log.bury("train")  # as Kafka does by itself after ten seconds
            before = asked(settings, lambda store: store.load(last))
            wait_for(lambda: newest(settings).clicks > before.clicks, "clicks to be counted on")
    assert f"going on from model {last}" in caplog.text
    after = newest(settings)
    assert after.cohort_ids == before.cohort_ids
    assert (after.born == before.born).all()


def test_a_trainer_that_is_asked_to_end_leaves_its_lease_to_another(
    topics: Settings, db: redis.Redis
) -> None:
    with Running(train, topics):
        wait_for(lambda: pid(db.get(LEASE)) == os.getpid(), "it to lead")
    assert db.get(LEASE) is None


def test_a_trainer_that_was_held_up_publishes_nothing_under_anothers_lease(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lead, "RENEW_SECONDS", 1000.0)  # it does not come to look
    with Running(ingest, settings), Running(train, learning(settings)), clicking(log):
        wait_for(lambda: current(db) >= 2, "some models")
        db.set(LEASE, "another")
        wait_for(lambda: heartbeat(db).get("leads") == "0", "it to stand by")
        left = current(db), db.get("model:counter"), heartbeat(db)["rows"]
        beat = float(heartbeat(db)["at"])
        wait_for(lambda: float(heartbeat(db)["at"]) > beat, "another sign of life")
        assert (current(db), db.get("model:counter"), heartbeat(db)["rows"]) == left
        assert db.get(LEASE) == "another"
        db.delete(LEASE)
        wait_for(lambda: current(db) > left[0], "it to lead again")


def test_a_trainer_that_lost_its_lease_learns_no_more(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lead, "RENEW_SECONDS", 0.1)
    waiting = learning(settings, first_model_listeners=1000)
    with Running(ingest, settings), Running(train, waiting):
        wait_for(lambda: log.members("train"), "it to read clicks")
        db.set(LEASE, "another")
        wait_for(lambda: heartbeat(db).get("leads") == "0", "it to stand by")
        assert log.members("train") == []
        log.send("clicks", clicks())
        log.wait_until_caught_up("ingest", "clicks")
        beat = float(heartbeat(db)["at"])
        wait_for(lambda: float(heartbeat(db)["at"]) > beat, "another sign of life")
        assert "rows" not in heartbeat(db)


def test_a_trainer_that_lost_its_lease_says_nothing_of_the_model_any_more(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lead, "RENEW_SECONDS", 0.1)
    of_the_model = {"version", "sample"}
    with Running(ingest, settings), Running(train, learning(settings)), clicking(log):
        wait_for(lambda: of_the_model <= heartbeat(db).keys(), "it to say what it learned")
        db.set(LEASE, "another")
        wait_for(lambda: heartbeat(db).get("leads") == "0", "it to stand by")
        wait_for(lambda: not of_the_model & heartbeat(db).keys(), "it to say nothing of the model")
        db.delete(LEASE)
        wait_for(lambda: "sample" in heartbeat(db), "it to say so again when it leads again")


def test_a_dead_member_of_its_group_keeps_nobody_from_learning(
    settings: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lead, "RENEW_SECONDS", 0.1)
    log.send("clicks", clicks())
    with Running(ingest, settings):
        log.wait_until_caught_up("ingest", "clicks")
    silent = KafkaConsumer("clicks", bootstrap_servers=settings.kafka, group_id=f"{settings.group}-train")

    def joined() -> bool:
        silent.poll(100)
        return log.settled("train")  # even with no partition, where it knew of none, it is waited for

    wait_for(joined, "a member that is never heard of again")
    try:
        with Running(train, learning(settings)):
            wait_for(lambda: current(db) >= 1, "a model, though Kafka still waits for the other")
            db.pexpire(LEASE, 5000)
            wait_for(lambda: db.pttl(LEASE) > 5000, "the lease to be renewed")
            assert not log.caught_up("train", "clicks")
            silent.close()
            log.wait_until_caught_up("train", "clicks")
    finally:
        silent.close()


def test_a_trainer_in_reserve_ends_when_asked(settings: Settings, topics: Settings, db: redis.Redis) -> None:
    db.set(LEASE, "another")
    with Running(train, settings):
        wait_for(lambda: heartbeat(db).get("leads") == "0", "it to stand by")
    assert db.get(LEASE) == "another"
