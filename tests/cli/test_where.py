"""`--where` of `refrain audience` and `refrain release publish`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stream.settings import Settings
from stream.stores.listeners import Listeners
from stream.stores.segments import Segments
from stream.stores.traits import Traits
from stream.wire.events import Label
from tests.apart import WithRedis
from tests.consumers.kafka_log import kafka_log
from tests.refrain_command import Refrain

TRAITS = {
    "u1": {"stage": "fading", "churn": 0.9},
    "u2": {"stage": "regular", "churn": 0.8},
    "u3": {"stage": "fading", "churn": 0.1},
}


@pytest.fixture
def traits(service: Settings, with_redis: WithRedis) -> None:
    with_redis(lambda redis: Traits(redis, Listeners(redis)).write(TRAITS))


def audience(refrain: Refrain, *options: str) -> Any:
    return refrain.asked("audience", "--artist", "Radiohead", "--max-audience", "7", *options)


def test_a_preview_counts_who_falls_out_by_which_condition(traits: None, refrain: Refrain) -> None:
    everybody = audience(refrain)
    assert (everybody["listeners"], everybody["left_out"]) == (5, {})
    found = audience(refrain, "--where", "stage=fading and churn>0.7")
    assert [each["user_id"] for each in found["first"]] == ["u1"]
    assert found["left_out"] == {"stage": 3, "churn": 1}


def test_conditions_that_are_given_one_by_one_must_all_hold(traits: None, refrain: Refrain) -> None:
    found = audience(refrain, "--where", "stage=fading", "--where", "churn>0.7")
    assert found["left_out"] == {"stage": 3, "churn": 1}


def test_people_read_who_falls_out(traits: None, refrain: Refrain) -> None:
    asked = "audience", "--artist", "Radiohead", "--max-audience", "7", "--where"
    assert "left out" not in refrain.run("audience", "--artist", "Radiohead").stdout
    found = refrain.run(*asked, "stage=fading and churn>0.7").stdout
    assert "3 do not meet the condition on stage" in found
    assert "1 do not meet the condition on churn" in found
    nobody = refrain.run(*asked, "stage=gone").stdout
    assert "nobody to tell: nobody may be told now" in nobody
    assert "left out: 5 do not meet the condition on stage" in nobody


def test_why_says_which_trait_keeps_a_listener_out(traits: None, refrain: Refrain) -> None:
    found = audience(refrain, "--where", "stage=fading", "--why", "u2")["why"]
    assert (found["told"], found["reason"]) == (False, "where")
    assert (found["fails"], found["fails_with"]) == ("stage", "regular")
    asked = "audience", "--artist", "Radiohead", "--max-audience", "7", "--where", "churn<1", "--why", "v1"
    said = refrain.run(*asked).stdout
    assert "they do not meet --where" in said
    assert "they have no churn yet" in said


@pytest.mark.parametrize("command", [("audience",), ("release", "publish", "r1")], ids=" ".join)
def test_a_condition_that_cannot_be_is_wrong_use_and_says_what_can(
    service: Settings, refrain: Refrain, command: tuple[str, ...]
) -> None:
    done = refrain.run(*command, "--artist", "Radiohead", "--where", "chrun>0.7", "--json")
    assert done.returncode == 2
    said = json.loads(done.stdout)["error"]
    assert "the condition 'chrun>0.7' cannot be: there is no trait 'chrun', the nearest is churn" in said


def test_a_published_release_carries_its_conditions(
    topics: Settings, service: Settings, refrain: Refrain
) -> None:
    done = refrain.run(
        "release", "r1", "--artist", "Radiohead", "--where", "churn>0.7 and stage=fading|regular"
    )
    assert done.returncode == 0, done.stdout
    with kafka_log(topics) as log:
        (event,) = log.events("releases")
    assert event["where"] == {"churn": {"above": 0.7}, "stage": ["fading", "regular"]}


@pytest.mark.parametrize("command", [("audience",), ("release", "publish", "r1")], ids=" ".join)
def test_a_segment_that_there_are_no_labels_of_is_refused(
    service: Settings, refrain: Refrain, with_redis: WithRedis, command: tuple[str, ...]
) -> None:
    label = Label(user_id="u1", segment="rock and roll", value=1, ts=1.0)
    with_redis(lambda redis: Segments(redis).label([label]))
    asked = *command, "--artist", "Radiohead", "--json", "--where"
    done = refrain.run(*asked, "segment:rock and rol>=0.5")
    assert done.returncode != 0
    said = json.loads(done.stdout)
    assert said["error"] == "there are no labels of a segment 'rock and rol'"
    assert "Did you mean rock and roll?" in said["hint"]


def test_conditions_on_a_segment_of_several_words_are_taken(
    traits: None, refrain: Refrain, with_redis: WithRedis
) -> None:
    label = Label(user_id="u1", segment="rock and roll", value=1, ts=1.0)
    with_redis(lambda redis: Segments(redis).label([label]))
    assert audience(refrain, "--where", "segment:rock and roll>=0.5 and churn<0.5")["left_out"] == {
        "segment:rock and roll": 5
    }


def test_no_text_at_all_is_no_condition_that_everybody_meets(service: Settings, refrain: Refrain) -> None:
    done = refrain.run("audience", "--artist", "Radiohead", "--where", "")
    assert done.returncode == 2
    assert "'' is no condition" in done.stdout + done.stderr
