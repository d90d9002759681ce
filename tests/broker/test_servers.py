from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from stream.broker import Servers, find_running, servers
from stream.broker.redis import WORTH_BYTES
from stream.errors import CannotStart, Unreachable
from stream.settings import Settings
from tests.broker.processes import is_running
from tests.waiting import wait_for


def _own(folder: Path) -> Settings:
    return Settings(data=folder, broker="java", connect_timeout=120)


def _own_redis(folder: Path, kafka: str) -> Settings:
    """Quick to start, where the fact is about any server."""
    return Settings(data=folder, kafka=kafka)


def _write(running: Servers) -> str:
    admin = KafkaAdminClient(bootstrap_servers=running.kafka)
    admin.create_topics([NewTopic("t", 1, 1)])
    cluster = admin.describe_cluster()["cluster_id"]
    admin.close()
    producer = KafkaProducer(bootstrap_servers=running.kafka)
    producer.send("t", b"kept", partition=0).get(timeout=30)
    producer.close()
    with redis.Redis.from_url(running.redis) as client:
        client.set("k", "kept")
    return str(cluster)


def _assert_kept(running: Servers, cluster: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=running.kafka)
    assert admin.describe_cluster()["cluster_id"] == cluster
    admin.close()
    consumer = KafkaConsumer(bootstrap_servers=running.kafka, auto_offset_reset="earliest")
    consumer.assign([TopicPartition("t", 0)])
    assert next(consumer).value == b"kept"
    consumer.close()
    with redis.Redis.from_url(running.redis) as client:
        assert client.get("k") == b"kept"


def _port(address: str) -> int:
    return int(address.rpartition(":")[2].partition("/")[0])


def test_data_outlive_a_restart_on_other_ports(tmp_path: Path) -> None:
    settings = _own(tmp_path / "ein Ordner, ü")
    with servers(settings) as first:
        cluster = _write(first)
    with ExitStack() as taken:
        for address in (first.kafka, first.redis):
            taken.enter_context(socket.create_server(("127.0.0.1", _port(address)), backlog=1))
        with servers(settings) as second:
            assert second.kafka != first.kafka
            assert second.redis != first.redis
            _assert_kept(second, cluster)


def test_no_server_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from stream.broker import servers
from stream.settings import Settings
with servers(Settings(data=Path({str(tmp_path)!r}), broker="java", connect_timeout=120)) as running:
    print(*(child.pid for child in running.children), flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(is_running(pid) for pid in pids)
        state = find_running(tmp_path)
        assert state is not None
        assert state.pid == parent.pid
        cluster = _write(Servers(state.kafka, state.redis))
        parent.kill()
    # At once: it waits for the servers of the killed one to let go of the folder.
    with servers(_own(tmp_path)) as running:
        assert not any(is_running(pid) for pid in pids)
        _assert_kept(running, cluster)


def test_a_held_folder_is_refused_and_its_holder_named(tmp_path: Path, kafka: str) -> None:
    with (
        servers(_own_redis(tmp_path, kafka)),
        pytest.raises(CannotStart, match=rf"(?s)held by process {os.getpid()}.*REFRAIN_DATA"),
        servers(_own_redis(tmp_path, kafka)),
    ):
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, kafka: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match="file/data"), servers(_own_redis(tmp_path / "file/data", kafka)):
        pass


def test_running_servers_are_found_by_their_folder_and_gone_ones_are_not(tmp_path: Path, kafka: str) -> None:
    with servers(_own_redis(tmp_path, kafka)) as running:
        state = find_running(tmp_path)
        assert state is not None
        assert (state.kafka, state.redis) == (running.kafka, running.redis)
    assert find_running(tmp_path) is None


def test_an_address_stays_where_its_port_is_free(tmp_path: Path, kafka: str) -> None:
    with servers(_own_redis(tmp_path, kafka)) as first:
        pass
    with servers(_own_redis(tmp_path, kafka)) as second:
        assert second.redis == first.redis


def test_given_servers_are_used_and_nothing_is_made(tmp_path: Path, kafka: str, redis_url: str) -> None:
    with servers(Settings(data=tmp_path / "data", kafka=kafka, redis=redis_url)) as running:
        assert running == Servers(kafka, redis_url)
    assert not (tmp_path / "data").exists()


def test_a_server_that_ends_is_named_with_its_log(tmp_path: Path, kafka: str) -> None:
    with servers(_own_redis(tmp_path, kafka)) as running:
        running.check()
        child = running.children[0]
        child.signal(signal.SIGKILL)
        wait_for(lambda: not child.alive, "its end")
        with pytest.raises(Unreachable, match=r"Redis has ended with code -9.*output\.log"):
            running.check()


def test_a_kafka_that_cannot_start_says_why(tmp_path: Path, redis_url: str) -> None:
    settings = Settings(data=tmp_path, redis=redis_url, broker="java", connect_timeout=120)
    logs = tmp_path / "kafka" / "logs"
    logs.mkdir(parents=True)
    (logs / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=77\n")
    with (
        pytest.raises(Unreachable, match=r"(?s)Kafka has ended with code 1.*output\.log.*77"),
        servers(settings),
    ):
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's table of sockets")
def test_only_this_machine_can_reach_them(tmp_path: Path, kafka: str) -> None:
    with servers(_own_redis(tmp_path, kafka)) as running:
        ports = {_port(running.redis): "Redis", _port(kafka): "Kafka"}
        listening = [
            line.split()[1].split(":")
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A"
        ]
        found = {ports[int(port, 16)]: host for host, port in listening if int(port, 16) in ports}
    assert found.keys() == {"Kafka", "Redis"}
    # 127.0.0.1, as IPv4 and as Java's IPv6 socket has it
    assert set(found.values()) <= {"0100007F", "0000000000000000FFFF00000100007F"}


def test_what_runs_is_said(tmp_path: Path, kafka: str) -> None:
    said: list[str] = []
    with servers(_own_redis(tmp_path, kafka), say=said.append) as running:
        assert any(running.redis in line and str(tmp_path) in line for line in said)


def test_every_write_is_on_disk_within_a_second(tmp_path: Path, kafka: str) -> None:
    with servers(_own_redis(tmp_path, kafka)) as running, redis.Redis.from_url(running.redis) as client:
        kept = client.config_get("append*")
    assert (kept["appendonly"], kept["appendfsync"]) == ("yes", "everysec")


def test_a_redis_that_is_stopped_leaves_little_behind_its_snapshot(tmp_path: Path, kafka: str) -> None:
    with servers(_own_redis(tmp_path, kafka)) as running, redis.Redis.from_url(running.redis) as client:
        for _ in range(WORTH_BYTES // 1_000_000 + 1):
            client.set("key", b"x" * 1_000_000)
    (appended,) = (tmp_path / "redis" / "appendonlydir").glob("*.incr.aof")
    assert appended.stat().st_size < 1_000_000
    with servers(_own_redis(tmp_path, kafka)) as running, redis.Redis.from_url(running.redis) as client:
        assert client.strlen("key") == 1_000_000
