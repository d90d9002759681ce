"""The model of who does not come back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from models.quality.binary import auc, brier
from models.traits.churn import FIRST, ChurnModel

NAMES = "play_last_7", "play_last_30", "age"
Floats = npt.NDArray[np.float64]


def crowd(seed: int, number: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Who plays neither little nor much stays, which no straight line tells."""
    random = np.random.default_rng(seed)
    week = random.poisson(random.gamma(1.0, 6.0, number)).astype(float)
    rows = np.column_stack([week, week + random.poisson(8.0, number), random.normal(30, 5, number)])
    between = (week > 2) & (week < 8)
    return rows, random.random(number) < np.where(between, 0.1, 0.6)


def learned(batches: int, number: int = 6000) -> ChurnModel:
    rows, outcome = crowd(1, number)
    model = ChurnModel(NAMES)
    for part in np.array_split(np.arange(number), batches):
        model.learn(rows[part], outcome[part])
    return model


def test_what_no_straight_line_tells_is_learned_in_one_pass() -> None:
    rows, outcome = crowd(2, 5000)
    truth = np.where((rows[:, 0] > 2) & (rows[:, 0] < 8), 0.1, 0.6)
    predicted = learned(20).predict(rows)
    assert auc(predicted, outcome) > 0.98 * auc(truth, outcome)
    assert brier(predicted, outcome) < 1.08 * brier(truth, outcome)


def test_the_first_examples_count_the_same_whatever_batches_they_come_in() -> None:
    rows, _ = crowd(2, 100)
    once, often = (learned(batches, FIRST).predict(rows) for batches in (1, 7))
    np.testing.assert_allclose(once, often, atol=1e-9)


def test_it_goes_on_from_where_it_was_packed() -> None:
    whole, again = learned(10, 4000), learned(10, 4000)
    again = ChurnModel.from_arrays(*again.to_arrays())
    rows, outcome = crowd(3, 500)
    for model in (whole, again):
        model.learn(rows, outcome)
    np.testing.assert_allclose(whole.predict(rows), again.predict(rows), atol=1e-9)


def test_it_does_not_grow_with_what_it_learns() -> None:
    sizes = [sum(a.nbytes for a in learned(10, n).to_arrays()[1].values()) for n in (4000, 8000)]
    assert sizes[0] == sizes[1]


def test_that_something_is_missing_is_learned_from() -> None:
    rows, _ = crowd(1, 3000)
    outcome = np.arange(3000) % 2 == 0
    rows[outcome, 2] = np.nan
    model = ChurnModel(NAMES)
    model.learn(rows, outcome)
    assert auc(model.predict(rows), outcome) > 0.99


def test_another_format_is_refused() -> None:
    header, arrays = ChurnModel(NAMES).to_arrays()
    with pytest.raises(ValueError, match="format 7"):
        ChurnModel.from_arrays(header | {"format": 7}, arrays)


def test_nothing_is_learned_of_nobody() -> None:
    model = ChurnModel(NAMES)
    model.learn(np.zeros((0, 3)), np.zeros(0))
    assert model.predict(np.zeros((1, 3))).tolist() == [0.5]


@pytest.mark.parametrize("seed", [0, 1])
def test_outliers_are_not_drawn_on_to_where_nobody_was(seed: int) -> None:
    model = ChurnModel(NAMES)
    model.learn(*crowd(seed, 2500))
    outliers, _ = crowd(seed + 50, 100)
    outliers[:, 0] = 1e6  # those who play most are likely to churn, 0.6
    predicted = model.predict(outliers)
    assert predicted.min() > 0.02
    assert predicted.max() > 0.5
