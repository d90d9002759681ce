from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from models.affinity import ForwardDecay
from models.taste import root, root_rows, taste, unit, unit_rows

FACTORS = np.random.default_rng(0).normal(size=(6, 4))
TIMES = st.floats(1_600_000_000, 1_900_000_000)
CLICKS = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([1.0, 3.0, -0.5]), TIMES), max_size=40)


@given(clicks=CLICKS)
def test_a_click_changes_a_taste_by_the_difference_of_roots(clicks: list[tuple[int, float, float]]) -> None:
    decay = ForwardDecay()
    stored, running = np.zeros(6), np.zeros(4)
    largest = 0.0
    for artist, weight, ts in clicks:
        old = stored[artist]
        stored[artist] = old + decay.stored(weight, ts)
        running += (root(float(stored[artist])) - root(float(old))) * FACTORS[artist]
        largest = max(largest, float(np.abs(running).max()))
    anew = taste(csr_matrix(stored[None, :]), FACTORS)[0]
    np.testing.assert_allclose(running, anew, rtol=0, atol=1e-12 * max(largest, 1e-300))


@given(
    now=st.floats(1_600_000_000, 1_700_000_000),
    weights=st.lists(st.floats(0.1, 100), min_size=6, max_size=6),
)
def test_unit_tastes_do_not_depend_on_the_time_of_reading(now: float, weights: list[float]) -> None:
    decay = ForwardDecay()
    stored = decay.stored(np.array(weights), 1_600_000_000.0)
    read = decay.read(stored, now)
    np.testing.assert_allclose(
        unit(taste(csr_matrix(stored[None, :]), FACTORS)),
        unit(taste(csr_matrix(read[None, :]), FACTORS)),
        rtol=1e-9,
        atol=1e-12,
    )


def test_tastes_survive_the_end_of_doubles() -> None:
    rows = csr_matrix(np.array([[1.0, 2.0, 0.0, 3.0, 0.0, 1.0]]) * 2.0**990)
    expected = unit(taste(csr_matrix(rows / 2.0**990), FACTORS))
    np.testing.assert_allclose(unit(taste(rows, FACTORS)), expected, rtol=1e-12)
    np.testing.assert_allclose(root_rows(rows).toarray(), root_rows(rows / 2.0**990).toarray(), rtol=1e-12)


def test_what_skips_pushed_below_zero_counts_as_nothing() -> None:
    assert root(-3.0) == 0.0
    assert taste(csr_matrix([[-3.0, 0, 0, 0, 0, 0]]), FACTORS).tolist() == [[0.0] * 4]


def test_zero_rows_stay_zero() -> None:
    assert unit(np.zeros((2, 3))).tolist() == [[0.0] * 3] * 2
    assert unit_rows(csr_matrix((2, 3))).nnz == 0
    assert unit(np.zeros((0, 3))).shape == (0, 3)


def test_sparse_rows_are_scaled_as_dense_ones() -> None:
    rows = np.random.default_rng(1).normal(size=(5, 6)) * 2.0 ** np.arange(-600, 600, 200)
    np.testing.assert_allclose(unit_rows(csr_matrix(rows)).toarray(), unit(rows), rtol=1e-12)
