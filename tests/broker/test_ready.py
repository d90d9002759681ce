from __future__ import annotations

import socket
import threading

import pytest
import redis

from stream.broker import Servers
from stream.broker.ports import free_port
from stream.broker.ready import wait_for_kafka, wait_for_redis
from stream.errors import Unreachable


def test_a_broker_that_is_not_there_is_waited_for_and_then_named() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(Unreachable, match=rf"(?s)Kafka at {address} does not answer.*refused.*REFRAIN_KAFKA"):
        wait_for_kafka(address, timeout=0.1)


def test_one_broker_of_several_is_enough(kafka: str) -> None:
    wait_for_kafka(f"127.0.0.1:{free_port()},{kafka}", timeout=60)


def test_something_else_on_the_port_is_no_kafka(servers: Servers) -> None:
    address = servers.redis.removeprefix("redis://").removesuffix("/0")
    with pytest.raises(Unreachable, match=f"Kafka at {address}"):
        wait_for_kafka(address, timeout=0.1)


def test_what_takes_connections_and_does_not_answer_leaves_no_thread_behind() -> None:
    before = {each.ident for each in threading.enumerate()}
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(Unreachable, match=f"Kafka at {address}"):
            wait_for_kafka(address, timeout=0.1)
    left = [each.name for each in threading.enumerate() if each.ident not in before]
    assert not [name for name in left if name.startswith("kafka-io")]


def test_an_address_without_a_port_is_named() -> None:
    with pytest.raises(Unreachable, match="'somewhere' is no host:port"):
        wait_for_kafka("somewhere", timeout=0.1)


def test_a_redis_that_is_not_there_is_named_without_its_password() -> None:
    port = free_port()
    with pytest.raises(
        Unreachable, match=rf"redis://me:\*\*\*@127\.0\.0\.1:{port}/0 does not answer"
    ) as caught:
        wait_for_redis(f"redis://me:secret@127.0.0.1:{port}/0", timeout=0.1)
    assert "secret" not in str(caught.value)


def test_a_wrong_password_ends_the_wait_at_once(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.acl_setuser("me", enabled=True, passwords=["+right"], commands=["+ping"])
        try:
            with pytest.raises(Unreachable, match="does not let us in"):
                wait_for_redis(redis_url.replace("redis://", "redis://me:wrong@"), timeout=3600)
        finally:
            client.acl_deluser("me")


def test_a_long_wait_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.broker.ready._SAY_AFTER", 0.0)
    said: list[str] = []
    with pytest.raises(Unreachable):
        wait_for_kafka(f"127.0.0.1:{free_port()}", timeout=0.3, say=said.append)
    assert len(said) == 1
