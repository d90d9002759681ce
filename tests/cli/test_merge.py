"""`refrain merge`, an ingester doing it; `forget` and `user` of who has several ids."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import pytest

from consumers.ingest.ingester import ingest
from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from tests.apart import WithRedis
from tests.cli.test_forget import everything
from tests.consumers.running import Running
from tests.fresh_topics import make_topics_anew
from tests.refrain_command import Refrain


@pytest.fixture
def ingester(service: Settings) -> Iterator[Settings]:
    make_topics_anew(service)
    with Running(ingest, service):
        yield service


def test_a_merge_says_what_the_listener_has_then_and_undone_what_each_has(
    ingester: Settings, refrain: Refrain
) -> None:
    made = refrain.asked("merge", "u2", "u1")
    assert {name: made[name] for name in ("user_id", "into", "clicks", "cohort")} == {
        "user_id": "u2", "into": "u1", "clicks": 20, "cohort": "c1",
    }  # fmt: skip
    assert refrain.asked("user", "u1")["ids"] == ["u2"]
    assert refrain.asked("merge", "u2", "u1") == made
    undone = refrain.asked("merge", "--undo", "u2")
    assert (undone["clicks"], undone["into_clicks"]) == (10, 10)
    assert refrain.asked("user", "u2")["clicks"] == 10


def test_how_a_merge_is_undone_is_said_as_a_shell_takes_it(ingester: Settings, refrain: Refrain) -> None:
    shown = refrain.run("merge", "it's u2", "u1").stdout
    (hint,) = re.findall(r"`refrain (.+)` undoes it", shown)
    undone = refrain.run(*shlex.split(hint))
    assert undone.stdout.startswith("it's u2 is a listener of its own again"), undone.stderr


def test_what_cannot_be_merged_is_refused_before_anything_is_published(
    ingester: Settings, refrain: Refrain
) -> None:
    refrain.asked("merge", "u2", "u1")
    for wrong, why in (
        (("u1", "u1"), "the same id"),
        (("u1", "u2"), "part of it already"),
        (("u2", "u3"), "`refrain merge --undo u2` undoes that first"),
        (("--undo", "u3"), "part of no other listener"),
        (("{u}", "u1"), "user_id"),
        (("u1",), "give two ids"),
        (("--undo", "u1", "u2"), "give two ids"),
    ):
        done = refrain.run("merge", *wrong)
        assert done.returncode == 2, wrong
        assert why in " ".join(done.stderr.split()), wrong


def test_without_an_ingester_it_says_that_it_will_be_done(service: Settings, refrain: Refrain) -> None:
    make_topics_anew(service)
    done = refrain.run("merge", "u2", "u1", "--wait", "0")
    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert "will be done, or become a dead letter where it cannot be by then" in said
    with Running(ingest, service):
        assert refrain.asked("merge", "u2", "u1")["clicks"] == 20


def test_nothing_is_left_of_a_forgotten_listener_under_any_id(
    ingester: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    async def tell(redis: AnyRedis) -> None:
        await redis.hset(keys.release_told("r1"), "u2", "c1")
        await redis.hset(keys.release_told("r2"), "u3", "c1")

    with_redis(tell)
    refrain.asked("merge", "u3", "u2")
    refrain.asked("merge", "u2", "u1")
    assert refrain.run("user", "u2").returncode == 1
    refused = refrain.run("forget", "u2")
    assert "`refrain forget u1` erases them under all their ids" in " ".join(refused.stderr.split())
    done = refrain.asked("forget", "u1")
    assert (sorted(done["ids"]), done["clicks"], done["told_of_releases"]) == (["u2", "u3"], 30, 2)
    after = with_redis(everything)
    assert isinstance(after, dict)
    packed = {key for key in after if key.endswith(b":taste") or key == b"model:4"}
    names = [b"u1", b"u2", b"u3"]
    assert not [key for key in after if any(name in key for name in names)]
    assert not [
        key
        for key, held in after.items()
        if key not in packed and any(f"'{n}'" in f"{held}" for n in ("u1", "u2", "u3"))
    ]
