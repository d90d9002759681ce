"""Servers that are full, away, or come back: nothing is lost, nothing doubled, and somebody says so."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import redis
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError
from redis.asyncio import Redis

from consumers.ingest.ingester import ingest
from consumers.train.trainer import train
from consumers.work.worker import work
from stream.broker import Child, servers
from stream.broker.ports import LOCALHOST, free_port
from stream.errors import ClusterChanged, DecayChanged, Unreachable
from stream.settings import Settings
from stream.wire.topics import create_topics
from tests.consumers.crowd import LISTENERS, clicks, crowd_model, publish, put_songs
from tests.consumers.ingest.test_ingest_rebalance import applied, undisturbed
from tests.consumers.kafka_log import KafkaLog, kafka_log
from tests.consumers.kept import heartbeat
from tests.consumers.own_redis import OwnRedis
from tests.consumers.redis_state import assert_agrees, assert_same, read_state
from tests.consumers.running import Main, Running
from tests.refrain_command import Refrain
from tests.waiting import wait_for

PROCESSES = pytest.mark.parametrize("main", [ingest, train, work])


def said(child: Child, *words: str) -> bool:
    """Whether its log has all of these words; lines are wrapped anywhere."""
    log = " ".join(child.log.read_text(errors="replace").split())
    return all(word in log for word in words)


@contextmanager
def full(db: redis.Redis) -> Iterator[None]:
    """A Redis that takes no more writes."""
    db.config_set("maxmemory", "1mb")
    try:
        yield
    finally:
        db.config_set("maxmemory", "0")


def test_a_full_redis_takes_no_clicks_and_catches_up(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    put_songs(settings)
    events = list(clicks(600))
    ingester = refrain.start("ingest")
    log.send("clicks", events[:100])
    log.wait_until_caught_up("ingest", "clicks")
    before = log.committed("ingest", "clicks")
    with full(db):
        log.send("clicks", events[100:])
        wait_for(lambda: said(ingester, "Redis takes no more writes", "maxmemory"), "a word about it")
        assert ingester.stop() == 0
        late = refrain.start("ingest")  # one that starts now waits as well
        wait_for(lambda: said(late, "Redis takes no more writes"), "a word from the second")
        assert applied(db) == 100
        assert log.committed("ingest", "clicks") == before
    log.wait_until_caught_up("ingest", "clicks")
    assert late.stop() == 0
    state = read_state(settings.redis)
    assert state.clicks == 600
    assert_agrees(state)


def test_a_redis_that_is_read_only_takes_no_clicks_and_catches_up(
    settings: Settings, log: KafkaLog, own_redis: OwnRedis, refrain: Refrain
) -> None:
    own_redis.start()
    own = settings.model_copy(update={"redis": own_redis.url})
    put_songs(own)
    ingester = refrain.start("ingest", redis=own_redis.url)
    with own_redis.client() as client:
        log.send("clicks", clicks(100))
        log.wait_until_caught_up("ingest", "clicks")
        client.replicaof(LOCALHOST, 1)
        log.send("clicks", clicks(200, seed=2))
        wait_for(
            lambda: said(ingester, "Redis takes no more writes", "read only replica", "REFRAIN_REDIS"),
            "a word about it",
        )
        assert not log.caught_up("ingest", "clicks")
        client.replicaof("NO", "ONE")
        log.wait_until_caught_up("ingest", "clicks")
    assert ingester.stop() == 0
    assert read_state(own_redis.url).clicks == 300


def test_a_redis_that_dies_and_comes_back_ends_nobody_and_loses_nothing(
    settings: Settings, log: KafkaLog, own_redis: OwnRedis, refrain: Refrain
) -> None:
    own = settings.model_copy(update={"redis": own_redis.url})
    # It is away when they start, too.
    started = {kind: refrain.start(kind, redis=own_redis.url) for kind in ("ingest", "train", "work")}
    for child in started.values():
        wait_for(lambda child=child: said(child, "waiting for Redis"), "a word about Redis")
    own_redis.start()
    publish(own, crowd_model())
    put_songs(own)
    events = list(clicks(3000))
    log.send("clicks", events[:1500])
    with own_redis.client() as client:
        wait_for(lambda: applied(client) >= 100, "the first clicks")
        wait_for(lambda: client.zcard("processes") == len(started), "all to have started")
    own_redis.kill()
    log.send("clicks", events[1500:])
    wait_for(lambda: said(started["ingest"], "Redis does not answer"), "a word from the ingester")
    own_redis.start()
    log.wait_until_caught_up("ingest", "clicks")
    codes = {kind: child.stop() for kind, child in started.items()}
    assert codes == dict.fromkeys(started, 0), started["work"].log.read_text(encoding="utf-8")[-4000:]
    state = read_state(own_redis.url)
    assert state.clicks == 3000
    assert_agrees(state)


def test_a_kafka_that_dies_and_comes_back_ends_nobody_and_loses_nothing(
    settings: Settings, tmp_path: Path, db: redis.Redis, refrain: Refrain
) -> None:
    home = Settings(data=tmp_path / "own kafka", broker="java", redis=settings.redis, connect_timeout=120)
    publish(settings, crowd_model())
    put_songs(settings)
    events = list(clicks(2000))
    with servers(home) as first:
        own = settings.model_copy(update={"kafka": first.kafka})
        create_topics(own)
        started = {kind: refrain.start(kind, kafka=first.kafka) for kind in ("ingest", "train", "work")}
        other = settings.redis.removesuffix("/0") + "/2"
        impatient = [
            refrain.start(kind, kafka=first.kafka, group="other", redis=other) for kind in ("ingest", "work")
        ]
        with kafka_log(own) as log:
            log.send("clicks", events[:1000])
            for kind in started:
                wait_for(lambda kind=kind: log.members(kind), f"{kind} to join")
            wait_for(lambda: applied(db) == 1000, "the first clicks")
            log.wait_until_caught_up("ingest", "clicks")
            wait_for(lambda: said(impatient[1], "answering releases"), "the other worker")
        first.children[0].kill()
        # Nobody answers to their farewell, they end all the same.
        assert [child.stop() for child in impatient] == [0, 0]
    with servers(home) as second:
        assert second.kafka == first.kafka
        with kafka_log(own) as log:
            log.send("clicks", events[1000:])
            wait_for(lambda: applied(db) == 2000, "the other clicks")
            log.wait_until_caught_up("ingest", "clicks")
            state = read_state(settings.redis)
            assert_agrees(state)
            assert_same(state, undisturbed(own))
            log.send("releases", [{"release_id": "r1", "artist_ids": ["artist 1"]}])
            wait_for(lambda: any(event.get("done") for event in log.events("audiences")), "an audience")
        assert {kind: child.stop() for kind, child in started.items()} == dict.fromkeys(started, 0)


def test_a_kafka_that_is_away_at_the_start_is_waited_for_a_while(refrain: Refrain) -> None:
    away = f"{LOCALHOST}:{free_port()}"
    started = [refrain.start(kind, kafka=away, connect_timeout=2.5) for kind in ("ingest", "train", "work")]
    for child in started:
        assert child.wait(60) == 1
        assert said(child, f"waiting for Kafka at {away} (at most 2.5 s)")
        assert said(child, f"Unreachable: Kafka does not answer at {away} after 2.5 s", "REFRAIN_KAFKA")
        assert not said(child, "Traceback")
        assert not said(child, "ERROR")


@PROCESSES
def test_a_redis_that_is_away_at_the_start_is_waited_for_a_while(settings: Settings, main: Main) -> None:
    url = f"redis://:secret@{LOCALHOST}:{free_port()}/0"
    away = settings.model_copy(update={"redis": url, "connect_timeout": 0.1})
    with pytest.raises(Unreachable, match=r"(?s)Redis does not answer at redis://.*REFRAIN_REDIS") as raised:
        asyncio.run(main(away, asyncio.Event()))
    assert "secret" not in str(raised.value)


@PROCESSES
def test_servers_that_go_away_just_as_a_process_starts_are_waited_for(
    settings: Settings, log: KafkaLog, db: redis.Redis, main: Main, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute, bootstrap = Redis.execute_command, AIOKafkaClient.bootstrap
    refused: set[str] = set()
    clients = itertools.count(1)

    async def executing(client: Redis, command: str, *arguments: Any, **options: Any) -> Any:
        if command not in refused:  # the first of each
            refused.add(command)
            raise redis.ConnectionError("gone")
        return await execute(client, command, *arguments, **options)

    async def bootstrapping(client: AIOKafkaClient) -> None:
        if next(clients) % 2:  # the first attempt of each
            raise KafkaConnectionError("gone")
        await bootstrap(client)

    monkeypatch.setattr(Redis, "execute_command", executing)
    monkeypatch.setattr(AIOKafkaClient, "bootstrap", bootstrapping)
    with Running(main, settings) as running:
        wait_for(lambda: log.members(main.__name__) or not running.alive, "it to join its group")
        wait_for(lambda: heartbeat(db, main.__name__) or not running.alive, "a sign of life")
    assert {"HELLO", "HGETALL", "GET"} <= refused


@pytest.mark.parametrize(("main", "topic"), [(ingest, "clicks"), (train, "clicks"), (work, "feedback")])
def test_a_group_that_forms_while_kafka_does_not_tell_its_partitions_reads_all_of_them(
    settings: Settings, log: KafkaLog, main: Main, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = AIOKafkaClient._metadata_update
    failed = Counter[AIOKafkaClient]()

    async def updating(client: AIOKafkaClient, *arguments: Any) -> bool:
        failed[client] += 1
        return failed[client] > 3 and await update(client, *arguments)

    log.send(topic, [b"no event"] * 20)
    monkeypatch.setattr(AIOKafkaClient, "_metadata_update", updating)
    with Running(main, settings):
        log.wait_until_caught_up(main.__name__, topic)


@PROCESSES
def test_another_half_life_is_refused(topics: Settings, main: Main) -> None:
    with Running(ingest, topics):
        pass
    with pytest.raises(DecayChanged, match="half-life of 30 days"):
        asyncio.run(main(topics.model_copy(update={"half_life_days": 14.0}), asyncio.Event()))


@PROCESSES
def test_another_cluster_of_kafka_is_refused(topics: Settings, db: redis.Redis, main: Main) -> None:
    db.set("kafka-cluster", "the former")
    with pytest.raises(ClusterChanged, match="cluster the former, and this is cluster"):
        asyncio.run(main(topics, asyncio.Event()))


def test_who_is_asked_to_end_commits_leaves_the_group_and_ends_well(
    settings: Settings, log: KafkaLog, db: redis.Redis, refrain: Refrain
) -> None:
    publish(settings, crowd_model())
    put_songs(settings)
    started = {kind: refrain.start(kind) for kind in ("ingest", "train", "work")}
    log.send("clicks", clicks(500))
    for kind in started:
        wait_for(lambda kind=kind: log.members(kind), f"{kind} to join")
    log.wait_until_caught_up("ingest", "clicks")
    for child in started.values():
        child.signal(signal.SIGTERM)
    assert {kind: child.wait(60) for kind, child in started.items()} == dict.fromkeys(started, 0)
    for kind in started:
        assert log.members(kind) == []
    assert db.zrange("processes", 0, -1) == []
    assert db.get("model:lease") is None
    assert applied(db) == 500 > len(LISTENERS)
