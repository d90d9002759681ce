"""Kafka with a password over TLS, and with certificates on both sides: every client here gets in."""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import redis
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from consumers.deliver.process import deliver
from consumers.ingest.ingester import ingest
from consumers.train.trainer import train
from consumers.traits.process import traits
from consumers.work.worker import work
from stream.broker import servers
from stream.settings import Settings
from stream.wire import topic_watch
from stream.wire.oauth import credentials_tokens
from stream.wire.topic_watch import TopicWatch
from stream.wire.topics import create_topics
from tests.consumers.crowd import click, clicks, put_songs
from tests.consumers.deliver.endpoint import SECRET, Endpoint, answer
from tests.consumers.desk import Desk, feedback
from tests.consumers.identity_provider import IdentityProvider
from tests.consumers.kafka_log import KafkaLog, kafka_log
from tests.consumers.running import Running
from tests.failing_looks import goes_on_where_looks_fail
from tests.fresh_topics import make_topics_anew, shapes_of
from tests.refrain_command import Refrain
from tests.secured_kafka import PASSWORD, USER, SecuredKafka, secured_kafka, unsigned_token
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]


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


def by_token_file(secured: SecuredKafka, folder: Path, user: str = USER) -> dict[str, Any]:
    (folder / "token").write_text(unsigned_token(user) + "\n")
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
    "mechanism",
    [
        pytest.param("plain", marks=pytest.mark.long),
        "scram-sha-512",
        pytest.param("certificate", marks=pytest.mark.long),
        pytest.param("a token's file", marks=pytest.mark.long),
        "a client's credentials",
    ],
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
    with servers(settings):  # `refrain up` waits for it
        pass
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


def test_a_token_of_which_it_is_not_said_how_long_it_is_valid_is_used(
    identity_provider: IdentityProvider,
) -> None:
    identity_provider.seconds = None
    tokens = credentials_tokens(identity_provider.url, USER, PASSWORD, "kafka", None)
    assert tokens() == tokens()
    assert len(identity_provider.asked) == 1


# kafka-python leaves the socket of a connection that gets no token to the garbage collector.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
async def test_an_identity_provider_that_is_away_for_a_moment_ends_no_process_that_watches_its_topics(
    settings: Settings, secured: SecuredKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topic_watch, "LOOK_SECONDS", 0.0)
    anybody = changed(settings, kafka=secured.inner)
    make_topics_anew(anybody)
    with ExitStack() as stack:
        with IdentityProvider(USER, PASSWORD) as provider:
            provider.seconds = 0
            by_tokens = changed(settings, **by_client_credentials(secured, provider.url))
            watch = stack.enter_context(closing(TopicWatch(by_tokens, shapes_of(anybody, ["clicks"]))))
            watch.look()
        assert watch._admin is not None
        connections = watch._admin._manager._conns

        async def close_all() -> None:
            for connection in list(connections.values()):
                connection.close()  # as a broker does with one that is idle

        watch._admin._manager.run(close_all)  # where they belong: in the client's own loop
        await goes_on_where_looks_fail(watch)
    gc.collect()  # here, and in no other test


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
        done = command.run_program("doctor")  # kafka-python leaves the socket of a refused handshake open
    assert done.returncode == 1
    shown = " ".join(done.stdout.split())
    assert secured.sasl_ssl in shown
    assert said in shown
    assert "another" not in done.stdout + done.stderr


