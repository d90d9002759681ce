"""A replica takes the primary's place: what the primary had acknowledged and lost comes from Kafka again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from stream.broker import Child
from stream.settings import Settings
from tests.consumers.crowd import clicks, crowd_model, publish, put_songs
from tests.consumers.desk import Desk, feedback
from tests.consumers.ingest.test_ingest_rebalance import applied, undisturbed
from tests.consumers.kafka_log import KafkaLog
from tests.consumers.own_redis import OwnRedis, OwnSentinel
from tests.consumers.placed import MEMBERS, place
from tests.consumers.redis_state import assert_agrees, assert_same, read_state
from tests.consumers.test_faults import said
from tests.redis_cluster import RedisCluster, cluster_client
from tests.refrain_command import Refrain
from tests.waiting import wait_for

NOBODY = 1  # a port that nobody listens on


@dataclass
class Pair:
    """A primary and its replica, behind one name that leads to whoever is said to be the primary."""

    primary: OwnRedis
    replica: OwnRedis
    name: Path

    @property
    def url(self) -> str:
        return f"unix://{self.name}?db=0&socket_timeout=2"

    def lead_to(self, server: OwnRedis) -> None:
        new = self.name.with_suffix(".new")
        new.symlink_to(self.socket_of(server))
        new.rename(self.name)

    @staticmethod
    def socket_of(server: OwnRedis) -> Path:
        return server.folder / "redis.sock"

    def cut(self) -> None:
        """Let the replica hear no more of the primary."""
        with self.replica.client() as client:
            client.replicaof("127.0.0.1", NOBODY)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    servers = [OwnRedis(tmp_path / name, unixsocket="redis.sock") for name in ("one", "two")]
    for server in servers:
        server.start()
    pair = Pair(*servers, tmp_path / "redis.sock")
    pair.replica.follow(pair.primary)
    pair.lead_to(pair.primary)
    yield pair
    for server in servers:
        server.kill()


def fail_over_after_a_kill(pair: Pair) -> None:
    pair.primary.kill()
    pair.replica.promote()
    pair.lead_to(pair.replica)
    pair.primary.start()
    pair.primary.follow(pair.replica)


def fail_over_while_both_live(pair: Pair) -> None:
    pair.replica.promote()
    pair.primary.follow(pair.replica)  # and takes no writes any more
    pair.lead_to(pair.replica)


@pytest.mark.parametrize(
    "fail_over", [pytest.param(fail_over_after_a_kill, marks=pytest.mark.long), fail_over_while_both_live]
)
def test_a_failover_under_load_loses_no_click_and_counts_none_twice(
    settings: Settings, log: KafkaLog, refrain: Refrain, pair: Pair, fail_over: Callable[[Pair], None]
) -> None:
    own = settings.model_copy(update={"redis": pair.primary.url})
    publish(own, crowd_model())
    put_songs(own)
    events = list(clicks(3000))
    ingester = refrain.start("ingest", redis=pair.url, redis_replicas=1, batch_clicks=50)
    with pair.primary.client() as primary, pair.replica.client() as replica:
        log.send("clicks", events[:1000])
        log.wait_until_caught_up("ingest", "clicks")
        pair.cut()
        log.send("clicks", events[1000:])
        wait_for(lambda: applied(primary) > applied(replica), "clicks that the replica does not have")
        wait_for(lambda: said(ingester, "Redis's replicas are behind or away"), "a word about it")
        assert sum(log.committed("ingest", "clicks").values()) <= applied(replica)
    fail_over(pair)
    log.wait_until_caught_up("ingest", "clicks")
    assert ingester.stop() == 0
    assert said(ingester, "Redis has failed over")
    state = read_state(pair.replica.url)
    assert state.clicks == 3000
    assert_agrees(state)
    assert_same(state, undisturbed(settings))


@pytest.fixture
def watched(pair: Pair, tmp_path: Path) -> Iterator[OwnSentinel]:
    sentinel = OwnSentinel(tmp_path / "sentinel", pair.primary)
    sentinel.start()
    wait_for(lambda: sentinel.knows_replicas(1), "the Sentinel to know the replica")
    yield sentinel
    sentinel.kill()


def test_a_primary_that_dies_under_load_is_replaced_by_a_sentinel_and_every_click_counts_once(
    settings: Settings, log: KafkaLog, refrain: Refrain, pair: Pair, watched: OwnSentinel
) -> None:
    with pair.primary.client() as primary:
        ingester = start_under_load(settings, log, refrain, watched.watched, primary)
    pair.primary.kill()
    wait_for(lambda: watched.names(pair.replica), "the replica to be promoted")
    pair.primary.start()
    pair.primary.follow(pair.replica)  # as the Sentinel does within ten seconds: a replica is waited for
    log.wait_until_caught_up("ingest", "clicks")
    assert_every_click_counts_once(ingester, pair.replica.url)


def test_a_node_of_a_cluster_that_dies_under_load_is_replaced_and_every_click_counts_once(
    settings: Settings, log: KafkaLog, refrain: Refrain, tmp_path: Path
) -> None:
    with RedisCluster(tmp_path / "cluster", replicated=True) as cluster:
        with cluster_client(cluster.url) as client:
            ingester = start_under_load(settings, log, refrain, cluster.url, client)
        cluster.kill(1)
        cluster.start(1)  # and becomes a replica: one is waited for
        log.wait_until_caught_up("ingest", "clicks")
        assert_every_click_counts_once(ingester, *cluster.primaries)


def start_under_load(
    settings: Settings, log: KafkaLog, refrain: Refrain, url: str, client: redis.Redis | redis.RedisCluster
) -> Child:
    """An ingester that waits for replicas, in the middle of 1,500 clicks."""
    own = settings.model_copy(update={"redis": url})
    publish(own, crowd_model())
    put_songs(own)
    log.send("clicks", clicks(1500))
    ingester = refrain.start("ingest", redis=url, redis_replicas=1, batch_clicks=20)
    wait_for(lambda: applied(client) > 100, "clicks to be applied")
    return ingester


def assert_every_click_counts_once(ingester: Child, *urls: str) -> None:
    assert said(ingester, "Redis does not answer") or said(ingester, "Redis has failed over")
    assert ingester.stop() == 0
    state = read_state(*urls)
    assert state.clicks == 1500
    assert_agrees(state)


def test_a_redis_that_is_paused_is_waited_for(
    settings: Settings, log: KafkaLog, refrain: Refrain, pair: Pair
) -> None:
    own = settings.model_copy(update={"redis": pair.primary.url})
    put_songs(own)
    ingester = refrain.start("ingest", redis=f"{pair.primary.url}?socket_timeout=0.1")
    with pair.primary.client() as primary:
        log.send("clicks", clicks(100))
        log.wait_until_caught_up("ingest", "clicks")
        primary.client_pause(3000)  # ms; until then it would not let itself be asked to go on either
        log.send("clicks", clicks(200, seed=2))
        wait_for(lambda: said(ingester, "Redis does not answer", "Timeout"), "a word about it")
        log.wait_until_caught_up("ingest", "clicks")
    assert ingester.stop() == 0
    assert read_state(pair.primary.url).clicks == 300


def test_a_failover_tells_nobody_twice_and_counts_all_feedback_once(
    settings: Settings, log: KafkaLog, refrain: Refrain, pair: Pair
) -> None:
    place(settings.model_copy(update={"redis": pair.primary.url}), MEMBERS)
    with pair.primary.client() as primary, pair.replica.client() as replica:
        desk = Desk(settings, log, primary)
        worker = refrain.start("work", redis=pair.url, redis_replicas=1)
        early = desk.ask("early", "a1").told
        log.wait_until_caught_up("work", "releases")
        pair.cut()
        log.send("feedback", feedback("early", [(user, "clicked") for user in sorted(early)[:100]]))
        desk.publish("late", "a1")
        wait_for(lambda: primary.hget("release:{early}", "clicked"), "clicks to be counted")
        wait_for(lambda: primary.exists("release:{late}:pages"), "a page to be fixed")
        wait_for(lambda: said(worker, "Redis's replicas are behind or away"), "a word about it")
        assert not desk.answer("late").pages
        assert not replica.exists("release:{late}", "release:{early}:seen")
        fail_over_after_a_kill(pair)
        late = desk.wait_for("late")
        assert late.told == early
        assert late.summary["users"] == len(early)
        log.wait_until_caught_up("work", "feedback")
        assert replica.hget("release:{early}", "clicked") == "100"
    assert worker.stop() == 0
