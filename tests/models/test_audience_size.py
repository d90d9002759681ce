from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.audience_size import Worth, size_curve

rates = st.lists(st.floats(0, 1), max_size=60).map(lambda values: np.array(sorted(values, reverse=True)))
WORTH = Worth(click=1.0, ignored=0.02, opt_out=20.0)


@given(rates, st.floats(0, 1), st.floats(0, 0.01))
def test_no_other_size_gains_more_than_those_above_the_least_ctr(
    ctr: np.ndarray, ignored: float, opt_out_rate: float
) -> None:
    worth = Worth(click=1.0, ignored=ignored, opt_out=20.0)
    gains = np.concatenate([[0.0], np.cumsum(worth.gain(ctr, opt_out_rate))])
    told = int((ctr >= worth.least_ctr(opt_out_rate)).sum())
    assert gains[told] == pytest.approx(gains.max())


def test_who_has_the_least_ctr_gains_just_what_it_costs() -> None:
    worth = Worth(click=3.0, ignored=1.0, opt_out=10.0)
    assert worth.gain(worth.least_ctr(0.01), 0.01) == pytest.approx(0.0)


def test_where_notifications_cost_nothing_everybody_is_told() -> None:
    assert Worth(click=1.0, ignored=0.0, opt_out=0.0).least_ctr(0.5) == 0


def test_dearer_opt_outs_ask_for_a_higher_ctr() -> None:
    least = [Worth(1.0, 0.02, opt_out=cost).least_ctr(0.001) for cost in (0.0, 20.0, 100.0, 1000.0)]
    assert least == sorted(least)
    assert least[0] < 0.02
    assert least[-1] > 0.9


def test_a_listener_likely_to_opt_out_is_a_loss() -> None:
    gains = WORTH.gain([0.3, 0.2, 0.1], np.array([0.001, 0.5, 0.001]))
    assert (gains > 0).tolist() == [True, False, True]


@given(rates)
def test_the_curve_ends_with_everybody_and_ctr_falls_along_it(ctr: np.ndarray) -> None:
    curve = size_curve(ctr, WORTH)
    assert len(curve.sizes) == len(curve.clicks) == len(curve.ctr) == len(curve.gain)
    if len(ctr):
        assert (curve.sizes[0], curve.sizes[-1]) == (1, len(ctr))
        assert curve.clicks[-1] == pytest.approx(ctr.sum())
        assert (np.diff(curve.ctr) <= 1e-12).all()
    assert (np.diff(curve.sizes) > 0).all()
