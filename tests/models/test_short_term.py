from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.cohorts import settle
from models.short_term import nearness

near = arrays(np.float64, (5, 4), elements=st.floats(-1, 1))


@given(near)
def test_who_goes_on_as_before_stays_by_the_taste_alone(taste: np.ndarray) -> None:
    assert np.array_equal(nearness(taste, taste), taste)


@given(near)
def test_who_has_played_nothing_lately_stays_by_the_taste_alone(taste: np.ndarray) -> None:
    assert np.array_equal(nearness(taste, np.zeros_like(taste)), taste)


def test_last_clicks_of_another_scene_outweigh_a_long_history() -> None:
    taste, lately = np.array([[0.9, 0.1]]), np.array([[0.2, 0.8]])
    assert nearness(taste, lately).argmax(axis=1).tolist() == [1]


def test_last_clicks_far_from_all_cohorts_move_nobody_to_the_shortest_centre() -> None:
    centres = np.array([[0.9, 0.0, 0.0], [0.0, 0.1, 0.0]])
    near = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]) @ centres.T - (centres**2).sum(axis=1) / 2
    taste, lately = near[:1], near[1:]
    assert nearness(taste, lately).argmax(axis=1).tolist() == [0]


@given(near, near, arrays(np.int64, 5, elements=st.integers(-1, 3)), st.floats(0, 0.2))
def test_a_listener_settled_stays_while_nothing_is_new(
    taste: np.ndarray, lately: np.ndarray, current: np.ndarray, margin: float
) -> None:
    scores = nearness(taste, lately)
    settled = settle(scores, current, margin)
    assert np.array_equal(settle(scores, settled, margin), settled)


@given(near, near, st.permutations(range(4)))
def test_the_numbering_of_cohorts_is_of_no_account(
    taste: np.ndarray, lately: np.ndarray, order: list[int]
) -> None:
    # Where two cohorts are as near as each other, either may be the nearest.
    taste = np.round(taste, 3) + np.arange(4) * 1e-5
    assert np.array_equal(nearness(taste[:, order], lately[:, order]), nearness(taste, lately)[:, order])
