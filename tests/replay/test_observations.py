from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from stream.errors import BadFile, WrongUse
from stream.files.columns import plain
from stream.files.observations import Needed, number, probability, propensity, read_observations, truth
from stream.files.options import Condition, RowOptions

FIELDS = {
    "propensity": Needed(propensity, "how likely it was"),
    "reward": Needed(truth, "what came of it"),
    "user_id": Needed(plain, "whose it is", optional=True),
}
CSV = "prob,reward,town\n0.5,1,Rome\n0,1,Rome\n0.5,maybe,Rome\n,1,Rome\n0.25,0,\n"
MAP = RowOptions(mapping={"propensity": "prob"})


def write(folder: Path, text: str, name: str = "log.csv") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["log.csv", "log.csv.gz"])
def test_columns_are_read_and_rows_that_cannot_be_are_counted(tmp_path: Path, name: str) -> None:
    found = read_observations([write(tmp_path, CSV, name)], MAP, FIELDS, ["town"])
    assert found.fields == {"propensity": [0.5, 0.25], "reward": [1.0, 0.0]}
    assert found.features == {"town": ["Rome", ""]}
    assert found.tally.rows == 5
    assert found.tally.bad == {"bad-value": 2, "missing-field": 1}


def test_a_field_may_have_the_same_value_in_all_rows(tmp_path: Path) -> None:
    options = RowOptions(constants={"propensity": "0.1"})
    found = read_observations([write(tmp_path, CSV)], options, FIELDS)
    assert set(found.fields["propensity"]) == {0.1}


def test_only_rows_that_are_asked_for_count_and_of_these_the_first(tmp_path: Path) -> None:
    path = write(tmp_path, CSV)
    options = RowOptions(mapping={"propensity": "prob"}, where=(Condition("town", ""),))
    found = read_observations([path], options, FIELDS)
    assert found.fields["reward"] == [0.0]
    assert found.tally.left_out == 4
    first = RowOptions(mapping={"propensity": "prob"}, limit=1)
    assert read_observations([path], first, FIELDS).fields["reward"] == [1.0]


def test_of_json_lines_a_field_may_be_further_down(tmp_path: Path) -> None:
    path = write(tmp_path, '{"p": {"now": 0.5}, "reward": true}\n{"reward": 1}\n', "log.jsonl")
    options = RowOptions(mapping={"propensity": "p.now"})
    found = read_observations([path], options, FIELDS)
    assert found.fields == {"propensity": [0.5], "reward": [1.0]}
    assert found.tally.bad == {"missing-field": 1}


def test_several_files_are_one(tmp_path: Path) -> None:
    files = [write(tmp_path, CSV), write(tmp_path, CSV, "more.csv")]
    assert read_observations(files, MAP, FIELDS).fields["reward"] == [1.0, 0.0] * 2


def test_files_of_which_one_names_listeners_and_one_does_not_are_refused(tmp_path: Path) -> None:
    files = [write(tmp_path, CSV), write(tmp_path, "prob,reward,user_id\n0.5,1,u\n", "more.csv")]
    with pytest.raises(WrongUse, match="same fields"):
        read_observations(files, MAP, FIELDS)


def test_a_field_without_a_column_is_named_with_what_it_is_and_how_to_name_its_column(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="no column 'propensity', how likely it was; it has prob") as refused:
        read_observations([write(tmp_path, CSV)], RowOptions(), FIELDS)
    assert refused.value.hint == "--map propensity=COLUMN says which it is."


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (RowOptions(mapping={"colour": "prob"}), "no field 'colour' here; there are propensity"),
        (RowOptions(mapping={"reward": "x"}, constants={"reward": "1"}), "both a column and a constant"),
        (RowOptions(mapping={"propensity": "nowhere"}), "no column 'nowhere'"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path: Path, options: RowOptions, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        read_observations([write(tmp_path, CSV)], options, FIELDS)


def test_where_no_row_can_be_used_one_of_them_is_told_about(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"none of 1 rows can be used \(1 bad-value\)") as refused:
        read_observations([write(tmp_path, "prob,reward\n2,1\n")], MAP, FIELDS)
    assert refused.value.hint == "For one, line 2: propensity: '2' is no probability: 0 to 1."


def test_where_no_row_is_asked_for_it_is_said_so(tmp_path: Path) -> None:
    options = RowOptions(mapping={"propensity": "prob"}, where=(Condition("town", "Oslo"),))
    with pytest.raises(BadFile, match="none of 5 rows is asked for"):
        read_observations([write(tmp_path, CSV)], options, FIELDS)


@pytest.mark.parametrize("text", ["nan", "inf", "x", "-0.1", "1.1"])
def test_what_is_no_probability_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        probability(text)


def test_what_happened_had_a_chance() -> None:
    with pytest.raises(ValueError, match="above 0"):
        propensity("0")
    assert number("-1.5") == -1.5
