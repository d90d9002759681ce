"""Kafka with a password over TLS, and with certificates on both sides: every client here gets in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.work.worker import work
from stream.settings import Settings
from stream.wire.topics import create_topics
from tests.consumers.desk import Desk
from tests.consumers.kafka_log import kafka_log
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.secured_kafka import PASSWORD, USER, SecuredKafka, secured_kafka
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as running:
        yield running


def by_password(secured: SecuredKafka, mechanism: str = "scram-sha-512") -> dict[str, Any]:
    return {
        "kafka": secured.sasl_ssl,
        "kafka_security_protocol": "sasl_ssl",
        "kafka_sasl_mechanism": mechanism,
        "kafka_username": USER,
        "kafka_password": PASSWORD,
        "kafka_ca_file": secured.ca,
    }


def by_certificate(secured: SecuredKafka) -> dict[str, Any]:
    return {
        "kafka": secured.ssl,
        "kafka_security_protocol": "ssl",
        "kafka_ca_file": secured.ca,
        "kafka_cert_file": secured.client,
    }


def changed(settings: Settings, **changes: Any) -> Settings:
    return Settings(**settings.model_dump(include=settings.model_fields_set) | changes)


@pytest.mark.parametrize("mechanism", ["plain", "scram-sha-512", "certificate"])
def test_clicks_songs_and_feedback_go_in_and_a_release_comes_out(
    settings: Settings, secured: SecuredKafka, mechanism: str
) -> None:
    options = by_certificate(secured) if mechanism == "certificate" else by_password(secured, mechanism)
    settings = changed(settings, **options)
    create_topics(settings)
    with kafka_log(settings) as log, redis.Redis.from_url(settings.redis, decode_responses=True) as db:
        desk = Desk(settings, log, db)
        with Running(ingest, settings), Running(work, settings):
            log.send("songs", [{"song_id": "s1", "artist_ids": ["a1"]}])
            log.send("clicks", [{"user_id": "u1", "song_id": "s1", "ts": 1.7e9}])
            wait_for(lambda: db.zcard("user:{u1}:artists") == 1, "the click to count")
            assert desk.ask(f"by {mechanism}", "a1").summary["users"] == 0
            log.wait_until_caught_up("work", "songs")


def test_commands_take_the_same_settings_and_show_no_password(
    settings: Settings, secured: SecuredKafka
) -> None:
    settings = changed(settings, **by_password(secured))
    create_topics(settings)
    with Refrain(settings, settings.data.parent) as command:
        done = command.run("doctor")
    assert f"1 at {secured.sasl_ssl}" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr + repr(settings)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kafka_password": "another"}, "it does not let refrain in"),
        ({"kafka_ca_file": "other"}, "its certificate is not trusted"),
        ({"kafka_security_protocol": "plaintext"}, "it speaks TLS"),
    ],
    ids=["password", "certificate", "protocol"],
)
def test_who_is_not_let_in_is_told_so_without_a_password(
    settings: Settings, secured: SecuredKafka, wrong: dict[str, Any], said: str
) -> None:
    given = by_password(secured) | wrong
    if "kafka_ca_file" in wrong:
        given["kafka_ca_file"] = secured.other_ca
    if given["kafka_security_protocol"] == "plaintext":
        given = {"kafka": secured.sasl_ssl}
    with Refrain(changed(settings, **given, connect_timeout=3.0), settings.data.parent) as command:
        done = command.run("doctor")
    assert done.returncode == 1
    shown = " ".join(done.stdout.split())
    assert secured.sasl_ssl in shown
    assert said in shown
    assert "another" not in done.stdout + done.stderr
