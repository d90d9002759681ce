"""Loads, ingesters and trainers keep out of each other's way, whoever of them begins first."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from typing import Any, NoReturn

import pytest
import redis

from consumers.history.guard import after_load, announced, before_load
from consumers.history.load import load
from consumers.history.options import Loading
from consumers.ingest.ingester import ingest
from consumers.runtime.startup import begin_producer
from consumers.train.trainer import train
from stream.connect import ask_redis
from stream.errors import BadFile, Unreachable, WrongUse
from stream.settings import Settings
from tests.consumers.history.years import UNTIL
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.kept import heartbeat
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.waiting import DEADLINE, wait_for

WAITING = "history is being loaded: waiting until that is done"
UNFINISHED = (
    "a load of history did not end: waiting until the same files are loaded once more, or it is given up "
    "(`refrain history abandon`)"
)
CLICK = {"user_id": "u", "song_id": "s", "artist_ids": ["ana"], "ts": UNTIL}


class Spark:
    """Stands for Spark and what it has in hand, until it is let go on."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()

    def mapPartitions(self, *_: object) -> Spark:  # noqa: N802 - as Spark spells it
        return self

    def collect(self) -> list[Any]:
        self.begun.set()
        assert self.go_on.wait(DEADLINE)
        return []


def kinds(db: redis.Redis) -> set[str]:
    """Of the processes that live."""
    found = {db.hget(f"process:{{{name}}}", "kind") for name in db.zrange("processes", 0, -1)}
    return found - {None}


def test_a_load_gives_a_sign_of_life_until_its_end_and_no_other_may_begin(
    settings: Settings, topics: Settings, db: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    spark = Spark()
    monkeypatch.setattr("consumers.history.load.session", lambda *_, **__: nullcontext())
    monkeypatch.setattr("consumers.history.load.packets", lambda *_: spark)
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load, [], settings, Loading())
        try:
            assert spark.begun.wait(DEADLINE)
            assert kinds(db) == {"history"}
            with pytest.raises(WrongUse, match="another `refrain history load` runs") as error:
                asyncio.run(before_load(settings))
            assert "10 seconds" in error.value.hint
        finally:
            spark.go_on.set()
        loading.result()
    assert kinds(db) == set()
    asyncio.run(before_load(settings))


def test_the_sign_of_life_of_a_load_that_is_killed_fades(settings: Settings, db: redis.Redis) -> None:
    with announced(settings) as name:
        assert 0 < db.ttl(f"process:{{{name}}}") <= 10


def test_a_load_whose_redis_is_away_says_so(settings: Settings) -> None:
    away = settings.model_copy(update={"redis": "redis://127.0.0.1:1", "connect_timeout": 0.1})
    with pytest.raises(Unreachable), announced(away):
        pass


@pytest.mark.parametrize("process", [ingest, train])
def test_who_starts_while_history_is_loaded_waits_until_that_is_done_and_says_so_once(
    settings: Settings, log: KafkaLog, db: redis.Redis, caplog: pytest.LogCaptureFixture, process: Any
) -> None:
    caplog.set_level(logging.INFO)
    log.send("clicks", [CLICK])
    with ExitStack() as loading:
        loading.enter_context(announced(settings))
        with Running(process, settings):
            wait_for(lambda: WAITING in caplog.messages, "a word that it waits")
            assert kinds(db) == {"history"}
            assert not db.exists("user:{u}")
            loading.close()
            wait_for(lambda: kinds(db) == {process.__name__}, "its sign of life")
            if process is ingest:
                log.wait_until_caught_up("ingest", "clicks")
                assert db.hget("user:{u}", "clicks") == "1"
    assert caplog.messages.count(WAITING) == 1


