"""Bayesian logistic and Poisson regression, a batch at a time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit

from models.laplace import learn_batch
from models.traits.online_glm import Glm, learned, predict

Floats = npt.NDArray[np.float64]


def columns(seed: int, number: int, d: int = 500) -> Floats:
    """Many columns that are large together, as random features of somebody unusual are."""
    random = np.random.default_rng(seed)
    return np.column_stack([np.ones(number), 2.0 + random.normal(size=(number, d))])


@pytest.mark.parametrize("before, now", [(0.002, 0.2), (0.998, 0.5)])
def test_a_rate_that_changes_from_one_batch_to_the_next_is_learned(before: float, now: float) -> None:
    random = np.random.default_rng(1)
    first, second, others = columns(2, 1000), columns(3, 1000), columns(4, 500)
    mean, precision = np.zeros(501), np.eye(501) * 44.0
    mean, precision = learn_batch(mean, precision, first, (random.random(1000) < before).astype(float))
    mean, _ = learn_batch(mean, precision, second, (random.random(1000) < now).astype(float))
    assert min(before, now) < expit(others @ mean).mean() < max(before, now) + 0.05


def test_a_rate_of_next_weeks_that_changes_is_learned() -> None:
    random = np.random.default_rng(1)
    model = Glm.blank("bernoulli", np.full(501, 44.0))
    for seed, rate in ((2, 0.002), (3, 0.2)):
        model = learned(model, columns(seed, 1000), (random.random(1000) < rate).astype(float), 1e6)
    assert 0.002 < predict(model, columns(4, 500)).mean() < 0.25
