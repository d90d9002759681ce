from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import redis as redis_py
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import KafkaAdminClient

from consumers.doctor.redis import check_redis
from models.listener import Click, OffsetSource
from stream.broker import Servers
from stream.broker.folder import State, hold
from stream.connect import AnyRedis, open_redis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.heartbeats import Heartbeat
from stream.stores.history import History
from stream.stores.merges import Merges
from stream.stores.snapshots import Snapshots
from stream.stores.song_models import SongModels
from stream.stores.sweeps import Sweeps
from stream.stores.waiting import Waiting, pack, place_of
from stream.wire.events import Release, encode
from stream.wire.topics import TOPICS
from tests.apart import WithRedis
from tests.cli.service import NOW, model_of
from tests.cli.test_recommend import song_model
from tests.consumers.own_redis import OwnRedis
from tests.consumers.schema_registry import RegistryStub
from tests.fresh_topics import shapes_of
from tests.refrain_command import NO_BROKER, Refrain

Found = dict[str, tuple[str, str, str]]


def looked(refrain: Refrain, *arguments: str, **settings: object) -> tuple[int, Found]:
    """The exit code, and of each thing: how it is, what was said, what to do."""
    run = refrain.run_program if settings.get("kafka") == NO_BROKER else refrain.run
    done = run("doctor", "--json", *arguments, **settings)
    assert "Traceback" not in done.stderr, done.stderr
    found = json.loads(done.stdout)
    assert found["fine"] == (done.returncode == 0)
    return done.returncode, {c["name"]: (c["state"], c["found"], c["hint"]) for c in found["checks"]}


def alive(*kinds: str, model: int = 0) -> Callable[[AnyRedis], Awaitable[None]]:
    async def beat(redis: AnyRedis) -> None:
        for kind in kinds:
            heartbeat = Heartbeat(redis, kind, gauges={"model": model} if model else {})
            await heartbeat.beat(time.time())
            await redis.persist(keys.process(heartbeat.name))

    return beat


def starting(kind: str, seconds: float) -> Callable[[AnyRedis], Awaitable[None]]:
    """One that has been starting for so long, beside those of `alive`."""

    async def beat(redis: AnyRedis) -> None:
        name, now = f"{kind}-another-1-1", time.time()
        state = {"kind": kind, "at": now, "starting": now - seconds}
        await redis.hset(keys.process(name), mapping=state)
        await redis.zadd(keys.PROCESSES, {name: now})

    return beat


@pytest.fixture
def healthy(service: Settings, topics: Settings, with_redis: WithRedis) -> Settings:
    with_redis(alive("ingest", "train", "work", "traits"))
    return service


@pytest.fixture
def server(servers: Servers) -> Iterator[redis_py.Redis]:
    """The Redis of the session; its configuration is put back."""
    with redis_py.Redis.from_url(servers.redis) as client:
        before = client.config_get("maxmemory*") | client.config_get("appendonly")
        yield client
        for name in ("maxmemory-policy", "maxmemory", "appendonly"):
            client.config_set(name, before[name])


def test_a_healthy_service_is_fine_in_everything(healthy: Settings, refrain: Refrain) -> None:
    code, found = looked(refrain)
    assert {name: check for name, check in found.items() if check[0] != "fine"} == {}
    assert code == 0
    assert all(not mend for _, _, mend in found.values())
    assert {"broker", "topics", "lag of ingest", "dead letters", "persistence", "eviction", "memory"} <= set(
        found
    )
    assert {"clock", "ingest", "train", "work", "traits", "half-life", "model", "releases"} <= set(found)
    assert refrain.run("doctor", "--quiet").stdout.strip() == ""
    assert "✓" in refrain.run("doctor").stdout


def test_no_broker_is_wrong_and_the_rest_is_looked_at_all_the_same(
    healthy: Settings, refrain: Refrain
) -> None:
    code, found = looked(refrain, kafka=NO_BROKER)
    assert code == 1
    state, said, mend = found["broker"]
    assert (state, NO_BROKER in said, "REFRAIN_KAFKA" in mend) == ("wrong", True, True)
    assert found["persistence"][0] == "fine"


