from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audience_size import Worth, best_size, size_curve

rates = st.lists(st.floats(0, 1), max_size=60).map(lambda values: np.array(sorted(values, reverse=True)))


@given(rates, st.floats(0, 1), st.floats(0, 0.01))
def test_no_other_size_is_expected_to_gain_more(ctr: np.ndarray, ignored: float, opt_out_rate: float) -> None:
    worth = Worth(click=1.0, ignored=ignored, opt_out=20.0)
    gains = np.concatenate([[0.0], np.cumsum(worth.gain(ctr, opt_out_rate))])
    assert gains[best_size(ctr, worth, opt_out_rate)] == pytest.approx(gains.max())


def test_who_gains_just_what_it_costs_is_not_told() -> None:
    assert best_size(np.array([0.5, 0.25]), Worth(click=3.0, ignored=1.0, opt_out=0.0)) == 1


def test_where_notifications_cost_nothing_everybody_is_told() -> None:
    assert best_size(np.linspace(1, 0.01, 50), Worth(ignored=0.0, opt_out=0.0)) == 50


def test_dearer_opt_outs_make_audiences_smaller() -> None:
    ctr = np.linspace(0.3, 0.0, 1000)
    sizes = [best_size(ctr, Worth(opt_out=cost), opt_out_rate=0.001) for cost in (0.0, 20.0, 100.0, 1000.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 0


def test_a_listener_likely_to_opt_out_ends_the_audience() -> None:
    assert best_size(np.array([0.3, 0.2, 0.1]), Worth(), opt_out_rate=np.array([0.001, 0.5, 0.001])) == 1


@given(rates)
def test_the_curve_ends_with_everybody_and_ctr_falls_along_it(ctr: np.ndarray) -> None:
    curve = size_curve(ctr, Worth())
    assert len(curve.sizes) == len(curve.clicks) == len(curve.ctr) == len(curve.gain)
    if len(ctr):
        assert (curve.sizes[0], curve.sizes[-1]) == (1, len(ctr))
        assert curve.clicks[-1] == pytest.approx(ctr.sum())
        assert (np.diff(curve.ctr) <= 1e-12).all()
    assert (np.diff(curve.sizes) > 0).all()
