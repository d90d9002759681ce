from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.uplift import DATA, MAILING, mailing
from consumers.evaluate import installed
from consumers.evaluate.uplift_learners import usual_learners
from stream.settings import Settings
from tests.refrain_command import Refrain

with_mailing = pytest.mark.skipif(
    not DATA.exists(), reason=f"no randomised mailing: there is no folder {DATA}"
)
USUAL = set(usual_learners())
MAP = ("--map", "outcome=visit", "--features", "age,town", "--uplift")


@pytest.fixture
def refrain(tmp_path: Path) -> Iterator[Refrain]:
    settings = Settings(data=tmp_path / "data", kafka="127.0.0.1:1", redis="redis://127.0.0.1:1")
    with Refrain(settings, tmp_path) as command:
        yield command


def found(refrain: Refrain, *arguments: str) -> Any:
    return refrain.asked("evaluate", *arguments, "--uplift")


def write_trial(path: Path, n: int = 4000, *, fair: bool = True) -> Path:
    """A mailing that moves Romans, and nobody else; unfair where the old are mailed more often."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "town", "treated", "visit", "arm"])
        for _ in range(n):
            age, town = int(rng.integers(20, 70)), str(rng.choice(["Rome", "Oslo"]))
            treated = rng.random() < (0.5 if fair else age / 90)
            visit = rng.random() < 0.1 + 0.2 * (treated and town == "Rome") + (age - 45) / 1000
            writer.writerow([age, town, int(treated), int(visit), "mail" if treated else "none"])
    return path


def test_who_is_moved_is_found_and_better_than_who_does_it_anyway(refrain: Refrain, tmp_path: Path) -> None:
    result = found(refrain, str(write_trial(tmp_path / "trial.csv")), *MAP[:4])
    ours, *others = result["learners"]
    assert (ours["name"], ours["refrain"]) == ("Refrain", True)
    assert ours["qini"]["low"] > 0.02
    assert {each["name"] for each in others} == USUAL
    assert [each["qini"]["value"] for each in others] == sorted(
        (each["qini"]["value"] for each in others), reverse=True
    )
    (alone,) = (each for each in others if each["name"].startswith("the outcome alone"))
    assert alone["refrain_ahead"]["value"] == pytest.approx(ours["qini"]["value"] - alone["qini"]["value"])
    assert alone["refrain_ahead"]["low"] > -0.02
    assert result["effect"]["difference_low"] <= 0.1 <= result["effect"]["difference_high"]
    gain = dict(ours["gain"])
    assert gain[0.5] > 0.8 * gain[1.0], "half of the rows are Romans"
    assert result["notes"] == []
    assert set(result["features"]) == {"age", "town=Oslo", "town=Rome"}


@with_mailing
@pytest.mark.long  # a minute: that the usual learners are not better is tested above, on a mailing made up
@pytest.mark.parametrize("outcome", ["visit", "conversion"])
def test_on_a_real_mailing_it_is_level_with_the_best_usual_learner(refrain: Refrain, outcome: str) -> None:
    result = found(refrain, str(DATA / MAILING), *mailing(outcome))
    ours, best, *_ = result["learners"]
    assert result["splits"] == 10
    assert result["treated"] + result["control"] == 64_000
    assert result["effect"]["difference_low"] > 0
    assert ours["qini"]["value"] > 0.02
    assert best["refrain_ahead"]["value"] > -0.005
    assert best["refrain_ahead"]["high"] > 0


def test_the_control_group_may_be_named(refrain: Refrain, tmp_path: Path) -> None:
    path = str(write_trial(tmp_path / "trial.csv"))
    plain = found(refrain, path, *MAP[:4], "--no-baselines")
    named = found(
        refrain,
        *(path, "--map", "treated=arm,outcome=visit", "--features", "age,town"),
        *("--control", "none", "--no-baselines"),
    )
    assert named["treatments"] == ["mail"]
    assert named["learners"] == plain["learners"]
    assert [each["name"] for each in plain["learners"]] == ["Refrain"]


def test_groups_that_were_not_drawn_by_chance_are_noticed(refrain: Refrain, tmp_path: Path) -> None:
    path = write_trial(tmp_path / "trial.csv", fair=False)
    result = found(refrain, str(path), *MAP[:4], "--no-baselines")
    assert any("The groups differ in age" in note for note in result["notes"])


def test_few_outcomes_are_warned_of(refrain: Refrain, tmp_path: Path) -> None:
    path = write_trial(tmp_path / "trial.csv", n=600)
    result = found(refrain, str(path), *MAP[:4], "--no-baselines")
    assert any("outcomes in one group" in note for note in result["notes"])


def test_without_scikit_learn_refrain_is_measured_alone_and_what_is_missing_is_named(
    refrain: Refrain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.evaluate.uplift_learners.missing", lambda _: True)
    result = found(refrain, str(write_trial(tmp_path / "trial.csv")), *MAP[:4])
    assert [each["name"] for each in result["learners"]] == ["Refrain"]
    assert any(installed.EXTRA in note for note in result["notes"])


def test_people_see_a_table(refrain: Refrain, tmp_path: Path) -> None:
    done = refrain.run(
        "evaluate", str(write_trial(tmp_path / "trial.csv")), *MAP, "--no-baselines", "--splits", "3"
    )
    assert done.returncode == 0
    for part in ("Refrain", "Qini", "uplift", "best 10 %", "3, each with 20.0 % held out"):
        assert part in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--map", "outcome=visit"), "which columns were known before the treatment?"),
        (("--map", "outcome=visit", "--features", "age,visit"), "--features has visit, which is outcome"),
        (
            ("--map", "outcome=visit,treated=arm", "--features", "age"),
            "treated is 'mail', 'none', not 1 or 0",
        ),
        ((*MAP[:4], "--control", "x"), "--control 'x': treated has no such value; it has '0', '1'"),
        (("--map", "outcome=age", "--features", "town"), "can be used"),
        (("--features", "town"), "no column 'outcome'"),
        ((*MAP[:4], "--where", "treated=1"), "all rows are of one group"),
        ((*MAP[:4], "--where", "visit=1"), "the outcome is the same for all rows"),
        ((*MAP[:4], "--limit", "20"), "too few outcomes"),
        ((*MAP[:4], "--where", "town=Rome", "--features", "town"), "each has one value in all rows"),
        ((*MAP[:4], "--until", "30d"), "--uplift does not go with --until"),
    ],
)
def test_wrong_use_is_told(refrain: Refrain, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    write_trial(tmp_path / "trial.csv", 300)
    done = refrain.run("evaluate", "trial.csv", *arguments, "--uplift", "--json")
    answer = json.loads(done.stdout)
    assert said in answer["error"]
    assert done.returncode in (1, 2)