def test_every_process_and_command_does_with_the_rights_of_the_script_and_none_is_idle(
    settings: Settings, secured: SecuredKafka, tmp_path: Path
) -> None:
    anybody = changed(settings, kafka=secured.inner)
    make_topics_anew(anybody)
    granted = grant(anybody, tmp_path)
    quick: dict[str, Any] = {"first_model_listeners": 50, "publish_every": 1.0, "cohorts": 4, "dims": 8}

    def as_user(name: str) -> Settings:
        (tmp_path / name).mkdir()
        return changed(settings, **by_token_file(secured, tmp_path / name, f"refrain-{name}"), **quick)

    put_songs(settings)
    mains = {"ingest": ingest, "train": train, "work": work, "traits": traits, "deliver": deliver}
    with ExitStack() as stack:
        endpoint = stack.enter_context(Endpoint())
        quick |= {"deliver_url": endpoint.url, "deliver_secret": SECRET, "deliver_cohort_changes": True}
        quick |= {"deliver_folder": tmp_path / "audiences"}
        endpoint.behave = lambda body: answer(404 if b"summary" in body else 204)
        log = stack.enter_context(kafka_log(anybody))
        db = stack.enter_context(redis.Redis.from_url(settings.redis, decode_responses=True))
        for kind, main in mains.items():
            stack.enter_context(Running(main, as_user(kind)))
        serve(stack.enter_context(kafka_log(as_user("producer"))), Desk(anybody, log, db))
        commands = Refrain(as_user("commands"), tmp_path)
        found = json.loads(commands.run("doctor", "--json").stdout)["checks"]
        assert {"broker", "topics", "lag of merges", "dead letters"} <= {check["name"] for check in found}
        for kind, row in ROWS.items():
            (tmp_path / f"{kind}.csv").write_text(row)
        log.send("songs", [{"song_id": "late", "artist_ids": ["artist 1"]}])
        log.wait_until_caught_up("work", "songs")
        for command in COMMANDS:
            done = commands.run(*command, "--json")
            assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in secured.authorizer_log.read_text().splitlines() if "User:refrain-" in line]
    # The cluster's id is for everybody; whether we may do more with the cluster is asked along with it.
    assert [line for line in lines if "is Denied" in line and "request = DescribeCluster" not in line] == []
    prefix = f"{anybody.group}-"
    used = {
        tuple(part.removeprefix(prefix) for part in found.groups())
        for line in lines
        if (found := RULE.search(line))
    }
    assert sorted(granted - used - NOT_HERE) == []


RULE = re.compile(
    r"resourceType=(\w+), resourceName=([\w-]+), .*principal=User:refrain-(\w+), .*operation=(\w+)"
)
"""In a line of the authorizer: the ACL that allowed something."""
READ_WHERE_BEHIND = ("clicks", "songs", "artist-aliases", "releases", "feedback", "labels", "merges")
NOT_HERE = {
    ("TOPIC", "audiences", "work", "READ"),
    ("TOPIC", "cohort-changes", "traits", "WRITE"),
    ("TOPIC", "audiences", "notifier", "READ"),
    ("GROUP", "notifier", "notifier", "READ"),
    ("TOPIC", "feedback", "notifier", "WRITE"),
    *(("TOPIC", topic, "commands", "READ") for topic in READ_WHERE_BEHIND),
}
"""What only a worker does that goes on with another's release, who erases dormant listeners, who tells
listeners, and the doctor where a group is behind."""
ROWS = {
    "clicks": "user_id,song_id,ts\nü3,song 1,2024-05-01T10:00:00Z\n",
    "songs": "song_id,artist_ids\nsong 99,artist 1\n",
    "artist-aliases": "alias,artist_id\nartist 0.5,artist 1\n",
    "labels": "user_id,segment,value,ts\nü3,rap,1,2024-05-01T10:00:00Z\n",
    "feedback": "user_id,release_id,kind,ts\nü3,r1,sent,2024-05-01T10:00:00Z\n",
}
COMMANDS = [
    ["redrive"],
    ["export", "warehouse"],
    ["release", "publish", "r2", "--artist", "artist 1"],
    ["merge", "ü1", "ü2"],
    *(["replay", kind, f"{kind}.csv"] for kind in ROWS),
]