def test_no_redis_is_wrong_and_the_rest_is_looked_at_all_the_same(
    healthy: Settings, refrain: Refrain
) -> None:
    code, found = looked(refrain, redis="redis://127.0.0.1:1", connect_timeout=0.2)
    assert code == 1
    assert (found["Redis"][0], "REFRAIN_REDIS" in found["Redis"][2]) == ("wrong", True)
    assert found["topics"][0] == "fine"


def test_topics_that_are_not_there_or_otherwise_are_told(healthy: Settings, refrain: Refrain) -> None:
    code, found = looked(refrain, partitions=5, retention_days=3)
    assert (code, found["topics"][0]) == (0, "warning")
    assert "4 partitions, not 5" in found["topics"][1]
    assert "retention.ms" in found["topics"][1]
    admin = KafkaAdminClient(bootstrap_servers=healthy.kafka)
    admin.delete_topics(["feedback"])
    admin.close()
    code, found = looked(refrain)
    assert (code, found["topics"][0]) == (1, "wrong")
    assert "feedback not there" in found["topics"][1]


def test_topics_that_are_not_there_are_made_by_the_first_process(
    service: Settings, topics: Settings, refrain: Refrain
) -> None:
    admin = KafkaAdminClient(bootstrap_servers=topics.kafka)
    admin.delete_topics(["feedback"])
    admin.close()
    assert "start one, `refrain ingest` for example" in looked(refrain)[1]["topics"][2]


def test_of_a_demo_its_own_settings_are_expected(healthy: Settings, tmp_path: Path) -> None:
    healthy.data.mkdir()
    refrain = Refrain(Settings(data=healthy.data), tmp_path)
    with hold(healthy.data / "demo", say=print) as folder:
        folder.write(State(os.getpid(), healthy.kafka, healthy.redis))
        found = looked(refrain)[1]
    assert found["topics"][:2] == (
        "fine",
        f"all {len(TOPICS)}, with 4 partitions each, as the settings say",
    )


