"""The process `refrain traits`: who clicks is scored at once, everybody in turn."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import Any

import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.traits import clicked, looks, rounds
from consumers.traits.process import traits
from stream.connect import open_redis
from stream.settings import Settings
from stream.stores.next_week_model import NextWeekModel
from tests.consumers.crowd import crowd_model, publish
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.waiting import wait_for

DAY = 86_400.0


def click(user: str, days_ago: float) -> dict[str, Any]:
    return {"user_id": user, "song_id": "s", "artist_ids": ["a"], "ts": time.time() - DAY * days_ago}


def stage(db: redis.Redis, user: str) -> str | None:
    return db.hget(f"user:{{{user}}}:traits", "stage")


def beats(db: redis.Redis) -> list[dict[str, str]]:
    return [db.hgetall(f"process:{{{name}}}") for name in db.zrange("processes", 0, -1) if "traits" in name]


def rounds_done(db: redis.Redis) -> int:
    return max((int(beat.get("rounds", 0)) for beat in beats(db)), default=0)


def wait_until_clicks_are_read(db: redis.Redis, log: KafkaLog) -> None:
    """The process begins at the end of the topic: a click that comes before is for the next round."""

    def is_read() -> bool:
        log.send("clicks", [click("the first", 0)])
        return any(int(beat.get("clicks", 0)) for beat in beats(db))

    wait_for(lambda: rounds_done(db) > 0, "a round")
    wait_for(is_read, "a click to be read")


def test_a_click_is_in_the_stage_within_moments_and_announced(
    topics: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    log.send("clicks", [click("u", 40), click("u", 30)])
    with Running(ingest, topics), Running(traits, topics):
        log.wait_until_caught_up("ingest", "clicks")
        wait_until_clicks_are_read(db, log)
        log.send("clicks", [click("u", 0), click("v", 0)])
        wait_for(lambda: stage(db, "u") == "returned", "the click to count")
        wait_for(lambda: stage(db, "v") == "new", "the new listener")
        wait_for(lambda: db.sismember("stage:{new}:users", "v"), "the member set")
        wait_for(lambda: log.count("stage-changes") >= 2, "the events")
    said = [(event["user_id"], event["to"]) for event in log.events("stage-changes")]
    assert said.count(("v", "new")) == 1
    assert [to for user, to in said if user == "u"][-1] == "returned"


def test_a_click_under_an_id_that_is_part_of_a_listener_is_in_the_listeners_stage(
    topics: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    log.send("clicks", [click("ana", 40), click("ana", 30), click("visitor", 30)])
    with Running(ingest, topics):
        log.wait_until_caught_up("ingest", "clicks")
        log.send("merges", [{"user_id": "visitor", "into": "ana", "ts": time.time()}])
        log.wait_until_caught_up("merges", "merges")
        with Running(traits, topics):
            wait_until_clicks_are_read(db, log)
            wait_for(lambda: stage(db, "ana") == "dormant", "the listener to be dormant")
            log.send("clicks", [click("visitor", 0)])
            wait_for(lambda: stage(db, "ana") == "returned", "the click to count")


def test_a_listener_is_in_another_stage_for_what_an_id_did_that_becomes_part_of_them(
    topics: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clicked, "PATIENCE", 0.5)
    monkeypatch.setattr(looks, "LOOK_SECONDS", math.inf)  # what it learns begins another round
    log.send("clicks", [click("ana", 40), click("ana", 30)])
    with Running(ingest, topics), Running(traits, topics):
        log.wait_until_caught_up("ingest", "clicks")
        wait_until_clicks_are_read(db, log)
        log.send("clicks", [click("visitor", 0), click("ana", 20)])
        wait_for(lambda: (stage(db, "visitor"), stage(db, "ana")) == ("new", "dormant"), "all to be scored")
        log.send("merges", [{"user_id": "visitor", "into": "ana", "ts": time.time()}])
        wait_for(lambda: stage(db, "ana") == "returned", "what the other id did to count")
        assert stage(db, "visitor") is None


def test_who_does_not_click_is_met_in_a_round(topics: Settings, log: KafkaLog, db: redis.Redis) -> None:
    users = [f"u{at}" for at in range(50)]
    log.send("clicks", [click(user, ago) for user in users for ago in (90, 20)])
    with Running(ingest, topics):
        log.wait_until_caught_up("ingest", "clicks")
    with Running(traits, topics):
        wait_for(lambda: db.scard("stage:{dormant}:users") == len(users), "everybody in their stage")
    assert {event["user_id"] for event in log.events("stage-changes")} == set(users)


def test_one_leads_and_another_takes_over_when_it_dies(
    topics: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "consumers")
    log.send("clicks", [click("u", 20)])
    with Running(ingest, topics):
        log.wait_until_caught_up("ingest", "clicks")
    first = refrain.start("traits")
    wait_for(lambda: stage(db, "u") == "dormant", "the first to lead")
    with Running(traits, topics):
        wait_for(lambda: "waiting in reserve" in caplog.text, "the second to stand by")
        first.kill()
        db.delete("user:{u}:traits")
        db.pexpire("traits:lease", 1)  # as it does by itself ten seconds later
        wait_for(lambda: stage(db, "u") == "dormant", "the second to take over")


def test_a_round_goes_on_where_redis_was_away_for_a_moment(
    topics: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "CHUNK", 1)
    fast = topics.model_copy(update={"traits_round_minutes": 0.001})
    log.send("clicks", [click(f"u{at}", 20) for at in range(20)])
    with Running(ingest, topics):
        log.wait_until_caught_up("ingest", "clicks")
    with Running(traits, fast):
        wait_for(lambda: rounds_done(db) > 0, "a round")
        db.client_kill_filter(_type="normal", skipme=True)
        done = rounds_done(db)
        wait_for(lambda: rounds_done(db) > done + 1, "two more rounds")


def test_what_was_learned_of_the_next_week_is_kept_at_the_end(
    topics: Settings, log: KafkaLog, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.traits.process.LOOK_SECONDS", 0.1)
    monkeypatch.setattr(looks, "LOOK_SECONDS", 0.1)
    users = [f"u{at}" for at in range(20)]
    with Running(ingest, topics), Running(traits, topics):
        wait_until_clicks_are_read(db, log)
        log.send("clicks", [click(user, ago) for user in users for ago in (20, 10, 0.01)])
        wait_for(
            lambda: all(db.hget(f"user:{{{user}}}:traits", "learned") for user in users),
            "their last week to be learned",
        )

    async def examples() -> int:
        client = await open_redis(topics)
        try:
            return (await NextWeekModel(client).load()).version
        finally:
            await client.aclose()

    assert asyncio.run(examples()) == len(users)


def test_labels_are_learned_and_others_are_predicted_as_they_click(
    topics: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    def likely(user: str) -> float:
        return float(db.hget(f"user:{{{user}}}:traits", "segment:rap") or "nan")

    publish(topics, crowd_model())
    users = [f"u{at}" for at in range(260)]
    liked = {
        user: ("artist 0", "artist 1") if at % 2 else ("artist 20", "artist 21")
        for at, user in enumerate(users)
    }
    log.send("clicks", [click(user, 1) | {"artist_ids": list(liked[user])} for user in users])
    log.send(
        "labels",
        [
            {"user_id": user, "segment": "rap", "value": at % 2, "ts": 1.0}
            for at, user in enumerate(users[:240])
        ],
    )
    with Running(ingest, topics):
        log.wait_until_caught_up("ingest", "clicks")
    with Running(ingest, topics), Running(traits, topics):
        wait_for(lambda: db.hget("segment:{rap}", "labelled") == "240", "the segment to be learned")
        wait_for(lambda: log.settled("traits"), "the process to read clicks")
        log.send("clicks", [click(user, 0) | {"artist_ids": list(liked[user])} for user in ("u250", "u251")])
        wait_for(lambda: likely("u251") > 0.7, "who likes the same to be in the segment")
        wait_for(lambda: likely("u250") < 0.3, "who does not to be out of it")
    assert db.zscore("segment:{rap}:users", "u251") > 0.7
    assert db.zscore("segment:{rap}:users", "u250") is None
