from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.policy import DATA, judged, policy_as_run
from stream.settings import Settings
from tests.refrain_command import Refrain

CAMPAIGNS = ("men", "women")
RATES = {"a": 0.1, "b": 0.3, "c": 0.2}
LOGGING = {"a": 0.5, "b": 0.2, "c": 0.3}

with_bandit = pytest.mark.skipif(
    not DATA.exists(), reason=f"no logs of two policies: there is no folder {DATA}"
)


@pytest.fixture
def refrain(tmp_path: Path) -> Iterator[Refrain]:
    settings = Settings(data=tmp_path / "data", kafka="127.0.0.1:1", redis="redis://127.0.0.1:1")
    with Refrain(settings, tmp_path) as command:
        yield command


def found(refrain: Refrain, *arguments: str) -> Any:
    return refrain.asked("evaluate", *arguments, "--policy")


def refused(refrain: Refrain, *arguments: str) -> tuple[int, dict[str, str]]:
    done = refrain.run("evaluate", *arguments, "--json")
    answer: dict[str, str] = json.loads(done.stdout)
    return done.returncode, answer


def write_log(path: Path, n: int = 6000, judged: dict[str, float] | None = None, seed: int = 0) -> Path:
    """A log of `LOGGING`, actions clicked by `RATES`; its column `new` is of the policy to be judged."""
    judged = judged or {"a": 0.0, "b": 1.0, "c": 0.0}
    rng = np.random.default_rng(seed)
    actions = rng.choice(list(LOGGING), n, p=list(LOGGING.values()))
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["what", "prob", "click", "new", "town", "user"])
        for number, action in enumerate(actions):
            click = int(rng.random() < RATES[action])
            town = ("Rome", "Oslo")[number % 2]
            writer.writerow([action, LOGGING[action], click, judged[action], town, f"u{number // 3}"])
    return path


MAP = "--map=action=what,propensity=prob,reward=click,target=new"
MAP_FILE = "--map=action=what,propensity=prob,reward=click"


@with_bandit
@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_a_policy_judged_by_the_random_log_is_within_its_interval_of_what_it_earned_when_it_ran(
    refrain: Refrain, tmp_path: Path, campaign: str
) -> None:
    random, bts = (DATA / policy / campaign / f"{campaign}.csv.gz" for policy in ("random", "bts"))
    target = policy_as_run(bts, tmp_path / "bts.csv")
    result = found(refrain, str(random), *judged(target))
    with gzip.open(bts, "rt") as lines:
        ran = np.mean([int(row["click"]) for row in csv.DictReader(lines)])
    assert set(result["policy"]) == {"IPS", "SNIPS", "DR"}
    for estimate in result["policy"].values():
        assert estimate["low"] <= ran <= estimate["high"] < 3 * ran
    assert result["overlap"]["effective"] > 2000


@with_bandit
def test_the_random_policy_is_within_its_interval_where_bts_logged_enough_of_it_and_else_refused(
    refrain: Refrain,
) -> None:
    men, women = (str(DATA / "bts" / campaign / f"{campaign}.csv.gz") for campaign in CAMPAIGNS)
    options = ("--map", "action=item_id,propensity=propensity_score,reward=click", "--set")
    result = found(refrain, men, *options, f"target={1 / 34}")
    for estimate in result["policy"].values():
        assert estimate["low"] <= 0.0046 <= estimate["high"]
    code, answer = refused(refrain, women, "--policy", *options, f"target={1 / 46}")
    assert (code, answer["kind"]) == (1, "NoOverlap")
    assert "2.1 rows" in answer["error"]


def test_a_policy_is_judged_by_the_column_of_its_probabilities(refrain: Refrain, tmp_path: Path) -> None:
    result = found(refrain, str(write_log(tmp_path / "log.csv")), MAP)
    for estimate in result["policy"].values():
        assert estimate["low"] <= RATES["b"] <= estimate["high"]
        assert estimate["low"] > result["logged"]["high"]
    assert (result["rows"], result["actions"], result["users"]) == (6000, 3, None)
    assert result["interval"] == "gamma"
    assert "--target FILE" in result["notes"][0]


def test_the_file_of_a_policy_gives_what_the_column_gives_and_a_model_of_rewards_by_action(
    refrain: Refrain, tmp_path: Path
) -> None:
    policy = {"a": 0.0, "b": 0.75, "c": 0.25}
    log, target = write_log(tmp_path / "log.csv", judged=policy), tmp_path / "new.csv"
    target.write_text("what,chance\nb,0.75\nc,0.25\n")
    by_column = found(refrain, str(log), MAP)
    by_file = found(
        refrain, str(log), MAP_FILE, "--target", str(target), "--target-map", "action=what,probability=chance"
    )
    for name in ("IPS", "SNIPS"):
        assert by_file["policy"][name] == pytest.approx(by_column["policy"][name])
    widths = [
        result["policy"]["DR"]["high"] - result["policy"]["DR"]["low"] for result in (by_file, by_column)
    ]
    assert widths[0] < widths[1]
    assert by_file["reward_model"] == ["action"]


def test_a_policy_may_choose_by_columns_of_the_log(refrain: Refrain, tmp_path: Path) -> None:
    log, target = write_log(tmp_path / "log.csv"), tmp_path / "new.jsonl"
    rows = [{"town": "Rome", "action": "b", "why": "x"}, {"town": "Oslo", "action": "c", "why": "y"}]
    target.write_text("".join(json.dumps(row) + "\n" for row in rows))
    result = found(
        refrain, str(log), MAP_FILE, "--target", str(target), "--target-on", "town", "--features", "town"
    )
    truth = (RATES["b"] + RATES["c"]) / 2
    for estimate in result["policy"].values():
        assert estimate["low"] <= truth <= estimate["high"]
    assert result["reward_model"] == ["action", "town"]


