from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audience import best_rows
from models.waves import Cohorts, choose, explore, wave_size


def candidates(n: int = 2000, k: int = 10, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.beta(1, 20, n), random.integers(k, size=n)


@pytest.mark.parametrize("places", [1, 50, 700, 2000, 5000])
def test_propensities_add_up_to_the_size_of_the_wave_and_none_is_above_1(places: int) -> None:
    ctr, cohort = candidates()
    found = explore(ctr, cohort, Cohorts.of(ctr, cohort, places), places, np.random.default_rng(1))
    assert found.sum() == pytest.approx(min(places, 2000))
    assert 0 < found.min() <= found.max() <= 1 + 1e-12


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.integers(0, 1000))
def test_as_many_are_told_as_propensities_add_up_to_and_nobody_twice(values: list[float], seed: int) -> None:
    weights = np.array(values)
    places = int(weights.sum())
    odds = weights * places / max(weights.sum(), 1e-9)
    told = choose(odds, np.random.default_rng(seed))
    assert len(told) == len(set(told.tolist())) == round(odds.sum())
    assert (odds[told] > 0).all()


def test_each_is_told_with_just_its_propensity() -> None:
    random = np.random.default_rng(3)
    odds = np.array([1.0, 0.7, 0.7, 0.3, 0.2, 0.1, 0.0])
    times = np.zeros(len(odds))
    for _ in range(20_000):
        times[choose(odds, random)] += 1
    assert times / 20_000 == pytest.approx(odds, abs=0.015)


def test_any_two_candidates_may_be_told_together() -> None:
    random, together = np.random.default_rng(8), np.zeros((6, 6))
    for _ in range(2000):
        told = choose(np.full(6, 0.5), random)
        together[np.ix_(told, told)] += 1
    assert (together > 100).all()


def test_inverse_propensities_estimate_how_a_random_audience_would_click(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("models.waves.UNIFORM", 0.2)
    ctr, cohort = candidates(400, 4)
    random = np.random.default_rng(4)
    odds = explore(ctr, cohort, Cohorts.of(ctr, cohort, 100), 100, random)
    estimates = []
    for _ in range(3000):
        told = choose(odds, random)
        estimates.append((ctr[told] / odds[told]).sum() / len(ctr))
    error = np.std(estimates) / np.sqrt(len(estimates))
    assert np.mean(estimates) == pytest.approx(ctr.mean(), abs=4 * error)


def test_the_same_seed_gives_the_same_wave() -> None:
    ctr, cohort = candidates()
    one, other = (
        choose(explore(ctr, cohort, Cohorts.of(ctr, cohort, 90), 90, random), random)
        for random in (np.random.default_rng(5), np.random.default_rng(5))
    )
    assert np.array_equal(one, other)


def test_within_a_cohort_a_likelier_listener_never_has_the_lower_propensity() -> None:
    ctr, cohort = candidates(500, 5)
    odds = explore(ctr, cohort, Cohorts.of(ctr, cohort, 80), 80, np.random.default_rng(6))
    for k in range(5):
        own = np.flatnonzero(cohort == k)
        assert (np.diff(odds[own[np.argsort(ctr[own])]]) >= 0).all()


def test_two_cohorts_alike_share_the_wave_and_one_that_clicks_gets_more_of_the_next() -> None:
    ctr, cohort = np.full(2000, 0.1), np.repeat([0, 1], 1000)
    random = np.random.default_rng(7)
    alike = explore(ctr, cohort, Cohorts.of(ctr, cohort, 500), 500, random)
    assert alike[cohort == 0].sum() == pytest.approx(250, abs=60)
    found = Cohorts.of(ctr, cohort, 500, sent=[50, 50], clicked=[12, 2], expected=[5.0, 5.0])
    after = explore(ctr, cohort, found, 500, random)
    assert after[cohort == 0].sum() > 450
    assert (cohort[best_rows(ctr * found.factor[cohort], 500)] == 0).all()


def test_the_posterior_comes_to_what_was_found_and_starts_with_what_was_predicted() -> None:
    ctr, cohort = np.full(100, 0.1), np.repeat([0, 1], 50)
    assert Cohorts.of(ctr, cohort, 10).factor == pytest.approx([1.0, 1.0])
    found = Cohorts.of(
        ctr, cohort, 10, sent=[50_000, 50_000], clicked=[10_000, 2500], expected=[5000.0, 5000.0]
    )
    assert found.factor == pytest.approx([2.0, 0.5], rel=0.01)


def test_what_is_found_of_others_says_something_of_a_cohort_nobody_was_told_of() -> None:
    ctr, cohort = np.full(150, 0.1), np.repeat([0, 1, 2], 50)
    found = Cohorts.of(ctr, cohort, 10, sent=[500, 500, 0], clicked=[10, 10, 0], expected=[50.0, 50.0, 0.0])
    assert found.factor[2] < 0.5


def test_a_cohort_that_clicks_less_than_it_must_falls_below_that_and_one_that_clicks_more_does_not() -> None:
    ctr, cohort = np.full(200, 0.1), np.repeat([0, 1], 100)
    found = Cohorts.of(ctr, cohort, 50, sent=[400, 400], clicked=[4, 60], expected=[40.0, 40.0])
    updated = ctr * found.factor[cohort]
    told = best_rows(updated, 150)
    assert (updated[told] >= 0.05).sum() == 100
    assert (cohort[told[updated[told] >= 0.05]] == 1).all()
    assert not (updated >= 0.5).any()


@pytest.mark.parametrize("places", [1, 7, 1000])
def test_waves_tell_everybody_there_is_a_place_for_in_few_steps(places: int) -> None:
    told, waves = 0, 0
    while size := wave_size(places, told):
        told, waves = told + size, waves + 1
    assert told == places
    assert waves <= 3


def test_with_nobody_left_nobody_is_told() -> None:
    none, nobody = np.zeros(0), np.zeros(0, dtype=np.int64)
    posterior = Cohorts.of(none, nobody, 10, sent=[5.0], clicked=[1.0], expected=[0.5])
    assert (
        len(choose(explore(none, nobody, posterior, 10, np.random.default_rng(1)), np.random.default_rng(1)))
        == 0
    )
    assert len(posterior.factor[nobody]) == 0
