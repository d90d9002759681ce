"""Kafka with a password over TLS, and with certificates on both sides: every client here gets in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.work.worker import work
from stream.settings import Settings
from stream.wire.oauth import credentials_tokens
from stream.wire.topics import create_topics
from tests.consumers.desk import Desk
from tests.consumers.identity_provider import IdentityProvider
from tests.consumers.kafka_log import kafka_log
from tests.consumers.running import Running
from tests.refrain_command import Refrain
from tests.secured_kafka import PASSWORD, USER, SecuredKafka, secured_kafka, unsigned_token
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as running:
        yield running


@pytest.fixture
def identity_provider() -> Iterator[IdentityProvider]:
    with IdentityProvider(USER, PASSWORD) as provider:
        yield provider


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


def by_token_file(secured: SecuredKafka, folder: Path) -> dict[str, Any]:
    (folder / "token").write_text(unsigned_token(USER) + "\n")
    return {
        "kafka": secured.sasl_ssl,
        "kafka_security_protocol": "sasl_ssl",
        "kafka_sasl_mechanism": "oauthbearer",
        "kafka_token_file": folder / "token",
        "kafka_ca_file": secured.ca,
    }


def by_client_credentials(secured: SecuredKafka, url: str, secret: str = PASSWORD) -> dict[str, Any]:
    return {
        "kafka": secured.sasl_ssl,
        "kafka_security_protocol": "sasl_ssl",
        "kafka_sasl_mechanism": "oauthbearer",
        "kafka_token_url": url,
        "kafka_username": USER,
        "kafka_password": secret,
        "kafka_token_scope": "kafka",
        "kafka_ca_file": secured.ca,
    }


@pytest.mark.parametrize(
    "mechanism", ["plain", "scram-sha-512", "certificate", "a token's file", "a client's credentials"]
)
def test_clicks_songs_and_feedback_go_in_and_a_release_comes_out(
    settings: Settings,
    secured: SecuredKafka,
    identity_provider: IdentityProvider,
    tmp_path: Path,
    mechanism: str,
) -> None:
    options = {
        "certificate": lambda: by_certificate(secured),
        "a token's file": lambda: by_token_file(secured, tmp_path),
        "a client's credentials": lambda: by_client_credentials(secured, identity_provider.url),
    }
    settings = changed(settings, **options.get(mechanism, lambda: by_password(secured, mechanism))())
    create_topics(settings)
    with kafka_log(settings) as log, redis.Redis.from_url(settings.redis, decode_responses=True) as db:
        desk = Desk(settings, log, db)
        with Running(ingest, settings), Running(work, settings):
            log.send("songs", [{"song_id": "s1", "artist_ids": ["a1"]}])
            log.send("clicks", [{"user_id": "u1", "song_id": "s1", "ts": 1.7e9}])
            wait_for(lambda: db.zcard("user:{u1}:artists") == 1, "the click to count")
            assert desk.ask(f"by {mechanism}", "a1").summary["users"] == 0
            log.wait_until_caught_up("work", "songs")


def test_a_token_is_asked_for_once_and_again_before_it_ends(identity_provider: IdentityProvider) -> None:
    tokens = credentials_tokens(identity_provider.url, USER, PASSWORD, "kafka", None)
    assert tokens() == tokens()
    assert len(identity_provider.asked) == 1
    assert identity_provider.asked[0] == {"grant_type": "client_credentials", "scope": "kafka"}
    identity_provider.seconds = 0
    brief = credentials_tokens(identity_provider.url, USER, PASSWORD, "brief", None)
    assert brief() != brief()


def test_a_client_whose_secret_is_wrong_is_told_so_without_it(
    settings: Settings, secured: SecuredKafka, identity_provider: IdentityProvider
) -> None:
    given = by_client_credentials(secured, identity_provider.url, "another")
    with Refrain(changed(settings, **given, connect_timeout=3.0), settings.data.parent) as command:
        done = command.run("doctor")
    assert done.returncode == 1
    assert "gives no token: HTTP 401 invalid_client" in " ".join(done.stdout.split())
    assert "another" not in done.stdout + done.stderr


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
