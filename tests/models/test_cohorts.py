from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.sparse import csr_matrix

from models.cohorts import labels, settle, standing_out

SIMILARITY = hnp.arrays(np.float64, (12, 5), elements=st.floats(-1, 1, width=16))
TOPS = st.lists(st.dictionaries(st.sampled_from("abcdefgh"), st.floats(1, 9), max_size=6), max_size=6)


@given(near=SIMILARITY, margin=st.floats(0, 0.5))
def test_settling_twice_changes_nothing(near: np.ndarray, margin: float) -> None:
    once = settle(near, np.full(12, -1), margin)
    assert (settle(near, once, margin) == once).all()


@given(
    near=SIMILARITY,
    current=hnp.arrays(np.int64, 12, elements=st.integers(-1, 4)),
    margin=st.floats(0.01, 0.5),
)
def test_whoever_moves_gains_more_than_the_margin(
    near: np.ndarray, current: np.ndarray, margin: float
) -> None:
    settled = settle(near, current, margin)
    moved = np.flatnonzero((settled != current) & (current >= 0))
    assert (near[moved, settled[moved]] - near[moved, current[moved]] > margin).all()
    stayed = np.flatnonzero((settled == current) & (current >= 0))
    assert (near[stayed].max(axis=1) - near[stayed, current[stayed]] <= margin).all()


@given(near=SIMILARITY, wobble=SIMILARITY)
def test_a_wobble_within_half_the_margin_never_oscillates(near: np.ndarray, wobble: np.ndarray) -> None:
    margin = 0.1
    cohorts = settle(near, np.full(12, -1), margin)
    for sign in (1, -1, 1, -1):
        cohorts_now = settle(near + sign * wobble * 0.049 / 1.0, cohorts, margin)
        assert (cohorts_now == cohorts).all()


@given(near=SIMILARITY)
def test_the_numbering_of_cohorts_makes_no_difference(near: np.ndarray) -> None:
    order = np.random.default_rng(0).permutation(5)
    near = near + np.arange(5) * 1e-6
    settled = settle(near[:, order], np.full(12, -1), 0.1)
    assert (order[settled] == settle(near, np.full(12, -1), 0.1)).all()


def test_one_members_oddity_does_not_stand_above_what_half_the_cohort_plays() -> None:
    holders = csr_matrix([[20.0, 1.0, 30.0], [5.0, 0.0, 700.0]])
    ratio = standing_out(holders, np.array([40.0, 960.0]), np.array([25.0, 1.0, 730.0]), 1000.0).toarray()
    assert ratio[0].argmax() == 0
    assert ratio[0, 1] < 1.5
    assert ratio[0, 2] < 1.2


@given(tops=TOPS)
def test_labels_are_unique_and_no_artist_stands_in_two(tops: list[dict[str, float]]) -> None:
    names = labels(tops, [f"c{number}" for number in range(len(tops))])
    assert len(set(names)) == len(tops)
    artists = [artist for name in names for artist in name.split(", ") if not name.startswith("Cohort")]
    assert len(set(artists)) == len(artists)


def test_an_artist_names_the_cohort_that_it_sets_apart_most() -> None:
    assert labels([{"x": 2.0, "y": 1.5}, {"x": 3.0}], ["c1", "c2"]) == ("y", "x")
