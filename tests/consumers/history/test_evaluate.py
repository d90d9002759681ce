"""An evaluation by Spark, and the same in memory: one run of Spark, which all look at."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from consumers.history.spark_als import NAME
from stream.settings import Settings
from tests.consumers.history.years import DAY, UNTIL, write_jsonl
from tests.models.worlds import World, make_world
from tests.refrain_command import Refrain

NOWHERE = {"kafka": "127.0.0.1:1", "redis": "redis://127.0.0.1:1"}
LISTENERS, LOOKED_AT = 400, 260
SHORT = 4_000  # ms, of which nothing is learned


@dataclass
class Runs:
    """The JSON of Spark on all clicks, of one in memory on those of its sample, and the page of the first."""

    spark: dict[str, Any]
    memory: dict[str, Any]
    page: str


def clicks_of(world: World) -> list[dict[str, Any]]:
    """Each play as a click; of all pairs 7 of 10 are over after 28 of 30 days, and the others begin then."""
    rng = random.Random(1)  # noqa: S311 - listeners made up, no secret
    pairs, clicks = world.plays.tocoo(), []
    for listener, artist, plays in zip(pairs.row, pairs.col, pairs.data, strict=True):
        begin, end = (0.0, 28.0) if rng.random() < 0.7 else (28.0, 30.0)
        for _ in range(int(plays)):
            at = round(UNTIL + DAY * (rng.uniform(begin, end) - 30), 3)
            click = {"user_id": f"u{listener}", "artist_ids": [world.artists[artist]], "ts": at}
            clicks.append({**click, "ms_played": 200_000 if (listener + artist) % 5 else SHORT})
    rng.shuffle(clicks)
    return [*clicks, {"user_id": "u0", "song_id": "by nobody", "ts": UNTIL}]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Refrain]:
    folder = tmp_path_factory.mktemp("evaluated")
    with Refrain(
        Settings(data=folder / "data", cohorts=8, dims=16, least_ms_played=SHORT + 1, **NOWHERE), folder
    ) as refrain:
        yield refrain


@pytest.fixture(scope="module")
def runs(command: Refrain, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("clicks")
    clicks = clicks_of(make_world(LISTENERS, n_scenes=4))
    files = list(map(str, write_jsonl(folder, clicks)))
    lowest = sorted({click["user_id"] for click in clicks}, key=lambda user: crc32(user.encode()))[:LOOKED_AT]
    of_sample = [click for click in clicks if click["user_id"] in set(lowest)]
    files_of_sample = map(str, write_jsonl(folder / "sample", of_sample))
    asked = "--listeners", str(LOOKED_AT), "--share", "0.3", "--json"
    page = folder / "page.html"
    with pytest.MonkeyPatch.context() as patch:
        # Java 17 ends in the vector instructions of MLlib where it has its first compiler only.
        # And half of its own stack is too little for ALS: what a thread has may not be left to Java.
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:+UseSerialGC -Xss512k")
        spark = command.run_program(
            *("history", "evaluate", *files, *asked, "--master", "local[2]", "--html", str(page)), timeout=500
        )
    assert spark.returncode == 0, spark.stdout + spark.stderr
    memory = command.run("evaluate", *files_of_sample, *asked, "--map", "ts=ts")
    assert memory.returncode == 0, memory.stdout + memory.stderr
    return Runs(json.loads(spark.stdout), json.loads(memory.stdout), page.read_text())


def audiences(result: dict[str, Any]) -> dict[str, Any]:
    return {entry["name"]: entry["audiences"] for entry in result["contenders"]}


@pytest.mark.timeout(600)
def test_spark_finds_what_is_found_in_memory_on_the_same_listeners(runs: Runs) -> None:
    same = "listeners", "artists", "artists_asked", "pairs", "until"
    assert {name: runs.spark[name] for name in same} == {name: runs.memory[name] for name in same}
    found, expected = audiences(runs.spark), audiences(runs.memory)
    for name in ("Refrain, audience", "Refrain, cohorts", "most active", "EASE, everybody"):
        assert found[name] == expected[name]


@pytest.mark.timeout(600)
def test_no_more_listeners_come_into_memory_than_are_asked_for_and_it_says_of_how_many(runs: Runs) -> None:
    assert runs.spark["listeners"] == LOOKED_AT
    assert runs.spark["listeners_in_all"] == LISTENERS
    assert f"{LOOKED_AT} listeners of {LISTENERS}, drawn" in runs.spark["note"]


@pytest.mark.timeout(600)
def test_als_of_spark_stands_beside_and_is_better_than_chance(runs: Runs) -> None:
    at_5_percent = audiences(runs.spark)[NAME][1]["lift"]
    assert at_5_percent["low"] > 1.5
    assert NAME in runs.page
    assert NAME not in audiences(runs.memory)


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        (("--limit", "5"), "--sample-users"),
        (("--sample-users", "0"), "a share above 0"),
        (("--split", "random", "--until", "2026-01-01"), "leave out --split random"),
        (("--listeners", "3"), "20"),
    ],
)
def test_an_option_that_does_not_go_is_refused_with_what_does(
    command: Refrain, tmp_path: Path, option: tuple[str, ...], hint: str
) -> None:
    files = write_jsonl(tmp_path, [{"user_id": "u", "artist_ids": ["ana"], "ts": UNTIL}], files=1)
    done = command.run("history", "evaluate", str(files[0]), *option, "--json")
    assert done.returncode == 2
    said = json.loads(done.stdout)
    assert hint in said["error"] + said["hint"]
