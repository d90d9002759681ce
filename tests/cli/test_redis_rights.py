"""Refrain works as a user of Redis that may do what it needs and no more: scripts/redis-users.acl."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
import redis

from consumers.ingest.ingester import ingest
from stream.broker import Child
from stream.settings import Settings
from tests.consumers.crowd import click, clicks, put_songs
from tests.consumers.desk import Desk, feedback
from tests.consumers.kafka_log import KafkaLog, kafka_log
from tests.consumers.own_redis import OwnRedis
from tests.consumers.running import Running
from tests.fresh_topics import make_topics_anew
from tests.refrain_command import Refrain
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
USERS = ROOT / "scripts" / "redis-users.acl"
PASSWORD = "a b/c@d"  # noqa: S105 - of a server of the test's own
COMMANDS = [
    ["cohorts"],
    ["cohort", "c1"],
    ["users"],
    ["user", "ü1"],
    ["lifecycle"],
    ["segments"],
    ["segment", "rap"],
    ["recommend", "ü1"],
    ["audience", "--artist", "artist 1"],
    ["release", "list"],
    ["release", "show", "r1"],
    ["model", "list"],
    ["model", "show"],
    ["model", "clicks"],
    ["model", "use", "newest"],
    ["history", "abandon"],
    ["redrive"],
    ["export", "warehouse"],
    ["doctor"],
    ["forget", "ü1"],
]


def rights(text: str, password: str = PASSWORD) -> str:
    """The file with a password of our own, spelled as its hash: it may have blanks."""
    return text.replace(">CHANGE-THIS-PASSWORD", f"#{sha256(password.encode()).hexdigest()}")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[OwnRedis]:
    acl = tmp_path / "users.acl"
    acl.write_text(rights(USERS.read_text(encoding="utf-8")), encoding="utf-8")
    server = OwnRedis(tmp_path / "own redis", aclfile=str(acl))
    server.start()
    yield server
    server.kill()


def test_the_reader_of_the_page_reads_cohorts_and_no_keys_of_the_api_and_writes_nothing(
    tmp_path: Path,
) -> None:
    text = (ROOT / "docs" / "redis.md").read_text(encoding="utf-8")
    [line] = re.findall(r"^ +(user reader on .*)$", text, re.MULTILINE)
    (acl := tmp_path / "users.acl").write_text(f"user default on nopass ~* &* +@all\n{rights(line)}\n")
    server = OwnRedis(tmp_path / "redis", aclfile=str(acl))
    server.start()
    try:
        with (
            redis.Redis.from_url(server.url, decode_responses=True) as all_rights,
            redis.Redis.from_url(
                server.url, username="reader", password=PASSWORD, decode_responses=True
            ) as reader,
        ):
            all_rights.zadd("cohorts", {"c1": 2})
            all_rights.hset("user:{u1}", "cohort", "c1")
            assert reader.zrange("cohorts", 0, -1, withscores=True) == [("c1", 2.0)]
            assert reader.hgetall("user:{u1}") == {"cohort": "c1"}
            refused: list[Callable[[], object]] = [
                lambda: reader.hgetall("api:keys"),
                lambda: reader.get("opted-out"),
                lambda: reader.delete("user:{u1}"),
                lambda: reader.keys("*"),
                reader.flushall,
            ]
            for ask in refused:
                with pytest.raises(redis.exceptions.NoPermissionError):
                    ask()
    finally:
        server.kill()


@pytest.fixture
def own(settings: Settings, server: OwnRedis) -> Settings:
    url = server.url.replace("//", f"//refrain:{quote(PASSWORD, safe='')}@")
    changes = {"redis": url, "first_model_listeners": 50, "publish_every": 1.0, "cohorts": 4, "dims": 8}
    changes |= {"forget_dormant_days": 151, "traits_round_minutes": 0.02}
    own = Settings(**settings.model_dump(include=settings.model_fields_set) | changes)
    make_topics_anew(own)
    return own


def test_every_process_and_command_does_with_the_rights_of_the_file(
    own: Settings, server: OwnRedis, tmp_path: Path
) -> None:
    put_songs(own)
    with Refrain(own, tmp_path) as refrain, kafka_log(own) as log, server.client() as admin:
        started = [refrain.start(kind) for kind in ("ingest", "train", "work", "traits")]
        serve(log, Desk(own, log, admin), started)
        for command in COMMANDS:
            done = refrain.run(*command, "--json")
            assert done.returncode == 0, done.stdout + done.stderr
        assert [child.stop() for child in started] == [0, 0, 0, 0]
        # Redis 6 counts every CLIENT of redis-py's handshake; newer ones know none of what it tries.
        assert [each for each in admin.acl_log() if each["object"] != "client"] == []


def test_without_rights_that_only_look_all_goes_on_and_doctor_says_what_it_cannot_see(
    own: Settings, server: OwnRedis, tmp_path: Path
) -> None:
    with server.client() as admin:
        admin.execute_command("ACL", "SETUSER", "refrain", "-info", "-time", "-scan", "-memory")
        put_songs(own)
        with Refrain(own, tmp_path) as refrain, kafka_log(own) as log, Running(ingest, own):
            log.send("clicks", clicks(100))
            log.wait_until_caught_up("ingest", "clicks")
            found = json.loads(refrain.run("doctor", "--json").stdout)["checks"]
            odd = {check["name"]: check for check in found if "may not ask" in check["found"]}
            rights = {"Redis": "+info", "clock": "+time", "memory of listeners": "+memory|usage"}
            assert {name: check["state"] for name, check in odd.items()} == dict.fromkeys(rights, "warning")
            assert [name for name, right in rights.items() if right not in odd[name]["hint"]] == []
            user = next(iter(admin.smembers("cohort:{}:users")))
            failed = [json.loads(refrain.run("forget", user, "--json").stdout)]
            for right, other in (("+scan", "-time"), ("+time", "-scan")):
                admin.execute_command("ACL", "SETUSER", "refrain", right, other)
                failed.append(json.loads(refrain.run("forget", user, "--json").stdout))
    assert {each["kind"] for each in failed} == {"NotErased"}
    assert all("scripts/redis-users.acl" in each["hint"] for each in failed)


def serve(log: KafkaLog, desk: Desk, started: list[Child]) -> None:
    """Let it have clicks, a model, labels, a release and what came of it."""
    log.send("clicks", [*clicks(2000), {"user_id": "u", "song_id": "unheard of", "ts": 1.7e9}])
    log.send("clicks", [click("old", "artist 1", at=1.7e9)])
    log.send("songs", [{"song_id": "s", "artist_ids": ["artist 1"]}])
    wait_for(lambda: desk.db.get("model:current") or not all(child.alive for child in started), "a model")
    wait_for(lambda: desk.db.get("song-model:current"), "songs")
    assert [child.last_words() for child in started if not child.alive] == []
    log.send(
        "labels", [{"user_id": f"ü{n}", "segment": "rap", "value": n % 2, "ts": 1.7e9} for n in range(60)]
    )
    told = desk.ask("r1", "artist 1").told
    log.send("feedback", [*feedback("r1", [(user, "clicked") for user in sorted(told)[:20]])])
    for group, topic in {"ingest": "clicks", "work": "feedback", "labels": "labels"}.items():
        log.wait_until_caught_up(group, topic)
    wait_for(lambda: desk.db.exists("memory:days"), "memory to be measured")
    wait_for(lambda: desk.db.hexists("user:{old}:traits", "dormant"), "who is dormant to be noted")
    desk.db.hset("user:{old}:traits", "dormant", "1 0.0")  # long ago
    wait_for(lambda: not desk.db.exists("user:{old}", "listeners:expired"), "who is dormant to be erased")