def grant(settings: Settings, folder: Path) -> set[tuple[str, str, str, str]]:
    """Let Kafka have what the script gives, and return it: kind, name, user, operation."""
    recorder, record = folder / "recorder", folder / "record"
    recorder.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {record}\n')
    recorder.chmod(0o755)
    environment = {"KAFKA_ACLS": str(recorder), "REFRAIN_GROUP": settings.group, "PATH": os.environ["PATH"]}
    command = [ROOT / "scripts" / "kafka-acls", "--bootstrap-server", settings.kafka]
    subprocess.run(command, env=environment, check=True)
    parser = argparse.ArgumentParser()
    for one in ("--bootstrap-server", "--allow-principal", "--operation"):
        parser.add_argument(one, required=True)
    parser.add_argument("--add", action="store_true", required=True)
    parser.add_argument("--topic", action="append", default=[])
    parser.add_argument("--group", action="append", default=[])
    acls = []
    for line in record.read_text().splitlines():
        said = parser.parse_args(line.split())
        resources = [("TOPIC", name) for name in said.topic] + [("GROUP", name) for name in said.group]
        acls += [
            ACL(
                said.allow_principal,
                "*",
                # READ, and DESCRIBE_CONFIGS
                ACLOperation[re.sub("(?<=[a-z])(?=[A-Z])", "_", said.operation).upper()],
                ACLPermissionType.ALLOW,
                ResourcePattern(ResourceType[kind], name),
            )
            for kind, name in resources
        ]
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    assert admin.create_acls(acls)["failed"] == []
    admin.close()
    return {
        (
            acl.resource_pattern.resource_type.name,
            acl.resource_pattern.resource_name.removeprefix(f"{settings.group}-"),
            acl.principal.removeprefix("User:refrain-"),
            acl.operation.name,
        )
        for acl in acls
    }


def serve(producer: KafkaLog, desk: Desk) -> None:
    """Let the processes have something of each kind, and something of each that they cannot use."""
    producer.send("clicks", [*clicks(2000), click("u", song_id="late")])
    producer.send("songs", [{"song_id": "released", "artist_ids": ["artist 1"]}])
    producer.send("artist-aliases", [{"alias": "artist one", "artist_id": "artist 1"}])
    wait_for(lambda: desk.db.get("model:current"), "a model")
    desk.log.wait_until_caught_up("ingest", "clicks")
    labels = [{"user_id": f"ü{n}", "segment": "rap", "value": n % 2, "ts": 1.7e9} for n in range(60)]
    producer.send("labels", labels)
    release = {"release_id": "r1", "song_id": "released", "artist_ids": ["artist 1"], "max_audience": 1000}
    asked = itertools.count(1)

    def told_by_then() -> list[str]:
        producer.send("releases", [release])  # again, until the worker has the model
        return sorted(desk.wait_for("r1", summaries=next(asked)).told)

    told = wait_for(told_by_then, "an audience")
    producer.send("feedback", feedback("r1", [(user, "clicked") for user in told[:20]]))
    producer.send("clicks", [click("ü9", at=time.time())])  # who clicks is scored at once
    wait_for(lambda: any(each["user_id"] == "ü9" for each in desk.log.events("stage-changes")), "a stage")
    producer.send("merges", [{"user_id": "ü9", "into": "ü8", "ts": 1.7e9}])
    wait_for(lambda: heard_again(producer, desk, told[0]), "a play of what was released to be reported")
    for topic in ("clicks", "releases", "feedback", "labels", "merges"):
        producer.send(topic, [b"nothing that can be used"])
    groups = {"ingest": "clicks", "work": "feedback", "labels": "labels", "merges": "merges"}
    groups |= {"deliver": "audiences", "deliver-changes": "cohort-changes", "deliver-files": "audiences"}
    for group, topic in groups.items():
        desk.log.wait_until_caught_up(group, topic)
    wait_for(lambda: desk.log.count("stage-changes"), "stages")
    wait_for(lambda: desk.log.count("dead-letters") >= 5, "letters")


def heard_again(producer: KafkaLog, desk: Desk, user: str) -> bool:
    """Let a listener play the song that was released; whether that is reported, as it soon is."""
    producer.send("clicks", [click(user, "artist 1", song_id="released", at=time.time())])
    desk.log.wait_until_caught_up("ingest", "clicks")
    return any(event.get("kind") == "played" for event in desk.log.events("feedback"))
