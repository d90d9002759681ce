"""From stage to stage, and how many will be where."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.traits.lifecycle import STAGES
from models.traits.transitions import Transitions

CODES = st.integers(1, 30).flatmap(
    lambda number: st.lists(
        st.lists(st.integers(-1, 6), min_size=5, max_size=5), min_size=number, max_size=number
    )
)


@given(CODES, st.integers(1, 4))
def test_each_listener_in_a_stage_in_both_weeks_goes_one_way(codes: list[list[int]], ahead: int) -> None:
    found = np.array(codes)
    both = [(found[:, week] >= 0) & (found[:, week + ahead] >= 0) for week in range(5 - ahead)]
    counts = Transitions.of(found, ahead).counts
    assert counts.sum(axis=(1, 2)).tolist() == [each.sum() for each in both]


@given(CODES)
def test_those_of_two_halves_add_up(codes: list[list[int]]) -> None:
    found = np.array(codes)
    halves = Transitions.of(found[::2]) + Transitions.of(found[1::2])
    assert (halves.counts == Transitions.of(found).counts).all()


@settings(max_examples=10, deadline=None)  # a thousand draws each
@given(CODES, st.lists(st.integers(0, 500), min_size=7, max_size=7), st.integers(1, 3))
def test_a_forecast_sums_to_the_population(codes: list[list[int]], now: list[int], steps: int) -> None:
    forecast = Transitions.of(np.array(codes)).forecast(now, steps)
    assert forecast.expected.sum() == pytest.approx(sum(now))
    assert (forecast.draws.sum(axis=1) == sum(now)).all()


def test_probabilities_of_a_stage_add_up_to_one_also_where_nobody_was_in_it() -> None:
    found = Transitions.of(np.zeros((0, 3), dtype=int)).probabilities()
    assert found.sum(axis=1) == pytest.approx(np.ones(len(STAGES)))


@pytest.mark.parametrize("stage, origins", [("new", STAGES[1:]), ("gone", ("new", "regular", "returned"))])
def test_nobody_is_expected_where_there_is_no_way(stage: str, origins: tuple[str, ...]) -> None:
    now = np.where(np.isin(STAGES, origins), 100, 0)
    forecast = Transitions.of(np.array([[1, 1]] * 9 + [[1, 4]])).forecast(now)
    assert forecast.among(stage) == (0.0, 0.0, 0.0)


def test_a_way_that_there_should_not_be_counts_where_it_was_observed() -> None:
    found = Transitions.of(np.array([[STAGES.index("regular"), STAGES.index("gone")]] * 10))
    assert found.probabilities()[1, STAGES.index("gone")] == pytest.approx(0.8)


def test_intervals_hold_the_probability_and_narrow_with_more_listeners() -> None:
    few, many = (Transitions.of(np.array([[1, 1], [1, 1], [1, 3]] * number)) for number in (4, 400))
    for each in (few, many):
        low, high = each.intervals()
        assert low[1, 3] < each.probabilities()[1, 3] < high[1, 3]
    assert (many.intervals()[1] - many.intervals()[0])[1, 3] < (few.intervals()[1] - few.intervals()[0])[1, 3]


def test_the_bounds_of_a_forecast_hold_what_comes() -> None:
    random = np.random.default_rng(1)
    leaves = random.random((2000, 9)) < 0.1
    codes = np.where(leaves, STAGES.index("dormant"), STAGES.index("regular"))
    codes[:, ::2] = STAGES.index("regular")
    expected = Transitions.of(codes[:, :8]).forecast([0, 2000, 0, 0, 0, 0, 0]).among("dormant")
    assert expected.low < expected.number < expected.high


def test_weeks_that_differ_widen_a_forecast() -> None:
    one = np.array([[1, 1]] * 80 + [[1, 4]] * 20)
    alike = Transitions(np.repeat(Transitions.of(one).counts, 6, axis=0))
    other = np.array([[1, 1]] * 60 + [[1, 4]] * 40)
    none = np.array([[1, 1]] * 100)
    differ = Transitions(np.concatenate([Transitions.of(each).counts for each in (none, other) * 3]))
    widths = []
    for each in (alike, differ):
        found = each.forecast([0, 10_000, 0, 0, 0, 0, 0]).among("dormant")
        widths.append(found.high - found.low)
    assert widths[1] > 2 * widths[0]


def test_bounds_hold_as_far_ahead_as_two_stretches_have_been_seen_apart() -> None:
    codes = np.tile([1, 1, 1, 4], (50, 4))[:, :13]
    forecasts = [Transitions.of(codes, ahead).forecast([0, 50, 0, 0, 0, 0, 0]) for ahead in range(1, 13)]
    assert [each.weeks for each in forecasts if each.bounded] == [1, 2, 3, 4]
    assert [Transitions.of(codes).forecast([50] * 7, steps).bounded for steps in (6, 7)] == [True, False]