def test_rows_of_one_listener_go_together(refrain: Refrain, tmp_path: Path) -> None:
    result = found(refrain, str(write_log(tmp_path / "log.csv")), f"{MAP},user_id=user")
    assert result["users"] == 2000


def test_people_see_a_table(refrain: Refrain, tmp_path: Path) -> None:
    done = refrain.run("evaluate", str(write_log(tmp_path / "log.csv")), MAP, "--policy")
    assert done.returncode == 0
    for part in ("the log's own policy", "IPS", "SNIPS", "DR", "effective", "95 % interval"):
        assert part in done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("what,chance\nb,0.7\nc,0.2\n", "add up to 0.9, not to 1"),
        ("what,chance\nb,1.7\n", "none of 1 rows can be used"),
        ("what,chance\nb,0.7\nc,x\n", "1 of 2 rows cannot be used"),
        ("what,chance,town\nb,1,Rome\n", "no row for town 'Oslo'"),
        ("what,chance,shoe\nb,1,5\n", "no column 'shoe'"),
        ("song,chance\nb,1\n", "no column 'what'"),
    ],
)
def test_the_file_of_a_policy_that_cannot_be_is_refused(
    refrain: Refrain, tmp_path: Path, text: str, said: str
) -> None:
    log, target = write_log(tmp_path / "log.csv", 100), tmp_path / "new.csv"
    target.write_text(text)
    code, answer = refused(
        refrain,
        *(str(log), "--policy", MAP_FILE, "--target", str(target)),
        *("--target-map", "action=what,probability=chance"),
    )
    assert code in (1, 2)
    assert said in answer["error"]


def test_a_policy_of_actions_that_the_log_never_has_is_refused(refrain: Refrain, tmp_path: Path) -> None:
    log, target = write_log(tmp_path / "log.csv"), tmp_path / "new.csv"
    target.write_text("action,probability\nb,0.9\nz,0.1\n")
    code, answer = refused(refrain, str(log), "--policy", MAP_FILE, "--target", str(target))
    assert (code, answer["kind"]) == (1, "NoOverlap")
    assert "10.0 % of the policy's choices are actions that the log never has" in answer["error"]
    assert "Judge a policy among the actions" in answer["hint"]


@pytest.mark.parametrize("option", [("--skip", "1"), ("--comment", "#")])
def test_lines_before_the_log_are_passed_over(
    refrain: Refrain, tmp_path: Path, option: tuple[str, str]
) -> None:
    log = write_log(tmp_path / "log.csv")
    expected = found(refrain, str(log), MAP)["policy"]
    log.write_text("# of last week\n" + log.read_text())
    assert found(refrain, str(log), MAP, *option)["policy"] == expected


def test_targets_that_are_no_probabilities_of_what_was_logged_are_refused(
    refrain: Refrain, tmp_path: Path
) -> None:
    log = write_log(tmp_path / "log.csv", judged={"a": 0.5, "b": 1.0, "c": 0.5})
    code, answer = refused(refrain, str(log), "--policy", MAP)
    assert (code, answer["kind"]) == (1, "NoOverlap")
    assert "the mean of target / propensity is" in answer["error"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--policy", "--uplift"), "choose one"),
        (("--policy", "--cohorts", "8"), "--policy does not go with --cohorts"),
        (("--policy", "--html", "x.html"), "--policy does not go with --html"),
        (("--policy", "--songs", "log.csv"), "--policy does not go with --songs"),
        (("--policy", "--share", "0.3"), "--policy does not go with --share"),
        (("--policy", "--control", "x"), "add --uplift"),
        (("--target", "log.csv"), "add --policy"),
        (("--policy", "--target-on", "town"), "name it with --target"),
        (("--features", "town"), "add --policy or --uplift"),
        (("--policy", MAP, "--splits", "5"), "add --uplift"),
        (("--policy", "--target", "log.csv", MAP), "choose one"),
        (("--policy", MAP_FILE), "no column 'target'"),
        (("--policy", "--map", "target=new"), "no column 'propensity'"),
        (("--policy", MAP, "--features", "age"), "no column 'age'"),
        (("--policy", "--map", "artist_ids=what"), "no field 'artist_ids' here"),
    ],
)
def test_wrong_use_is_told(refrain: Refrain, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    write_log(tmp_path / "log.csv", 100)
    code, answer = refused(refrain, "log.csv", *arguments)
    assert said in answer["error"]
    assert code in (1, 2)
    assert answer["kind"] in ("WrongUse", "BadFile")


def test_a_log_may_be_piped_in_as_json_lines(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data", kafka="127.0.0.1:1", redis="redis://127.0.0.1:1")
    with Refrain(settings, tmp_path) as refrain:
        rows = [{"propensity": 0.5, "reward": number % 2, "target": 0.5} for number in range(400)]
        (tmp_path / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert found(refrain, "log.jsonl")["policy"]["IPS"]["value"] == 0.5


@with_bandit
def test_the_policy_as_run_is_how_often_each_item_was_chosen(tmp_path: Path) -> None:
    path = policy_as_run(DATA / "bts" / "men" / "men.csv.gz", tmp_path / "bts.csv")
    with path.open() as lines:
        rows = list(csv.DictReader(lines))
    sums: Counter[str] = Counter()
    for row in rows:
        sums[row["position"]] += float(row["probability"])  # type: ignore[assignment]
    assert list(sums.values()) == pytest.approx([1, 1, 1])
