from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.snapshots import Snapshots, snapshot_key
from tests.cli.service import NOW, model_of
from tests.refrain_command import Refrain

WithRedis = Callable[[Callable[[AnyRedis], Awaitable[object]]], object]


def publish(version: int) -> Callable[[AnyRedis], Awaitable[None]]:
    return lambda redis: Snapshots(redis).publish(model_of(version, NOW + version))


def serves(with_redis: WithRedis) -> object:
    return with_redis(lambda redis: Snapshots(redis).current())


def asked(refrain: Refrain, *arguments: str) -> Any:
    done = refrain.run("model", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_snapshots_are_listed_newest_first(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(publish(5))
    found = asked(refrain, "list")["models"]
    assert [(m["version"], m["serves"]) for m in found] == [(5, True), (4, False)]
    assert all(m["bytes"] > 1000 for m in found)
    assert "serves" in refrain.run("model", "list").stdout


def test_a_snapshot_says_what_it_holds(service: Settings, refrain: Refrain) -> None:
    found = asked(refrain, "show")
    assert (found["version"], found["clicks"], found["artists"], found["dims"]) == (4, 70, 3, 2)
    assert [c["label"] for c in found["cohorts"]] == ["Radiohead", "Sigur Rós, [bold]Björk"]
    assert "Sigur Rós, [bold]Björk" in refrain.run("model", "show", "4").stdout


def test_a_version_that_was_chosen_serves_until_the_newest_is_asked_for(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(publish(5))
    assert asked(refrain, "use", "4") == {"serves": 4, "pinned": 4}
    for version in range(6, 20):  # more than are kept
        with_redis(publish(version))
    assert serves(with_redis) == 4
    assert asked(refrain, "list")["pinned"] == 4
    assert asked(refrain, "show", "4")["serves"]
    assert asked(refrain, "use", "newest") == {"serves": 19, "pinned": None}
    with_redis(publish(20))
    assert serves(with_redis) == 20
    assert len(asked(refrain, "list")["models"]) == 10


def test_a_damaged_snapshot_cannot_be_chosen(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(publish(5))
    with_redis(lambda redis: redis.setrange(snapshot_key(4), 200, b"?!"))
    failed = refrain.run("model", "use", "4")
    assert failed.returncode == 1
    assert "snapshot 4 is damaged" in failed.stderr
    assert serves(with_redis) == 5


def test_a_snapshot_that_is_not_there_is_told(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("model", "show", "77")
    assert failed.returncode == 1
    assert "there is no snapshot 77" in failed.stderr
