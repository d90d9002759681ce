"""How well the model predicts: where people look for it."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from stream.connect import AnyRedis
from stream.settings import Settings
from stream.stores import keys
from stream.stores.heartbeats import Heartbeat
from stream.stores.snapshots import Snapshots
from tests.apart import WithRedis
from tests.cli.service import NOW, model_of
from tests.refrain_command import Refrain

FIGURES = {
    "auc_cohort": 0.8, "lift_cohort": 4.2, "auc_listener": 0.9, "lift_listener": 6.3, "discoveries": 1500
}  # fmt: skip


def publish(version: int) -> Callable[[AnyRedis], Awaitable[None]]:
    model = replace(model_of(version, NOW + version), validation=FIGURES)
    return lambda redis: Snapshots(redis).publish(model)


def trainer(**gauges: float) -> Callable[[AnyRedis], Awaitable[None]]:
    async def beat(redis: AnyRedis) -> None:
        heartbeat = Heartbeat(redis, "train", gauges=dict(gauges))
        await heartbeat.beat(time.time())
        await redis.persist(keys.process(heartbeat.name))

    return beat


def foresight(refrain: Refrain) -> tuple[str, str]:
    checks = json.loads(refrain.run("doctor", "--json").stdout)["checks"]
    return next(((c["state"], c["found"]) for c in checks if c["name"] == "foresight"), ("", ""))


def test_the_list_of_models_says_what_each_was_published_with(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(publish(5))
    found = json.loads(refrain.run("model", "list", "--json").stdout)["models"]
    assert [model["foresight"] for model in found] == [FIGURES, {}]
    said = refrain.run("model", "list").stdout
    assert "4.2 x" in said
    assert "6.3 x" in said


def test_a_model_shows_how_well_those_before_it_predicted(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    assert "nothing yet" in refrain.run("model", "show").stdout
    with_redis(publish(5))
    said = " ".join(refrain.run("model", "show").stdout.split())
    assert "lift at 5 % 4.2 x by cohort, 6.3 x one by one; AUC 0.80, 0.90; 1,500 discoveries" in said


@pytest.mark.parametrize(
    ("gauges", "state", "said"),
    [
        ({}, "fine", "lift at 5 % 4.2 x by cohort, 6.3 x one by one, over the last 1,500 discoveries"),
        ({"lift_listener": 1.1}, "warning", "1.1 x one by one"),
        ({"lift_listener": 1.1, "discoveries": 20}, "fine", "the last 20"),
        ({"lift_listener": 0.0, "discoveries": 3}, "fine", "too few discoveries of an artist to say yet (3)"),
        ({"refused": 2}, "fine", "2 candidates were worse and not published"),
        ({"drifted": 0.0}, "warning", "listening drifts"),
    ],
    ids=["good", "by chance", "too few for a finding", "too few to say", "refused", "drift"],
)
def test_the_doctor_says_how_well_the_model_predicts(
    service: Settings,
    topics: Settings,
    refrain: Refrain,
    with_redis: WithRedis,
    gauges: dict[str, float],
    state: str,
    said: str,
) -> None:
    if "drifted" in gauges:
        gauges = {"drifted": time.time()}  # now, not when the tests were collected: a suite may take long
    with_redis(trainer(**FIGURES | gauges))
    found = foresight(refrain)
    assert found[0] == state
    assert said in found[1]


def test_the_doctor_says_nothing_of_what_nobody_has_measured(
    service: Settings, topics: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(trainer())
    assert foresight(refrain) == ("", "")