def test_an_ingester_that_waits_for_a_load_ends_when_it_is_asked_to(
    settings: Settings, topics: Settings, db: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with announced(settings):
        with Running(ingest, settings):
            wait_for(lambda: WAITING in caplog.messages, "a word that it waits")
        assert kinds(db) == {"history"}


def test_an_ingester_that_waits_for_a_load_which_fails_waits_until_it_is_repeated(
    settings: Settings,
    log: KafkaLog,
    db: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    log.send("clicks", [CLICK])
    spark = Spark()
    monkeypatch.setattr("consumers.history.load.session", lambda *_, **__: nullcontext())
    monkeypatch.setattr("consumers.history.load.packets", lambda *_: spark)
    with ExitStack() as running:

        def fail() -> NoReturn:
            running.enter_context(Running(ingest, settings))
            wait_for(lambda: WAITING in caplog.messages, "a word that it waits")
            raise BadFile("b.csv.gz breaks off")

        with monkeypatch.context() as failing:
            failing.setattr(spark, "collect", fail)
            with pytest.raises(BadFile):
                load([], settings, Loading())
        assert any("`refrain history abandon`" in said for said in caplog.messages)
        wait_for(lambda: UNFINISHED in caplog.messages or db.exists("user:{u}"), "a word that it still waits")
        assert kinds(db) == set()
        assert not db.exists("user:{u}")
        spark.go_on.set()
        load([], settings, Loading())
        log.wait_until_caught_up("ingest", "clicks")
        assert db.hget("user:{u}", "clicks") == "1"


def test_an_ingester_that_waits_for_a_load_of_which_redis_does_not_hear_for_a_while_goes_on_waiting(
    settings: Settings, log: KafkaLog, db: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    log.send("clicks", [CLICK])
    with announced(settings) as name:
        number = asyncio.run(before_load(settings, name))

        def not_heard_of() -> bool:
            db.delete(f"process:{{{name}}}")
            return UNFINISHED in caplog.messages or bool(db.exists("user:{u}"))

        with Running(ingest, settings):
            wait_for(lambda: WAITING in caplog.messages, "a word that it waits")
            wait_for(not_heard_of, "a look at what is not there")
            assert not db.exists("user:{u}")
            wait_for(lambda: caplog.messages.count(WAITING) == 2, "a word that it waits, as before")
            assert kinds(db) == {"history"}
            asyncio.run(after_load(settings, number))


@pytest.mark.parametrize("process", [ingest, train])
def test_who_waits_for_a_load_that_was_killed_begins_once_it_is_given_up(
    settings: Settings,
    topics: Settings,
    db: redis.Redis,
    caplog: pytest.LogCaptureFixture,
    refrain: Refrain,
    process: Any,
) -> None:
    asyncio.run(before_load(settings))
    with Running(process, settings):
        wait_for(lambda: UNFINISHED in caplog.messages or kinds(db), "a word that it waits")
        assert kinds(db) == set()
        assert json.loads(refrain.run("history", "abandon", "--json").stdout) == {"abandoned": True}
        wait_for(lambda: kinds(db) == {process.__name__}, "its sign of life")
    assert json.loads(refrain.run("history", "abandon", "--json").stdout) == {"abandoned": False}
    assert refrain.run("history", "abandon").stdout == "no load waits to be repeated\n"


def test_a_load_that_runs_is_not_given_up(settings: Settings, topics: Settings, refrain: Refrain) -> None:
    with announced(settings) as name:
        asyncio.run(before_load(settings, name))
        done = refrain.run("history", "abandon")
        assert (done.returncode, "`refrain history load` runs" in done.stderr) == (2, True)
    assert refrain.run("history", "abandon").stdout == "given up: ingesters and trainers wait no more\n"


def test_an_ingester_that_is_still_starting_is_in_the_way_of_a_load(
    settings: Settings, topics: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def begin_late(*given: Any) -> Any:
        begun.set()
        await asyncio.to_thread(go_on.wait, DEADLINE)
        return await begin_producer(*given)

    monkeypatch.setattr("consumers.ingest.ingester.begin_producer", begin_late)
    with Running(ingest, settings):
        try:
            assert begun.wait(DEADLINE)
            with pytest.raises(WrongUse, match="1 ingest running"):
                asyncio.run(before_load(settings))
        finally:
            go_on.set()


@pytest.mark.parametrize("process", [ingest, train])
def test_a_process_says_that_it_is_starting_until_it_is_at_work(
    settings: Settings, topics: Settings, db: redis.Redis, monkeypatch: pytest.MonkeyPatch, process: Any
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    async def ask_late(*given: Any) -> Any:
        begun.set()
        await asyncio.to_thread(go_on.wait, DEADLINE)
        return await ask_redis(*given)

    monkeypatch.setattr(f"{process.__module__}.ask_redis", ask_late)
    with Running(process, settings):
        try:
            assert begun.wait(DEADLINE)
            assert float(heartbeat(db, process.__name__)["starting"]) <= time.time()
        finally:
            go_on.set()
        wait_for(lambda: "starting" not in heartbeat(db, process.__name__), "it to be at work")
        assert kinds(db) == {process.__name__}
