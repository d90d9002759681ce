"""The commands of docs/history_ctr.md, as they are there, on a made-up history and on rows of a real one."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import redis

from consumers.ingest.ingester import ingest
from consumers.train.trainer import train
from stream.broker import Servers
from stream.settings import Settings
from tests.consumers.kept import heartbeat
from tests.consumers.running import Running
from tests.fresh_topics import make_topics_anew
from tests.refrain_command import Refrain
from tests.report.saavn_world import OTHERS_CLICK, World, write_world
from tests.waiting import wait_for

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "history_ctr.md").read_text(encoding="utf-8")
SAMPLES = ROOT.parent / "shared" / "data" / "real_files"
DOCUMENTED = [
    shlex.split(command)[1:]
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for command in re.findall(r"^\$ (refrain .*)", block.replace("\\\n", " "), re.MULTILINE)
]
SONGS, CLICKS, TARGETS, CTR = DOCUMENTED[:4]

with_samples = pytest.mark.skipif(
    not SAMPLES.exists(), reason=f"no samples of a real export: there is no folder {SAMPLES}"
)


@dataclass(frozen=True)
class History:
    """What was learned of a history: the files, the command in their folder, who is in which cohort."""

    world: World
    settings: Settings
    refrain: Refrain
    cohort_of: dict[str, str]

    def json(self, *command: str) -> Any:
        done = self.refrain.run(*command, "--json")
        assert done.returncode == 0, done.stdout
        return json.loads(done.stdout)

    def scene_of(self, cohort: str) -> int:
        scenes = Counter(self.world.scene_of[user] for user, c in self.cohort_of.items() if c == cohort)
        return scenes.most_common(1)[0][0]


@pytest.fixture(scope="module")
def history(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[History]:
    folder = tmp_path_factory.mktemp("history")
    world = write_world(folder)
    settings = Settings(
        kafka=servers.kafka,
        redis=servers.redis,
        data=folder / "data",
        group=f"test-{uuid4().hex[:8]}",
        partitions=4,
        cohorts=16,
        publish_every=1,
        publish_at_latest=1,
    )
    make_topics_anew(settings)
    with redis.Redis.from_url(settings.redis, decode_responses=True) as db:
        db.flushall()
        with Refrain(settings, folder) as refrain, Running(ingest, settings), Running(train, settings):
            for command in (SONGS, CLICKS):
                assert refrain.run(*command).returncode == 0
            wait_for(lambda: settled(db, world), "everybody placed by a model of all clicks")
        with Refrain(settings, folder) as refrain:
            cohort_of = {user: db.hget(f"user:{{{user}}}", "cohort") for user in listeners(world)}
            yield History(world, settings, refrain, cohort_of)


def listeners(world: World) -> list[str]:
    return [name for name in world.scene_of if name not in world.artists_of]


def settled(db: redis.Redis, world: World) -> bool:
    trainer = heartbeat(db)
    placed = sum(size for _, size in db.zrange("cohorts", 0, -1, withscores=True))
    here = placed == len(listeners(world)) and trainer.get("up_to_date") == "1"
    return here and db.hget("model:sweep", "done") == trainer.get("version")


def test_a_click_is_of_all_artists_of_its_song_and_one_on_no_song_is_a_bad_row(history: History) -> None:
    found = history.json(*CLICKS, "--dry-run")
    named = [event["value"]["artist_ids"] for event in found["events"]]
    assert {len(artists) for artists in named} == {1, 2}
    rows = history.world.clicks.read_text().splitlines()
    done = history.refrain.run(*CLICKS, "--where", "song_id=(null)", "--dry-run", "--json")
    assert json.loads(done.stdout)["bad"] == {"missing-field": sum(",(null)," in row for row in rows)}


def test_every_notification_should_go_to_a_cohort_of_its_own_scene(history: History) -> None:
    found = history.json(*TARGETS)["releases"]
    world = history.world
    assert {each["release_id"]: sorted(each["artists"]) for each in found} == {
        name: sorted(artists) for name, artists in world.artists_of.items()
    }
    assert [history.scene_of(each["cohort_id"]) for each in found] == [
        world.scene_of[each["release_id"]] for each in found
    ]


def test_the_ctr_of_a_cohort_is_clicked_over_members(history: History) -> None:
    world, sizes = history.world, Counter(history.cohort_of.values())
    rows = history.json(*CTR, "--by", "release")["rows"]
    assert len(rows) == len(world.artists_of)
    for row in rows:
        clicked = [u for u in world.clicked[row["release_id"]] if history.cohort_of[u] == row["cohort_id"]]
        assert (row["clicked"], row["members"]) == (len(clicked), sizes[row["cohort_id"]])
        assert row["ctr"] == pytest.approx(len(clicked) / sizes[row["cohort_id"]], abs=1e-6)
        everybody = len(world.clicked[row["release_id"]]) / len(history.cohort_of)
        assert row["random_ctr"] == pytest.approx(everybody, abs=1e-6)


def test_the_best_cohort_clicks_far_more_often_than_random_clusters_of_its_size(history: History) -> None:
    found = history.json(*CTR)
    best = found["rows"][0]
    assert best["ctr_low"] > best["random_high"]
    assert best["lift"] > 3
    assert all(row["ctr_low"] > row["random_high"] for row in found["rows"])
    assert found["lift"] > 3
    assert found["random_ctr"] < 4 * OTHERS_CLICK


def test_cohorts_come_best_first_and_add_up_to_the_notifications(history: History) -> None:
    found = history.json(*CTR)
    rates = [row["ctr"] for row in found["rows"]]
    assert rates == sorted(rates, reverse=True)
    assert sum(row["releases"] for row in found["rows"]) == found["releases"] == len(history.world.artists_of)
    by_release = history.json(*CTR, "--by", "release")["rows"]
    assert sum(row["clicked"] for row in found["rows"]) == sum(row["clicked"] for row in by_release)


def test_of_one_notification_every_cohort_is_shown_and_its_scene_clicks_most(history: History) -> None:
    found = history.json(*CTR, "--release", "9553")
    assert {row["cohort_id"] for row in found["rows"]} == set(history.cohort_of.values())
    assert sum(row["clicked"] for row in found["rows"]) == len(history.world.clicked["9553"])
    scenes = [history.scene_of(row["cohort_id"]) for row in found["rows"]]
    own = history.world.scene_of["9553"]
    cohorts = scenes.count(own)  # of its scene there may be one or several, which click alike
    assert set(scenes[:cohorts]) == {own}
    assert found["release"]["cohort_id"] in {row["cohort_id"] for row in found["rows"][:cohorts]}


def test_what_does_not_count_is_said(history: History) -> None:
    found = history.json(*CTR)
    assert (found["repeated"], found["unplaced"], found["unknown_release"]) == (100, 50, 30)
    assert found["counted"] == sum(map(len, history.world.clicked.values()))
    shown = " ".join(history.refrain.run(*CTR).stdout.split())
    assert "100 again by the same listener; 30 on releases that are not in the file; 50 by listeners" in shown


def test_the_same_seed_gives_the_same_random_clusters_and_another_others(history: History) -> None:
    first, again = history.json(*CTR), history.json(*CTR)
    assert first == again
    assert history.json(*CTR, "--seed", "7")["rows"] != first["rows"]


@pytest.mark.parametrize("command", [TARGETS, CTR, [*CTR, "--by", "release"], [*CTR, "--release", "9553"]])
def test_csv_has_a_row_for_each_in_json(history: History, command: list[str]) -> None:
    done = history.refrain.run(*command, "--csv")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    found = history.json(*command)
    listed = found["releases"] if command is TARGETS else found["rows"]
    assert [list(row) for row in rows] == [list(row) for row in listed]
    assert [row["cohort_id"] for row in rows] == [row["cohort_id"] for row in listed]


def test_clicks_of_other_days_are_left_out(history: History) -> None:
    found = history.json(*CTR, "--map", "ts=date", "--since", "20180816")
    rows = history.world.notification_clicks.read_text().splitlines()
    assert found["clicks"] == sum(row.split(",")[2] >= "20180816" for row in rows)


def test_a_notification_that_is_not_in_the_file_is_wrong_use(history: History) -> None:
    failed = history.refrain.run(*CTR, "--release", "77")
    assert failed.returncode == 2
    assert "no release '77'" in failed.stderr


def test_clicks_alone_do_not_say_of_whom_a_release_is(history: History) -> None:
    failed = history.refrain.run(*CTR[: CTR.index("--releases")])
    assert failed.returncode == 2
    assert "--releases FILE" in failed.stderr


@pytest.fixture
def samples(history: History, tmp_path: Path) -> Iterator[Refrain]:
    """The command among rows of a real export, and two artists more, of the song that was clicked."""
    for file in SAMPLES.glob("saavn_*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "saavn_newmetadata_part-00000").open("a") as metadata:
        metadata.write("\n_JUdlvPU,516437\n_JUdlvPU,535722\n")
    with Refrain(history.settings, tmp_path) as refrain:
        yield refrain


def said(refrain: Refrain, *command: str) -> str:
    done = refrain.run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return " ".join(done.stdout.split())


@with_samples
def test_the_documented_commands_read_the_rows_of_a_real_export(samples: Refrain) -> None:
    assert said(samples, *SONGS).startswith("2 songs sent")
    assert said(samples, *CLICKS).startswith("1 clicks sent")
    assert "1 release has no cohort to go to: nobody knows these artists yet" in said(samples, *TARGETS)
    assert "0 of 1 counted; 1 on releases that are not in the file" in said(samples, *CTR)


@with_samples
def test_a_click_of_a_real_export_has_its_artists_and_its_day_is_a_day(samples: Refrain) -> None:
    done = samples.run(*CLICKS, "--map", "ts=date", "--dry-run", "--json")
    (event,) = json.loads(done.stdout)["events"]
    assert event["value"] == {
        "user_id": "5525c71b6213340569f3aa1abc225514",
        "song_id": "_JUdlvPU",
        "ts": 1533081600.0,  # 2018-08-01
        "artist_ids": ["516437", "535722"],
    }


@with_samples
def test_a_click_on_no_song_of_a_real_export_is_no_click(samples: Refrain) -> None:
    columns = ("--columns", "song_id,user_id,ts,hour,date")
    done = samples.run("replay", "clicks", "saavn_part-00000_2017.csv", *columns, "--dry-run", "--json")
    found = json.loads(done.stdout)
    assert [event["value"]["song_id"] for event in found["events"]] == ["zzmLg9px", "zzk_wgWc"]
    assert found["bad"] == {"missing-field": 1}


@with_samples
def test_a_notification_of_a_real_export_may_be_published_as_a_release(samples: Refrain) -> None:
    done = samples.run("replay", "releases", *TARGETS[2:], "--dry-run", "--json")
    (event,) = json.loads(done.stdout)["events"]
    assert (event["value"]["release_id"], event["value"]["artist_ids"]) == ("9553", ["535722"])
