from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stream.broker import servers
from stream.cohorts import Cohorts
from stream.connect import AnyRedis
from stream.listeners import Listeners
from stream.releases import OPTED_OUT
from stream.settings import Settings
from tests.cli.service import NOW, model_of
from tests.refrain_command import Refrain

WithRedis = Callable[[Callable[[AnyRedis], Awaitable[object]]], object]


def asked(refrain: Refrain, *arguments: str) -> Any:
    done = refrain.run(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_cohorts_are_listed_with_those_who_are_in_none(service: Settings, refrain: Refrain) -> None:
    found = asked(refrain, "cohorts")
    assert [(c["cohort_id"], c["size"], c["label"]) for c in found["cohorts"]] == [
        ("c1", 3, "Radiohead"),
        ("c2", 2, "Sigur Rós, [bold]Björk"),
    ]
    assert (found["listeners"], found["in_no_cohort"]) == (5, 2)
    shown = refrain.run("cohorts").stdout
    assert "2 in none" in shown
    assert "Sigur Rós, [bold]Björk" in shown


def test_a_cohort_shows_the_artists_that_set_it_apart(service: Settings, refrain: Refrain) -> None:
    found = asked(refrain, "cohort", "c1")
    assert (found["size"], found["ctr"], found["model_version"]) == (3, None, 4)
    assert (found["artists"][0]["artist_id"], found["artists"][0]["name"]) == ("a1", "Radiohead")
    assert found["artists"][0]["times_more"] > 1
    shown = refrain.run("cohort", "c1").stdout
    assert "Radiohead" in shown
    assert "nobody here has been told of one yet" in shown


def test_a_cohorts_history_is_shown(service: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    async def lives_on(redis: AnyRedis) -> None:
        cohorts = Cohorts(redis, Listeners(redis, 200))
        model = model_of(version=4, created_at=NOW)
        split = {"cohort_ids": ("c1", "c3"), "labels": ("rock · Radiohead", "Björk"), "parents": ("", "c1")}
        later = {
            "version": 5,
            "created_at": NOW + 60,
            "born": np.array([NOW, NOW + 60]),
            "heirs": {"c2": "c1"},
        }
        await cohorts.describe(replace(model, **split, **later), [{}, {}])

    with_redis(lives_on)
    found = asked(refrain, "cohort", "c1")
    assert [(e["version"], e["event"], e["others"]) for e in found["history"]] == [
        (4, "born", []),
        (5, "merged", ["c2"]),
        (5, "split", ["c3"]),
    ]
    assert found["history"][-1]["label"] == "rock · Radiohead"
    shown = refrain.run("cohort", "c1").stdout
    assert "split, giving c3" in shown
    assert "joined by c2" in shown
    assert asked(refrain, "cohort", "c3")["parent"] == "c1"
    assert "split from c1" in refrain.run("cohort", "c3").stdout
    assert "gone, most went to c1" in refrain.run("cohort", "c2").stdout


def test_what_came_of_releases_is_shown(service: Settings, refrain: Refrain, with_redis: WithRedis) -> None:
    counts = {"sent": 40, "opened": 10, "clicked": 4, "ctr": 0.1}
    with_redis(lambda redis: redis.hset("cohort:{c1}", mapping=counts))
    assert {name: asked(refrain, "cohort", "c1")[name] for name in counts} == counts
    assert "40 told, 10 opened, 4 clicked" in refrain.run("cohort", "c1").stdout
    assert "10.0 %" in refrain.run("cohorts").stdout


def test_an_unknown_cohort_is_told_apart_from_no_model(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("cohort", "c9")
    assert failed.returncode == 1
    assert "no cohort 'c9'; `refrain cohorts` lists the 2 there are" in failed.stderr


def test_a_listener_is_shown_with_weights_as_they_are_now(service: Settings, refrain: Refrain) -> None:
    found = asked(refrain, "user", "u1")
    assert (found["cohort"], found["label"], found["clicks"], found["bot"]) == ("c1", "Radiohead", 10, False)
    assert [(a["artist_id"], a["name"]) for a in found["artists"]] == [
        ("a1", "Radiohead"),
        ("a3", "[bold]Björk"),
    ]
    assert [a["weight"] for a in found["artists"]] == pytest.approx([8.0, 2.0], rel=1e-3)
    assert len(asked(refrain, "user", "u1", "--top", "1")["artists"]) == 1
    shown = refrain.run("user", "u1").stdout
    assert "[bold]Björk" in shown
    assert "c1  Radiohead" in shown


def test_bots_those_who_wait_and_those_who_opted_out_are_told_as_such(
    service: Settings, refrain: Refrain, with_redis: WithRedis
) -> None:
    with_redis(lambda redis: redis.sadd(OPTED_OUT, "u1"))
    assert "clicks like a bot" in refrain.run("user", "robot").stdout
    assert "waits for a model" in refrain.run("user", "w1").stdout
    assert "has opted out" in refrain.run("user", "u1").stdout
    assert asked(refrain, "user", "u1")["opted_out"]


def test_an_unknown_listener_is_told(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("user", "nobody")
    assert failed.returncode == 1
    assert "no listener 'nobody'" in failed.stderr
    assert "refrain doctor" in failed.stderr


def test_a_half_life_that_is_not_the_stored_one_is_refused(service: Settings, refrain: Refrain) -> None:
    failed = refrain.run("user", "u1", half_life_days=30)
    assert failed.returncode == 1
    assert "Set REFRAIN_HALF_LIFE_DAYS=14" in failed.stderr


@pytest.mark.parametrize("folder", ["", "demo"])
def test_without_addresses_the_servers_of_refrain_up_are_found(
    settings: Settings, refrain: Refrain, folder: str
) -> None:
    own = settings.model_copy(update={"redis": "", "data": settings.data / folder})
    settings.data.mkdir()
    with servers(own) as running:
        assert running.redis != settings.redis
        failed = refrain.run("cohorts", kafka="", redis="")
        assert "no model yet" in failed.stderr  # somebody has answered
