"""`refrain segment evaluate`: on made-up files, whose truth is known."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from consumers.evaluate.segment_rivals import rivals
from tests.consumers.labelled_world import N, affinities_of, is_in
from tests.refrain_command import Refrain


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Clicks, and labels: `a` is true, `chance` is drawn, `few` has four in it, `kind` has two classes."""
    clicks, labels = tmp_path / "clicks.csv", tmp_path / "labels.csv"
    rows = [f"u{n},{a},{int(w)}" for n in range(N) for a, w in affinities_of(n).items()]
    clicks.write_text("user_id,artist_ids,plays\n" + "\n".join(rows) + "\n")
    chance = np.random.default_rng(1).random(N) < 0.4
    lines = [f"u{n},a,{int(is_in(n))}" for n in range(0, N, 2)]
    lines += [f"u{n},chance,{int(chance[n])}" for n in range(0, N, 2)]
    lines += [f"u{n},few,{int(n < 4)}" for n in range(60)]
    lines += ["nobody,a,1", "u1,a,"]
    labels.write_text("user_id,segment,value\n" + "\n".join(lines) + "\n")
    return str(clicks), str(labels)


def run(refrain: Refrain, *arguments: str) -> dict[str, Any]:
    done = refrain.run("segment", "evaluate", *arguments, "--repeats", "1", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_true_segment_is_predicted_and_one_by_chance_is_not(
    refrain: Refrain, files: tuple[str, str]
) -> None:
    clicks, labels = files
    found = run(refrain, clicks, "--repeat", "plays", "--labels", labels)
    by_name = {each["segment"]: each for each in found["segments"]}
    ways = {(each["name"], each["clusters"]) for each in by_name["a"]["contenders"]}
    names = {"Refrain", "logistic regression", "LightGBM"}
    assert ways == {(name, clusters) for name in names for clusters in (True, False)}
    assert min(each["auc"] for each in by_name["a"]["contenders"] if each["name"] == "Refrain") > 0.95
    # Were labels of the held out learned from, chance would be predicted, too.
    assert all(0.3 < each["auc"] < 0.7 for each in by_name["chance"]["contenders"])
    assert by_name["few"]["contenders"] == []
    assert found["labelled_without_clicks"] == 1
    assert found["bad_labels"] == {"missing-field": 1}
    assert found["splits"] == 5


def test_it_is_shown_as_tables(refrain: Refrain, files: tuple[str, str]) -> None:
    clicks, labels = files
    done = refrain.run("segment", "evaluate", clicks, "--labels", labels, "--repeats", "1", "--no-baselines")
    assert done.returncode == 0, done.stderr
    assert "a  100 labelled, 100 in it" in done.stdout or "labelled" in done.stdout
    assert "too few of either kind" in done.stdout


def test_profiles_are_predicted_by_what_they_say_beside_titles(refrain: Refrain, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    profiles = {
        f"p{n}": {
            "titles": ",".join(
                f"Show {t}, part 2:{600 + 60 * t}" for t in random.choice(30, 4, replace=False)
            ),
            "genres": "Drama:900,Cricket:100" if n % 3 else "Cricket:900,Drama:100",
            "cities": "delhi:1000",
            "tod": "20:1000",
            "dow": "6:1000",
            "segment": "neg" if n % 3 else "pos",
        }
        for n in range(120)
    }
    path = tmp_path / "profiles.json"
    path.write_text(json.dumps(profiles))
    found = run(refrain, "--profiles", str(path), "--no-baselines", "--segment", "cricket")
    (segment,) = found["segments"]
    assert (segment["segment"], segment["labelled"], segment["positives"]) == ("cricket", 120, 40)
    assert all(each["auc"] > 0.95 for each in segment["contenders"])


def test_without_labels_it_is_said_what_is_missing(refrain: Refrain, files: tuple[str, str]) -> None:
    failed = refrain.run("segment", "evaluate", files[0], "--json")
    assert failed.returncode == 2
    assert "--labels" in json.loads(failed.stdout)["hint"]


def test_labels_of_listeners_who_have_not_clicked_are_told_of(
    refrain: Refrain, files: tuple[str, str], tmp_path: Path
) -> None:
    labels = tmp_path / "others.csv"
    labels.write_text("user_id,segment,value\nx1,a,1\nx2,a,0\n")
    failed = refrain.run("segment", "evaluate", files[0], "--labels", str(labels), "--json")
    assert failed.returncode == 1
    assert "none of the labelled listeners has clicked" in json.loads(failed.stdout)["error"]


def test_a_library_that_is_not_there_is_said_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    found, notes = rivals()
    assert list(found) == ["logistic regression"]
    assert "LightGBM" in notes[0]
    assert "pip install" in notes[0]


def test_a_library_of_the_system_that_is_missing_is_said_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_openmp(name: str) -> object:
        raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr("consumers.evaluate.segment_rivals.import_module", no_openmp)
    found, notes = rivals()
    assert found == {}
    assert all("libgomp1" in note for note in notes)
