from __future__ import annotations

from pathlib import Path

import pytest
import redis
from kafka import KafkaProducer

from consumers.demo.ground import clear_folder, clear_servers
from consumers.local.demo_settings import demo_settings
from stream.broker.folder import hold
from stream.errors import CannotStart, RefrainError
from stream.settings import Settings


def _silent(_: str) -> None:
    pass


def test_the_pace_of_a_demo_gives_way_to_what_the_user_has_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFRAIN_PUBLISH_EVERY", "45")
    chosen = demo_settings(Settings())
    assert chosen.publish_every == 45.0
    assert chosen.first_model_listeners == 1000


def test_a_demo_tries_taste_alone_on_a_quarter_unless_the_user_wants_no_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = demo_settings(Settings())
    assert (chosen.ab_policy, chosen.ab_share) == ("taste", 0.25)
    monkeypatch.setenv("REFRAIN_AB_POLICY", "")
    assert demo_settings(Settings()).ab_policy == ""


def test_a_demo_begins_anew_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "kafka").mkdir()
    ours = demo_settings(Settings(data=tmp_path))
    (ours.data / "kafka" / "logs").mkdir(parents=True)
    clear_folder(ours, _silent)
    assert not (ours.data / "kafka").exists()
    assert (tmp_path / "kafka").exists()


def test_the_folder_of_a_demo_that_runs_is_left_alone(tmp_path: Path) -> None:
    ours = demo_settings(Settings(data=tmp_path))
    (ours.data / "kafka").mkdir(parents=True)
    with hold(ours.data, say=_silent), pytest.raises(CannotStart, match="held by"):
        clear_folder(ours, _silent)
    assert (ours.data / "kafka").exists()


def test_empty_servers_that_are_given_are_used(topics: Settings) -> None:
    clear_servers(topics, topics)


def test_servers_that_held_a_demo_are_used_again(topics: Settings) -> None:
    clear_servers(topics, topics)
    _click(topics)
    clear_servers(topics, topics)


def test_a_given_redis_that_holds_other_data_is_refused_by_name(topics: Settings) -> None:
    with redis.Redis.from_url(topics.redis) as client:
        client.set("user:{somebody}", "real")
    with pytest.raises(RefrainError, match=rf"Redis at {topics.redis}.*Unset REFRAIN_REDIS"):
        clear_servers(topics, topics)


def test_a_given_kafka_that_holds_clicks_is_refused_by_name(topics: Settings) -> None:
    _click(topics)
    with pytest.raises(RefrainError, match=rf"Kafka at {topics.kafka}.*Unset REFRAIN_KAFKA"):
        clear_servers(topics, topics)


def _click(settings: Settings) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.kafka)
    producer.send("clicks", b"{}").get(timeout=30)
    producer.close()
