from __future__ import annotations

import numpy as np
import pytest

from models.quality.delong import auc


def test_ties_count_half() -> None:
    found = auc([1.0] * 6, [1, 1, 1, 0, 0, 0])
    assert found is not None
    assert found.value == 0.5


def test_few_examples_in_perfect_order_prove_little() -> None:
    found = auc([1, 2, 3, 4], [0, 0, 1, 1])
    assert found is not None
    assert found.value == 1.0
    assert found.low < 0.7


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    truth = 0.7602  # of two normals one standard deviation apart
    covered = 0
    for _ in range(400):
        positive = np.arange(120) < 40
        found = auc(random.normal(size=120) + positive, positive)
        assert found is not None
        covered += found.low <= truth <= found.high
    assert covered / 400 == pytest.approx(0.95, abs=0.04)
