"""Topics that are recreated, or get partitions, under processes: nothing is passed over or counted twice."""

from __future__ import annotations

import logging

import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.train.trainer import train
from consumers.traits.process import traits
from consumers.work.worker import work
from stream.settings import Settings
from stream.wire import topic_watch
from tests.consumers.crowd import click
from tests.consumers.desk import Desk, feedback
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.placed import names, place
from tests.consumers.running import Running
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def _looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_watch, "LOOK_SECONDS", 0.5)


def clicks_of(db: redis.Redis, user: str) -> int:
    return int(db.hget(f"user:{{{user}}}", "clicks") or 0)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(2, id="shorter than before", marks=pytest.mark.long),
        pytest.param(40, id="longer than before"),
    ],
)
def test_clicks_in_a_topic_made_anew_under_an_ingester_all_count(
    settings: Settings, log: KafkaLog, db: redis.Redis, caplog: pytest.LogCaptureFixture, number: int
) -> None:
    caplog.set_level(logging.WARNING)
    with Running(ingest, settings):
        log.send("clicks", [click("u", "ana")] * 20, partition=0)
        log.wait_until_caught_up("ingest", "clicks")
        log.make_anew(settings, "clicks", partitions=4)
        log.send("clicks", [click("u", "ana")] * number, partition=0)
        log.send("clicks", [click("another", "ana")] * number, partition=0)
        wait_for(lambda: clicks_of(db, "u") == 20 + number, "clicks in the new topic")
        wait_for(lambda: clicks_of(db, "another") == number, "those of somebody who is new")
        log.wait_until_caught_up("ingest", "clicks")
    assert "the topic clicks was recreated: starting over with it" in caplog.messages
    with Running(ingest, settings):
        log.send("clicks", [click("u", "ana")], partition=0)
        wait_for(lambda: clicks_of(db, "u") == 21 + number, "what came later")
    assert clicks_of(db, "another") == number


def test_releases_and_feedback_in_topics_made_anew_under_a_worker_are_answered_and_count(
    desk: Desk,
) -> None:
    place(desk.settings, {"c1": names("c1", 30)})
    with Running(work, desk.settings):
        told = sorted(desk.ask("before", "a1").told)
        desk.report("before", *((user, "sent") for user in told))
        for topic in ("releases", "feedback"):
            desk.log.make_anew(desk.settings, topic, partitions=4)
        assert desk.ask("after", "a1").told == set(told)
        for name in ("before", "after"):
            desk.log.send("feedback", feedback(name, [(user, "sent") for user in told]))
            desk.log.send("feedback", feedback(name, [(user, "clicked") for user in told[:7]]))
        desk.log.wait_until_caught_up("work", "feedback")
    for name in ("before", "after"):
        counts = desk.counts(f"release:{{{name}}}")
        assert (counts["sent"], counts["clicked"]) == (30, 7)
    counts = desk.counts("cohort:{c1}")
    assert (counts["sent"], counts["clicked"]) == (60, 14)


def test_a_trainer_and_who_keeps_traits_begin_again_with_clicks_made_anew(
    settings: Settings, log: KafkaLog, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    said = "the topic clicks was recreated: starting over with it"
    with Running(train, settings) as trainer, Running(traits, settings) as keeper:
        for process in ("train", "traits"):
            wait_for(lambda process=process: log.settled(process), f"{process} to read")
        log.make_anew(settings, "clicks", partitions=4)
        wait_for(lambda: caplog.messages.count(said) == 2, "both to begin again")
        log.send("clicks", [click("u", "ana")] * 3)
        log.wait_until_caught_up("train", "clicks")
        assert trainer.alive
        assert keeper.alive


def test_partitions_that_are_added_under_processes_are_read(
    settings: Settings, log: KafkaLog, db: redis.Redis, desk: Desk
) -> None:
    place(settings, {"c1": names("c1", 30)})
    with Running(ingest, settings), Running(work, settings):
        log.send("clicks", [click("u", "ana")] * 5, partition=0)
        told = desk.ask("r1", "a1").told
        for topic in ("clicks", "releases", "audiences"):
            log.add_partitions(topic, 6)
        log.send("clicks", [click("u", "ana")] * 5, partition=5)
        release = {"release_id": "r2", "artist_ids": ["a1"], "max_audience": 100_000}
        log.send("releases", [release], partition=5)
        wait_for(lambda: clicks_of(db, "u") == 10, "clicks in the new partition")
        assert desk.wait_for("r2").told == told
        log.wait_until_caught_up("ingest", "clicks")
        log.wait_until_caught_up("work", "releases")
