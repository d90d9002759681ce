"""Ingesters come and go while listeners click."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from consumers.ingest.ingester import ingest
from stream.settings import Settings
from tests.consumers.crowd import LISTENERS, clicks, crowd_model, publish, put_songs
from tests.consumers.kafka_log import KafkaLog, kafka_log
from tests.consumers.redis_state import State, assert_agrees, assert_same, read_state
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.waiting import wait_for


def undisturbed(settings: Settings) -> State:
    """What one ingester makes of all that is in the topic, in a database of its own."""
    twin = settings.model_copy(
        update={"redis": settings.redis.removesuffix("/0") + "/1", "group": f"{settings.group}-twin"}
    )
    publish(twin, crowd_model())
    put_songs(twin)
    with kafka_log(twin) as log, Running(ingest, twin):
        log.wait_until_caught_up("ingest", "clicks")
    return read_state(twin.redis)


def applied(db: redis.Redis) -> int:
    """How many clicks are in Redis so far."""
    pipeline = db.pipeline(transaction=False)
    for user in LISTENERS:
        pipeline.hget(f"user:{{{user}}}", "clicks")
    return sum(int(found or 0) for found in pipeline.execute())


@contextmanager
def sending(log: KafkaLog, events: Sequence[dict[str, Any]], pause: float) -> Iterator[threading.Event]:
    """Clicks that go on coming; the event says that all are sent."""
    done, ended = threading.Event(), threading.Event()

    def send() -> None:
        for at in range(0, len(events), 10):
            log.send("clicks", events[at : at + 10])
            ended.wait(pause)
        done.set()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield done
    finally:
        ended.set()
        thread.join()


def test_an_ingester_that_joins_and_leaves_under_load_loses_and_doubles_nothing(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    publish(settings, crowd_model())
    put_songs(settings)
    small = settings.model_copy(update={"batch_clicks": 50})
    with sending(log, list(clicks(6000)), pause=0.01) as sent, Running(ingest, small):
        wait_for(lambda: applied(db) > 100, "the first to work")
        second = refrain.start("ingest", batch_clicks=30)
        with kafka_log(settings) as other:
            wait_for(lambda: len(other.members("ingest")) == 2, "the second to join")
            before = applied(db)
            wait_for(lambda: applied(db) > before + 300, "both to work")
            assert second.stop() == 0
            wait_for(lambda: len(other.members("ingest")) == 1, "the second to leave")
            wait_for(sent.is_set, "all clicks to be sent")
            other.wait_until_caught_up("ingest", "clicks")
    state = read_state(settings.redis)
    assert_agrees(state)
    assert_same(state, undisturbed(settings))
    assert state.clicks == 6000


def test_clicks_that_come_in_the_middle_of_a_rebalance_are_applied(
    settings: Settings, log: KafkaLog, db: redis.Redis
) -> None:
    put_songs(settings)
    with sending(log, list(clicks(1500)), pause=0.05) as sent, Running(ingest, settings):
        wait_for(lambda: applied(db) > 0, "the first to work")
        while not sent.is_set():
            with Running(ingest, settings), kafka_log(settings) as other:
                wait_for(lambda: len(other.members("ingest")) == 2, "another to join")
                more = applied(db) + 1
                wait_for(lambda more=more: sent.is_set() or applied(db) >= more, "clicks to be applied")
        with kafka_log(settings) as other:
            other.wait_until_caught_up("ingest", "clicks")
    assert read_state(settings.redis).clicks == 1500