def test_what_was_deleted_unread_is_told_by_partition_over_all_processes(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    async def lose(redis: AnyRedis) -> None:
        for number, kind in ((4600, "ingest"), (2, "work")):
            heartbeat = Heartbeat(redis, kind)
            heartbeat.add("deleted:clicks:1", number)
            await heartbeat.beat(time.time())
            await redis.persist(keys.process(heartbeat.name))

    with_redis(lose)
    code, found = looked(refrain)
    assert (code, found["deleted unread"][0]) == (0, "warning")
    assert "4,602 of clicks:1" in found["deleted unread"][1]


def test_what_is_deleted_while_nobody_reads_is_told_by_partition(
    service: Settings, topics: Settings, refrain: Refrain
) -> None:
    producer = KafkaProducer(bootstrap_servers=topics.kafka)
    for _ in range(12):
        producer.send("clicks", value=b"{}", partition=1)
    producer.close()
    admin = KafkaAdminClient(bootstrap_servers=topics.kafka)
    place = TopicPartition("clicks", 1)
    admin.alter_group_offsets(f"{service.group}-ingest", {place: OffsetAndMetadata(2, "", -1)})
    assert "deleted before it is read" not in looked(refrain)[1]
    admin.delete_records({place: 9})
    admin.close()
    state, said, _ = looked(refrain)[1]["deleted before it is read"]
    assert (state, said) == ("warning", "7 of clicks:1 (topic:partition)")


def test_lag_is_wrong_where_nobody_works_it_off(
    service: Settings, topics: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    producer = KafkaProducer(bootstrap_servers=topics.kafka)
    for number in range(12):
        producer.send("clicks", key=b"%d" % number, value=b"{}")
    producer.close()
    code, found = looked(refrain)
    assert code == 1
    assert found["lag of ingest"] == (
        *("wrong", "12 events of clicks behind, and none runs", "start `refrain ingest`"),
    )
    assert found["ingest"][0] == "wrong"
    assert found["lag of work"][0] == "fine"
    with_redis(alive("ingest", "train", "work", "traits"))
    _, found = looked(refrain)
    assert found["lag of ingest"][:2] == ("fine", "12 events of clicks behind")


@pytest.mark.parametrize("kind", ["ingest", "train"])
def test_a_process_that_is_still_starting_is_not_one_that_runs(
    service: Settings, topics: Settings, refrain: Refrain, with_redis: WithRedis, kind: str
) -> None:
    with_redis(starting(kind, 12))
    state, said, hint = looked(refrain)[1][kind]
    assert state == "warning"
    assert "none is at work yet, one has been starting for 12 s" in said
    assert "its log says what it waits for" in hint


def test_a_process_that_has_been_starting_for_long_is_wrong(
    service: Settings, topics: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(alive("train", "work", "traits"))
    with_redis(starting("ingest", 600))
    code, found = looked(refrain)
    assert (code, found["ingest"][0]) == (1, "wrong")
    assert "starting for 10 min" in found["ingest"][1]


def test_a_process_that_starts_beside_one_at_work_is_worth_a_warning_only_where_it_takes_long(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(starting("ingest", 3))
    assert looked(refrain)[1]["ingest"][:2] == ("fine", "1 runs, and one has been starting for 3 s")
    with_redis(starting("ingest", 600))
    code, found = looked(refrain)
    assert (code, found["ingest"][0]) == (0, "warning")


def test_lag_that_waits_for_who_is_still_starting_is_said_to(
    service: Settings, topics: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    producer = KafkaProducer(bootstrap_servers=topics.kafka)
    producer.send("clicks", value=b"{}")
    producer.close()
    with_redis(starting("ingest", 3))
    assert looked(refrain)[1]["lag of ingest"][:2] == (
        *("warning", "1 events of clicks behind, and `refrain ingest` is still starting"),
    )


def test_that_nobody_migrates_listeners_before_the_ingester_has_started_is_said(
    service: Settings, topics: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(starting("ingest", 3))
    assert looked(refrain)[1]["listeners"][:2] == (
        *("fine", "migrated to model 4: none yet; the ingester is still starting"),
    )


def test_a_health_check_fails_before_the_process_is_at_work(settings: Settings, refrain: Refrain) -> None:
    with redis_py.Redis.from_url(settings.redis) as client:
        name, now = f"ingest-{socket.gethostname()}-1-1", time.time()
        client.hset(keys.process(name), mapping={"kind": "ingest", "at": now, "starting": now - 4})
        client.zadd(keys.PROCESSES, {name: now})
        code, found = looked(refrain, "--only", "ingest")
        assert (code, found["ingest"][1]) == (1, "not at work yet, has been starting for 4 s")
        client.hdel(keys.process(name), "starting")
        assert looked(refrain, "--only", "ingest")[0] == 0


def test_dead_letters_are_told_with_their_reasons(healthy: Settings, refrain: Refrain) -> None:
    producer = KafkaProducer(bootstrap_servers=healthy.kafka)
    for reason in (b"bad-time", b"bad-time", b"not-json"):
        producer.send("dead-letters", value=b"?", headers=[("reason", reason)])
    producer.close()
    code, found = looked(refrain)
    state, said, hint = found["dead letters"]
    assert (code, state) == (0, "warning")
    assert "3 within 7 days; of the last 3: 2 bad-time, 1 not-json" in said
    assert "`refrain redrive`" in hint


def test_who_is_told_to_redrive_is_told_that_after_a_restore_not_all_may_be(
    healthy: Settings, refrain: Refrain
) -> None:
    producer = KafkaProducer(bootstrap_servers=healthy.kafka)
    producer.send("dead-letters", value=b"?", headers=[("reason", b"bad-time")])
    producer.close()
    assert "restored from a backup only as docs/runbooks.md says" in looked(refrain)[1]["dead letters"][2]


def test_a_redis_that_forgets_is_wrong(healthy: Settings, refrain: Refrain, server: redis_py.Redis) -> None:
    server.config_set("appendonly", "no")
    server.config_set("maxmemory", 2**40)
    server.config_set("maxmemory-policy", "allkeys-lru")
    code, found = looked(refrain)
    assert code == 1
    assert (found["persistence"][0], "appendonly yes" in found["persistence"][2]) == ("wrong", True)
    assert (found["eviction"][0], "noeviction" in found["eviction"][2]) == ("wrong", True)


def test_memory_that_runs_out_is_told(healthy: Settings, refrain: Refrain, server: redis_py.Redis) -> None:
    used = server.info("memory")["used_memory"]
    server.config_set("maxmemory", int(used / 0.8))
    assert looked(refrain)[1]["memory"][0] == "warning"
    server.config_set("maxmemory", int(used / 0.95))
    code, found = looked(refrain)
    assert (code, found["memory"][0]) == (1, "wrong")


def measured(*used: float) -> Callable[[AnyRedis], Awaitable[None]]:
    """So many bytes were used at the same hour of each of the last days, the earliest first."""

    async def remember(redis: AnyRedis) -> None:
        for ago, each in enumerate(reversed(used), start=1):
            at = time.time() - 86_400 * ago
            await redis.hset(keys.MEMORY_DAYS, str(int(at // 86_400)), f"{at!r} {each:.0f}")

    return remember


@pytest.mark.parametrize(("days", "state"), [(40, "fine"), (20, "warning"), (5, "wrong")])
def test_in_how_many_days_memory_is_full_is_told(
    healthy: Settings,
    refrain: Refrain,
    server: redis_py.Redis,
    with_redis: WithRedis,
    days: float,
    state: str,
) -> None:
    used = server.info("memory")["used_memory"]
    server.config_set("maxmemory", 2 * used)
    a_day = used / days
    with_redis(measured(*(used - ago * a_day for ago in (4, 3, 2, 1))))
    _, found = looked(refrain)
    said = found["memory of listeners"]
    assert said[0] == state
    assert "measured over 4 d" in said[1]
    figures = figures_of(refrain)
    assert figures["days_left"] == pytest.approx(days, rel=0.2)
    assert figures["growth"] == pytest.approx(a_day, rel=0.2)
    assert (figures["limit"], figures["listeners"]) == (2 * used, 7)
    assert ("REFRAIN_FORGET_DORMANT_DAYS" in said[2]) == (state != "fine")


@pytest.mark.parametrize(
    ("erased_after", "advised"), [(0, "REFRAIN_FORGET_DORMANT_DAYS=365"), (365, "91 is the least"), (91, "")]
)
def test_where_memory_is_short_no_setting_is_advised_that_would_be_refused(
    healthy: Settings,
    refrain: Refrain,
    server: redis_py.Redis,
    with_redis: WithRedis,
    erased_after: float,
    advised: str,
) -> None:
    used = server.info("memory")["used_memory"]
    server.config_set("maxmemory", 2 * used)
    with_redis(measured(*(used - ago * used / 20 for ago in (4, 3, 2, 1))))
    _, found = looked(refrain, forget_dormant_days=erased_after)
    mend = found["memory of listeners"][2]
    assert advised in mend
    assert ("REFRAIN_FORGET_DORMANT_DAYS" in mend) == bool(advised)


def figures_of(refrain: Refrain) -> dict[str, float]:
    checks = json.loads(refrain.run("doctor", "--json").stdout)["checks"]
    (found,) = (check["figures"] for check in checks if check["name"] == "memory of listeners")
    return found


def test_what_ten_thousand_a_hundred_thousand_and_a_million_listeners_take_is_told(
    healthy: Settings, refrain: Refrain
) -> None:
    figures = figures_of(refrain)
    total, each = figures["total"], figures["listener"]
    assert list(total) == ["10000", "100000", "1000000"]
    assert total["1000000"] - total["100000"] == pytest.approx(900_000 * each)
    assert total["10000"] - 10_000 * each == pytest.approx(figures["used"] - 7 * each)
    said = looked(refrain)[1]["memory of listeners"][1]
    assert re.search("with 10,000, .* with 100,000, .* with 1,000,000", said)
    assert "not full within ten years" in said


def test_growth_goes_by_who_is_new_where_it_is_not_measured_yet(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    before = figures_of(refrain)
    with_redis(lambda redis: redis.hset(keys.user("u1"), "first_seen", repr(time.time() - 86_400 * 8)))
    figures = figures_of(refrain)
    assert before["growth"] - figures["growth"] == pytest.approx(figures["listener"] / 7, rel=0.1)
    assert figures["measured_days"] == 0
    assert "by who was first seen in the last week" in looked(refrain)[1]["memory of listeners"][1]


def test_memory_before_the_first_listener_is_not_known(
    settings: Settings, topics: Settings, refrain: Refrain
) -> None:
    state, said, _ = looked(refrain)[1]["memory of listeners"]
    assert (state, "not known" in said) == ("fine", True)
    assert figures_of(refrain)["listener"] is None


def test_a_process_that_is_missing_is_wrong(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: Heartbeat(redis, "work").stop())
    code, found = looked(refrain)
    assert (code, found["work"]) == (
        1,
        ("wrong", "none runs: releases are not answered", "start `refrain work`, or `refrain up` for all"),
    )


def test_a_process_that_waits_while_history_is_loaded_is_not_wrong(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: Heartbeat(redis, "ingest").stop())
    with_redis(alive("history"))
    assert looked(refrain)[1]["ingest"] == (
        "warning",
        "none runs, as history is being loaded: clicks are not read",
        "`refrain ingest`, once it is started, waits until that is done",
    )


def test_clicks_that_wait_while_history_is_loaded_are_not_wrong(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: Heartbeat(redis, "ingest").stop())
    with_redis(alive("history"))
    producer = KafkaProducer(bootstrap_servers=healthy.kafka)
    producer.send("clicks", value=b"{}")
    producer.close()
    code, found = looked(refrain)
    said = "1 events of clicks behind, and `refrain ingest` waits for a load of history"
    assert (code, found["lag of ingest"]) == (0, ("warning", said, "see `ingest`"))


def test_a_process_that_waits_while_history_is_loaded_passes_its_health_check(
    settings: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(alive("history"))
    for kind, missing in (("ingest", "clicks are not read"), ("train", "nothing is learned")):
        code, found = looked(refrain, "--only", kind)
        assert code == 0
        assert found[kind] == (
            "warning",
            f"none runs on {socket.gethostname()}, as history is being loaded: {missing}",
            f"`refrain {kind}`, once it is started, waits until that is done",
        )
    assert looked(refrain, "--only", "work")[0] == 1


def test_a_process_that_waits_for_a_load_of_history_which_did_not_end_is_wrong(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: Heartbeat(redis, "train").stop())
    with_redis(lambda redis: History(redis).begin({}))
    mend = "load the same files once more, or `refrain history abandon`: `refrain train` waits for that"
    for arguments, where in ((), ""), (("--only", "train"), f" on {socket.gethostname()}"):
        code, found = looked(refrain, *arguments)
        said = f"none runs{where}, as a load of history did not end: nothing is learned"
        assert (code, found["train"]) == (1, ("wrong", said, mend))


def test_a_schema_registry_that_does_not_answer_is_wrong(healthy: Settings, refrain: Refrain) -> None:
    with RegistryStub({}) as registry:
        code, found = looked(refrain, schema_registry_url=registry.url)
        assert (code, found["schema registry"][0]) == (0, "fine")
        registry.away = True
        code, found = looked(refrain, schema_registry_url=registry.url)
    state, said, mend = found["schema registry"]
    assert (code, state) == (1, "wrong")
    assert "gives no schema (SchemaRegistryError: no store" in said
    assert "REFRAIN_SCHEMA_REGISTRY_URL" in mend


def test_another_cluster_of_kafka_is_wrong(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: redis.set(keys.KAFKA_CLUSTER, "the former"))
    code, found = looked(refrain)
    state, said, mend = found["cluster"]
    assert (code, state) == (1, "wrong")
    assert "cluster the former, and this is cluster" in said
    assert "REFRAIN_KAFKA_CLUSTER=" in mend


def test_topics_made_anew_are_told_and_whether_processes_have_noticed(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    clicks = shapes_of(healthy, ["clicks"])["clicks"].topic_id
    with_redis(lambda redis: redis.hset(keys.topic("clicks"), mapping={"an old id": 0, clicks: 1}))
    with_redis(lambda redis: redis.hset(keys.topic("releases"), "an old id", 0))
    _, found = looked(refrain)
    state, said, _ = found["topics recreated"]
    assert (state, said.startswith("clicks 1 time: read from the start")) == ("fine", True)
    state, said, mend = found["topic recreated"]
    assert (state, said) == ("warning", "releases was recreated, and no process has begun with it yet")
    assert "look again" in mend


def test_another_half_life_is_wrong(healthy: Settings, refrain: Refrain) -> None:
    code, found = looked(refrain, half_life_days=14)
    assert (code, found["half-life"][0]) == (1, "wrong")
    assert "REFRAIN_HALF_LIFE_DAYS=30" in found["half-life"][2]


def test_the_model_is_told_damaged_chosen_by_hand_or_not_there(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: Snapshots(redis).publish(model_of(5, NOW)))
    assert refrain.run("model", "use", "4", "--pin").returncode == 0
    assert looked(refrain)[1]["model"][0] == "warning"
    with_redis(lambda redis: redis.setrange(keys.model(4), 200, b"?!"))
    code, found = looked(refrain)
    assert (code, found["model"][0]) == (1, "wrong")
    assert "refrain model use" in found["model"][2]
    with_redis(lambda redis: redis.delete("model:current", "model:pinned", "models"))
    state, said, _ = looked(refrain)[1]["model"]
    assert (state, "no model yet" in said) == ("warning", True)


def test_how_many_listeners_are_migrated_to_the_model_is_told(
    service: Settings, topics: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    state, said, mend = looked(refrain)[1]["listeners"]
    assert (state, said) == ("warning", "migrated to model 4: none yet, and no ingester runs")
    assert "refrain ingest" in mend

    async def sweep(redis: AnyRedis) -> None:
        await Sweeps(redis).begin(4, 7, NOW)
        await Sweeps(redis).add(5)

    with_redis(alive("ingest"))
    with_redis(sweep)
    assert looked(refrain)[1]["listeners"][:2] == ("fine", "migrated to model 4: 5 of 7")
    with_redis(lambda redis: Sweeps(redis).end(4))
    assert looked(refrain)[1]["listeners"][:2] == ("fine", "all 7 are migrated to model 4")


def test_songs_that_have_stayed_behind_the_model_are_told(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: SongModels(redis).publish(song_model(created_at=NOW - 3600)))
    assert "songs" not in looked(refrain)[1]
    with_redis(lambda redis: SongModels(redis).publish(song_model(version=5, created_at=NOW - 6 * 86_400)))
    state, said, mend = looked(refrain)[1]["songs"]
    assert (state, said) == ("warning", "song vectors are 6 d old, and go on serving")
    assert "started again and again" in mend


def test_a_process_that_is_starting_is_not_told_to_load_another_model(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(alive("ingest", "work", model=4))
    with_redis(starting("ingest", 5))
    with_redis(lambda redis: redis.hset(keys.process("ingest-another-1-1"), "model", 3))
    assert looked(refrain)[1]["model loaded"][:2] == ("fine", "version 4, by every process")


def test_a_process_that_has_not_loaded_the_model_that_serves_is_named(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(alive("ingest", "work", model=4))
    assert looked(refrain)[1]["model loaded"][:2] == ("fine", "version 4, by every process")
    with_redis(alive("work", model=3))
    state, said, mend = looked(refrain)[1]["model loaded"]
    assert (state, said.startswith("work-"), said.endswith("has 3, not 4")) == ("warning", True, True)
    assert "log" in mend


def test_a_release_that_waits_is_wrong(healthy: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    async def leave(redis: AnyRedis) -> None:
        await redis.hset(keys.release("r9"), "event", encode(Release(release_id="r9", artist_ids=["a1"])))
        await redis.zadd(keys.RELEASES_OPEN, {"r9": time.time() - 120})

    with_redis(leave)
    code, found = looked(refrain)
    assert (code, found["releases"][0]) == (1, "wrong")
    assert "r9" in found["releases"][1]


def test_a_merge_that_is_not_finished_is_wrong(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    async def begin(redis: AnyRedis) -> None:
        await Merges(redis).fence("visitor", "u1", "", 1.0)
        await redis.xadd(
            keys.MERGED_LATELY, {"id": "visitor", "into": "u1"}, id=f"{int(time.time() - 120)}000"
        )

    async def finish(redis: AnyRedis) -> None:
        forward = await Merges(redis).forward("visitor")
        assert forward
        await Merges(redis).finish(forward, 60.0)

    assert "merges" not in looked(refrain)[1]
    with_redis(begin)
    code, found = looked(refrain)
    assert (code, found["merges"][0]) == (1, "wrong")
    assert "1 merge begun more than a minute ago, and not finished: visitor" in found["merges"][1]
    with_redis(finish)
    assert looked(refrain)[1]["merges"][0] == "fine"


def test_a_health_check_asks_only_for_a_process_of_this_machine(
    settings: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(alive("ingest"))
    assert looked(refrain, "--only", "ingest", kafka=NO_BROKER)[0] == 0
    code, found = looked(refrain, "--only", "train")
    assert (code, found["train"][2]) == (1, "start `refrain train`")

    async def elsewhere(redis: AnyRedis) -> None:
        name = f"train-{socket.gethostname()}-2-1-1"
        await redis.hset(f"process:{{{name}}}", mapping={"kind": "train", "at": time.time()})
        await redis.zadd("processes", {name: time.time()})

    with_redis(elsewhere)
    assert looked(refrain, "--only", "train")[0] == 1


async def test_every_primary_of_a_cluster_is_looked_at(redis_cluster_url: str) -> None:
    settings = Settings(redis=redis_cluster_url)
    redis = await open_redis(settings)
    try:
        names = [check.name for check in await check_redis(redis, settings)]
    finally:
        await redis.aclose()
    for thing in ("Redis", "persistence", "eviction", "memory", "clock"):
        assert len([name for name in names if name.startswith(f"{thing} of 127.0.0.1:")]) == 3


def test_clicks_that_wait_for_songs_are_counted(
    healthy: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    async def wait(redis: AnyRedis) -> None:
        clicks = [Click("u1", OffsetSource(0), at, 1.0, f"missing {at % 2}", (), "play") for at in range(3)]
        await Waiting(redis).expect(clicks, time.time())
        fields = {place_of(click): pack(click, time.time()) for click in clicks}
        await redis.hset(keys.user_waiting("u1"), mapping=fields)

    with_redis(wait)
    state, said, _ = looked(refrain)[1]["waiting clicks"]
    assert state == "fine"
    assert said.startswith("3 clicks wait for 2 songs (missing 0, missing 1)")


def test_replicas_are_counted_against_how_many_are_waited_for(
    healthy: Settings, refrain: Refrain, tmp_path: Path
) -> None:
    primary, replica = OwnRedis(tmp_path / "primary"), OwnRedis(tmp_path / "replica")
    for each in (primary, replica):
        each.start()
    missing = looked(refrain, redis=primary.url, redis_replicas=1)[1]["replicas"]
    assert (missing[0], "0 connected" in missing[1]) == ("wrong", True)
    replica.follow(primary)
    unused = looked(refrain, redis=primary.url)[1]["replicas"]
    assert (unused[0], "REFRAIN_REDIS_REPLICAS=1" in unused[2]) == ("warning", True)
    assert looked(refrain, redis=primary.url, redis_replicas=1)[1]["replicas"][0] == "fine"
    for each in (primary, replica):
        each.kill()
