from __future__ import annotations

import numpy as np

from models.encoding import MOST_LEVELS, encode


def test_a_column_of_text_has_a_column_for_each_value_and_one_for_all_that_are_rarer() -> None:
    values = [f"v{number}" for number in range(MOST_LEVELS) for _ in range(3)] + ["x", "y"]
    names, rows = encode({"town": values})
    assert len(names) == MOST_LEVELS + 1
    assert names[-1] == "town, rarer"
    assert (rows[:, -1] > 0).sum() == 2


def test_every_column_has_mean_0_and_standard_deviation_1() -> None:
    _, rows = encode({"age": ["1", "2", "9"], "town": ["A", "B", "B"]})
    assert np.allclose(rows.mean(axis=0), 0)
    assert np.allclose(rows.std(axis=0), 1)


def test_a_number_that_is_missing_is_the_mean_of_the_others() -> None:
    _, rows = encode({"age": ["1", "", "3"]})
    assert rows[1, 0] == 0


def test_numbers_with_one_word_among_them_are_text() -> None:
    names, _ = encode({"age": ["1", "2", "old"]})
    assert names == ("age=1", "age=2", "age=old")


def test_without_columns_there_are_none() -> None:
    names, rows = encode({})
    assert names == ()
    assert rows.shape == (0, 0)
