from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from models.quality.qini import over_splits, qini_coefficient, qini_curve

Floats = npt.NDArray[np.float64]

groups = arrays.arrays(float, 40, elements=st.sampled_from([0.0, 1.0]))
scores = arrays.arrays(float, 40, elements=st.integers(0, 9).map(float))


@given(scores, groups, groups)
def test_the_curve_is_what_counting_the_best_by_hand_gives(
    ranks: Floats, treated: Floats, did: Floats
) -> None:
    for k, gained in zip(*qini_curve(ranks, treated, did), strict=True):
        best = ranks >= np.sort(ranks)[::-1][int(k) - 1] if k else np.zeros(40, bool)
        told, others = best & (treated == 1), best & (treated == 0)
        without = did[others].sum() * told.sum() / others.sum() if others.any() else 0.0
        assert gained == pytest.approx(did[told].sum() - without)


@given(scores, groups, groups)
def test_no_order_is_better_than_that_of_one_who_knows(ranks: Floats, treated: Floats, did: Floats) -> None:
    if did.any() and 0 < treated.sum() < 40:
        assert qini_coefficient(did * (2 * treated - 1), treated, did) in (0.0, pytest.approx(1.0))


@given(scores, groups, groups)
def test_only_the_order_of_scores_counts(ranks: Floats, treated: Floats, did: Floats) -> None:
    found = qini_coefficient(ranks, treated, did)
    assert qini_coefficient(np.exp(ranks), treated, did) == pytest.approx(found)


def test_a_random_order_has_a_coefficient_of_nothing_in_the_mean() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        treated = rng.integers(2, size=2000).astype(float)
        did = (rng.random(2000) < 0.1 + 0.1 * treated).astype(float)
        found.append(qini_coefficient(rng.random(2000), treated, did))
    assert abs(np.mean(found)) < 3 * np.std(found) / 200**0.5


def test_who_is_moved_first_is_better_than_who_is_moved_last() -> None:
    rng = np.random.default_rng(1)
    treated, moved = rng.integers(2, size=20_000).astype(float), rng.random(20_000)
    did = (rng.random(20_000) < 0.1 + 0.3 * treated * (moved > 0.5)).astype(float)
    first, last = qini_coefficient(moved, treated, did), qini_coefficient(-moved, treated, did)
    assert first > 0.15
    assert last == pytest.approx(-first, abs=0.05)


def test_an_interval_over_splits_is_wider_than_one_over_independent_figures() -> None:
    figures = np.random.default_rng(2).normal(size=10)
    found = over_splits(figures, 0.2)
    assert found.value == pytest.approx(figures.mean())
    half = 2.262 * figures.std(ddof=1) / 10**0.5
    assert (found.high - found.low) / 2 == pytest.approx(half * (1 + 10 / 4) ** 0.5, rel=1e-3)
