"""`refrain report` on a small service: what it takes for a click, and what it says where it has no answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from consumers.ingest.ingester import ingest
from stream.settings import Settings
from tests.consumers.running import Running
from tests.fresh_topics import make_topics_anew
from tests.refrain_command import Refrain

RELEASES = "release_id,artist_ids\nr1,a1\nr2,a2\nr2,a3\nr3,unheard\n"
CLICKS = "release_id,user_id\nr1,u1\nr1,v1\nr2,v1\nr1,u1\n"


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    path = tmp_path / "releases.csv"
    path.write_text(RELEASES)
    return path


def ctr(refrain: Refrain, folder: Path, clicks: str, *options: str, name: str = "clicks.csv") -> Any:
    (folder / name).write_text(clicks)
    done = refrain.run("report", "ctr", name, "--releases", "releases.csv", "--json", *options)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)


def test_before_the_first_model_it_says_what_that_waits_for(
    settings: Settings, refrain: Refrain, releases: Path
) -> None:
    failed = refrain.run("report", "targets", str(releases))
    assert failed.returncode == 1
    assert "no model yet" in failed.stderr


def test_each_release_has_its_artists_by_name_and_its_cohort(
    service: Settings, refrain: Refrain, releases: Path
) -> None:
    found = json.loads(refrain.run("report", "targets", str(releases), "--json").stdout)["releases"]
    assert [(each["release_id"], each["artists"], each["cohort_id"]) for each in found] == [
        ("r1", ["Radiohead"], "c1"),
        ("r2", ["Sigur Rós", "[bold]Björk"], "c2"),
        ("r3", ["unheard"], ""),
    ]
    shown = " ".join(refrain.run("report", "targets", str(releases)).stdout.split())
    assert "1 release has no cohort to go to: nobody knows these artists yet" in shown


def test_of_a_few_members_counts_are_shown_and_no_rate(
    service: Settings, refrain: Refrain, releases: Path, tmp_path: Path
) -> None:
    found = ctr(refrain, tmp_path, CLICKS)
    assert (found["counted"], found["repeated"], found["without_cohort"], found["ctr"]) == (3, 1, 1, None)
    rows = {row["cohort_id"]: (row["members"], row["clicked"], row["ctr"]) for row in found["rows"]}
    assert rows == {"c1": (3, 1, None), "c2": (2, 1, None)}
    shown = refrain.run("report", "ctr", "clicks.csv", "--releases", "releases.csv").stdout
    assert "none: fewer than 20 members could have clicked" in shown


def test_clicks_of_two_ids_of_a_listener_are_the_listeners(
    service: Settings, refrain: Refrain, releases: Path, tmp_path: Path
) -> None:
    make_topics_anew(service)
    with Running(ingest, service):
        refrain.asked("merge", "u1", "u2")
    found = ctr(refrain, tmp_path, "release_id,user_id\nr1,u1\nr1,u2\n")
    assert (found["counted"], found["repeated"], found["unplaced"]) == (1, 1, 0)
    assert {row["cohort_id"]: row["clicked"] for row in found["rows"]} == {"c1": 1, "c2": 0}


def test_of_feedback_only_clicks_count(
    service: Settings, refrain: Refrain, releases: Path, tmp_path: Path
) -> None:
    kinds = "release_id,user_id,kind\nr1,u1,sent\nr1,u1,clicked\nr1,u2,sent\nr1,u3,opened\n"
    assert ctr(refrain, tmp_path, kinds)["counted"] == 1
    lines = '{"release_id": "r1", "user_id": "u1"}\n'
    found = ctr(refrain, tmp_path, lines, "--set", "kind=clicked", name="clicks.jsonl")
    assert found["counted"] == 1


def test_rows_that_cannot_be_used_are_counted(
    service: Settings, refrain: Refrain, releases: Path, tmp_path: Path
) -> None:
    (tmp_path / "clicks.csv").write_text(CLICKS + "r1,(null)\nr1,{\n")
    done = refrain.run("report", "ctr", "clicks.csv", "--releases", "releases.csv")
    assert done.returncode == 0
    said = " ".join(done.stderr.split())
    assert "2 of 6 rows of clicks.csv cannot be used (1 missing-field, 1 bad-id)" in said


def test_a_file_in_which_nothing_can_be_used_is_told_with_the_way_to_look(
    service: Settings, refrain: Refrain, releases: Path, tmp_path: Path
) -> None:
    (tmp_path / "clicks.csv").write_text("notification,user\nr1,u1\n")
    failed = refrain.run("report", "ctr", "clicks.csv", "--releases", "releases.csv")
    assert failed.returncode == 1
    said = " ".join(failed.stderr.split())
    assert "clicks.csv: none of 1 rows can be used (1 missing-field)" in said
    assert "refrain replay feedback FILE --dry-run" in said


@pytest.mark.parametrize("options", [(), ("--by", "release"), ("--release", "r1")])
def test_the_table_fits_80_columns(
    service: Settings, refrain: Refrain, releases: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "clicks.csv").write_text(CLICKS)
    done = refrain.run("report", "ctr", "clicks.csv", "--releases", "releases.csv", *options)
    (header,) = (line for line in done.stdout.splitlines() if "members  clicked" in line)
    assert "…" not in header.replace("what sets it …", "")
    assert len(header) <= 80
