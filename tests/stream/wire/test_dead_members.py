"""Who died on this machine leaves its consumer groups as soon as another process starts there."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import Consumer
from kafka import KafkaAdminClient

from stream.settings import Settings
from stream.wire import dead_members
from stream.wire.dead_members import client_id, remove_dead
from tests.waiting import wait_for


def dead_process() -> str:
    """The number of a process that was."""
    done = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@contextmanager
def member(settings: Settings, client: str) -> Iterator[str]:
    """A member of a group of its own; gives the group."""
    group = f"g-{uuid4().hex}"
    # kafka-python's, polled in short steps, was once given no partition for 90 s.
    consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": group, "client.id": client})
    with closing(consumer):
        consumer.subscribe(["clicks"])
        wait_for(lambda: consumer.poll(0.1) or consumer.assignment(), "partitions")
        yield group


def removed(settings: Settings, group: str) -> int:
    with closing(KafkaAdminClient(bootstrap_servers=settings.kafka)) as admin:
        number = remove_dead(admin, [group])
        assert len(admin.describe_groups([group])[group]["members"]) == 1 - number
        return number


def of(process: str) -> str:
    return client_id().removesuffix(str(os.getpid())) + process


def test_a_process_that_is_no_more_is_taken_out(topics: Settings) -> None:
    with member(topics, of(dead_process())) as group:
        assert removed(topics, group) == 1


def test_a_process_that_lives_stays(topics: Settings) -> None:
    with member(topics, client_id()) as group:
        assert removed(topics, group) == 0


@pytest.mark.parametrize("other", ["refrain@elsewhere/pid:[1]/", "aiokafka-", ""])
def test_who_is_of_another_machine_or_no_process_of_ours_stays(topics: Settings, other: str) -> None:
    with member(topics, f"{other}{dead_process()}") as group:
        assert removed(topics, group) == 0


@pytest.mark.parametrize("name", ["3d1219c7c4c5404a", ""])
def test_who_is_of_another_machine_of_the_same_host_name_stays(
    topics: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.write_text("6f0d8a53ab9e4b5f\n")
    there.write_text(name)
    monkeypatch.setattr(dead_members, "MACHINE", there, raising=False)
    client = of(dead_process())
    monkeypatch.setattr(dead_members, "MACHINE", here, raising=False)
    with member(topics, client) as group:
        assert removed(topics, group) == 0


def test_the_name_of_a_client_does_not_tell_the_machines_id(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "id").write_text("6f0d8a53ab9e4b5f\n")
    monkeypatch.setattr(dead_members, "MACHINE", tmp_path / "id")
    assert "6f0d" not in client_id()


def test_a_machine_without_an_id_takes_out_its_own(
    topics: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(dead_members, "MACHINE", tmp_path / "none")
    with member(topics, of(dead_process())) as group:
        assert removed(topics, group) == 1


def test_a_group_that_is_not_there_has_nobody_to_take_out(topics: Settings) -> None:
    with closing(KafkaAdminClient(bootstrap_servers=topics.kafka)) as admin:
        assert remove_dead(admin, [f"g-{uuid4().hex}"]) == 0
