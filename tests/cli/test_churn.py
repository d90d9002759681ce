"""`refrain churn evaluate`: on clicks, split in time, and on tables of features."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.churn import DATA, TABLE
from consumers.churn.activity_log import ActivityLog
from consumers.churn.history import days_of
from consumers.churn.learners import OURS, usual_learners
from models.traits.churn_span import Span
from stream.errors import BadFile
from stream.settings import Settings
from tests.refrain_command import Refrain

with_table = pytest.mark.skipif(not DATA.exists(), reason=f"no table of features: there is no folder {DATA}")
SPANS = ("--days", "7", "--history-days", "14")
SECONDS = 86_400
BEGIN = 1_600_000_000 // SECONDS * SECONDS


@pytest.fixture
def refrain(tmp_path: Path) -> Iterator[Refrain]:
    settings = Settings(data=tmp_path / "data", kafka="127.0.0.1:1", redis="redis://127.0.0.1:1")
    with Refrain(settings, tmp_path) as command:
        yield command


def write_clicks(path: Path, days: int = 90, listeners: int = 200, *, leave: bool = True) -> Path:
    """Half of the listeners play on most days until a day of their own, then no more."""
    random = np.random.default_rng(0)
    leaves = np.where(leave & (np.arange(listeners) % 2 == 0), random.integers(5, days, listeners), days)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "ts", "action", "ms_played"])
        for listener, end in enumerate(leaves.tolist()):
            for day in np.flatnonzero(random.random(end) < (0.6 if leave else 0.95)).tolist():
                writer.writerow([f"listener-{listener}", BEGIN + day * SECONDS + 60 * listener, "play", 1000])
    return path


def write_table(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def found(refrain: Refrain, *arguments: object) -> Any:
    return refrain.asked("churn", "evaluate", *map(str, arguments))


def refused(refrain: Refrain, *arguments: object) -> str:
    done = refrain.run("churn", "evaluate", *map(str, arguments))
    assert done.returncode != 0
    return done.stderr.replace("\n", " ")


def test_who_leaves_is_predicted_from_clicks(refrain: Refrain, tmp_path: Path) -> None:
    result = found(refrain, write_clicks(tmp_path / "clicks.csv"), *SPANS)
    ours, *others = result["learners"]
    assert ours["name"] == OURS
    assert ours["auc"]["value"] > 0.85
    assert {each["name"] for each in others} == set(usual_learners(0))
    assert ours["auc"]["value"] > 0.97 * max(each["auc"]["value"] for each in others)
    tried = ours["confusion"]
    assert sum(tried.values()) == result["examples"]
    assert (tried["hits"] + tried["missed"]) / result["examples"] == pytest.approx(result["rate"])
    assert ours["importances"][0]["auc_lost"] > 0


def test_a_page_with_plots_is_written_without_names(refrain: Refrain, tmp_path: Path) -> None:
    page = tmp_path / "churn.html"
    arguments = (write_clicks(tmp_path / "clicks.csv"), *SPANS, "--no-baselines", "--html", page)
    done = refrain.run("churn", "evaluate", *map(str, arguments))
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert all(f'id="{name}"' in text for name in ("roc", "calibration", "importances"))
    assert "listener-1" not in text


def test_a_history_too_short_is_said_with_spans_that_fit(refrain: Refrain, tmp_path: Path) -> None:
    clicks = write_clicks(tmp_path / "clicks.csv", days=40)
    said = refused(refrain, clicks, "--no-baselines")
    assert "58 are needed" in said
    assert "--days 8 --history-days 16" in said
    assert found(refrain, clicks, "--no-baselines", "--days", 8, "--history-days", 16)["examples"] > 0


def test_where_nobody_churns_that_is_said(refrain: Refrain, tmp_path: Path) -> None:
    said = refused(refrain, write_clicks(tmp_path / "clicks.csv", leave=False), *SPANS)
    assert "none churned" in said


def test_a_table_may_have_text_and_gaps(refrain: Refrain, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    rows: list[list[object]] = [["uid", "plays_last_7", "device", "gone"]]
    for number in range(600):
        gone = random.random() < 0.3
        plays = "" if gone and random.random() < 0.7 else random.poisson(3)
        rows.append([number, plays, "tv" if random.random() < (0.8 if gone else 0.2) else "ph", int(gone)])
    table = write_table(tmp_path / "table.csv", rows)
    result = found(refrain, table, "--features", "--label", "gone", "--drop", "uid", "--splits", 3)
    assert {each["name"] for each in result["learners"]} == {OURS, *usual_learners(0)}
    assert min(each["auc"]["value"] for each in result["learners"]) > 0.85
    assert {each["feature"] for each in result["learners"][0]["importances"]} == {
        "plays_last_7",
        "device=ph",
        "device=tv",
    }


@pytest.mark.parametrize("option", [("--skip", 1), ("--comment", "#")])
def test_lines_before_a_table_are_passed_over(
    refrain: Refrain, tmp_path: Path, option: tuple[str, object]
) -> None:
    rows = [["plays", "churn"], *([number % 7, int(number % 7 < 2)] for number in range(200))]
    table = write_table(tmp_path / "table.csv", rows)
    table.write_text("# of last week\n" + table.read_text())
    assert found(refrain, table, "--features", "--no-baselines", *option)["examples"] == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--features",), "no column 'churn'; it has uid, a, gone"),
        (("--features", "--label", "gone", "--drop", "id"), "no column 'id'"),
        (("--features", "--label", "uid"), "neither 1 nor 0"),
        *(
            (("--features", "--label", "gone", option, "30"), "--test-days and --listeners are of clicks")
            for option in ("--days", "--history-days", "--test-days", "--listeners")
        ),
        (("--features", "--label", "gone", "--map", "a=b"), "does not go with --map"),
        (("--label", "gone"), "add --features"),
        (("--features", "--label", "gone", "--drop", "a,uid"), "no column tells listeners apart"),
        (("--features", "--label", "gone", "--drop", "uid"), "none churned"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    refrain: Refrain, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    rows = [["uid", "a", "gone"], *([2 + n, n, 0] for n in range(100))]
    assert said in refused(refrain, write_table(tmp_path / "table.csv", rows), *arguments)


@given(st.integers(1, 200), st.integers(1, 45), st.integers(1, 30), st.integers(1, 10))
def test_no_outcome_that_is_learned_from_reaches_into_a_day_it_is_tried_on(
    length: int, history: int, outcome: int, asked: int
) -> None:
    first, span = 1000, Span(history, outcome)
    try:
        learned, tried = days_of(first, first + length - 1, span, asked)
    except BadFile:
        assert length < history + 2 * outcome
        return
    assert first + history <= learned[0]
    assert learned[-1] + outcome <= tried[0]
    assert tried[-1] + outcome == first + length
    assert 1 <= len(tried) <= asked
    assert sorted(set(learned + tried)) == learned + tried


@with_table
def test_music_box_is_predicted_as_it_was(refrain: Refrain) -> None:
    arguments = ("--features", "--label", "Churn", "--drop", "uid", "--splits", 3, "--no-baselines")
    (ours,) = found(refrain, DATA / TABLE, *arguments)["learners"]
    assert ours["auc"]["value"] > 0.90
    assert ours["accuracy"]["value"] > 0.865


def test_a_play_of_another_unit_and_a_day_before_1970_are_read_as_ingesters_read_them() -> None:
    log = ActivityLog(max_listeners=5)
    log.put("u", {"ts": 5.0, "song_id": "s", "ms_played": 10**20, "utc_offset_min": -60})
    log.put("u", {"ts": 9.0, "song_id": "s", "ms_played": 2_000})
    found = log.active_days()
    assert (found.days["day"].tolist(), found.days["ms"].tolist()) == ([0], [2_000])


def test_an_infinite_number_in_a_table_is_one_that_is_missing(refrain: Refrain, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    rows = [[random.integers(5), random.integers(9), int(random.random() < 0.4)] for _ in range(200)]
    rows[3][0], rows[4][0], rows[5][1], rows[6][1] = "inf", "-Infinity", "1e400", "1e300"
    table = write_table(tmp_path / "table.csv", [["plays", "days", "churn"], *rows])
    missing = [[("" if isinstance(each, str) else each) for each in row] for row in rows]
    same = write_table(tmp_path / "same.csv", [["plays", "days", "churn"], *missing])
    asked = "--features", "--splits", "2"
    first, second = (found(refrain, each, *asked)["learners"] for each in (table, same))
    assert first[0] == second[0]
    assert {each["name"] for each in first} == {each["name"] for each in second}
