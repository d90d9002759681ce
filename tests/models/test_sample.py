from __future__ import annotations

import random

import numpy as np
from scipy.sparse import csr_matrix

from models.cohort_learner import CohortLearner
from models.sample import Reservoir, Row, Sampled

ARTISTS = [f"a{number}" for number in range(12)]


def test_a_listener_counts_once_with_the_latest_row() -> None:
    reservoir = Reservoir(10)
    for weight in (1.0, 3.0):
        reservoir.add(["ana"], csr_matrix([[1.0, weight]]))
    np.testing.assert_allclose(reservoir.rows(2).toarray(), [[0.25, 0.75]], rtol=1e-6)


def test_it_never_holds_more_than_its_capacity() -> None:
    reservoir = Reservoir(5, seed=1)
    for number in range(100):
        reservoir.add([number], csr_matrix([[1.0]]))
    assert len(reservoir) == 5


def test_those_seen_lately_are_likelier_to_be_there() -> None:
    late = 0
    for seed in range(50):
        reservoir = Reservoir(20, seed=seed)
        reservoir.add(list(range(60)), csr_matrix(np.eye(60)))
        late += int((reservoir.rows(60).toarray().sum(axis=0)[30:] > 0).sum())
    assert late / 50 > 12


def test_forgotten_artists_are_dropped_and_the_rest_renumbered() -> None:
    reservoir = Reservoir(5)
    reservoir.add(["ana", "bo"], csr_matrix([[1.0, 1.0, 2.0], [4.0, 0.0, 0.0]]))
    reservoir.keep(np.array([-1, 1, 0]))
    np.testing.assert_allclose(reservoir.rows(2).toarray(), [[0.5, 0.25], [0.0, 0.0]], rtol=1e-6)


def test_affinities_of_any_size_fit() -> None:
    reservoir = Reservoir(5)
    reservoir.add(["ana"], csr_matrix([[2.0**990, 2.0**990]]))
    np.testing.assert_allclose(reservoir.rows(2).toarray(), [[0.5, 0.5]], rtol=1e-6)


def test_listeners_placed_by_their_rows_are_where_the_model_had_them() -> None:
    rng = random.Random(0)  # noqa: S311 - listeners made up, no secret
    rows = {f"u{n}": (rng.sample(ARTISTS, 4), [rng.random() * 2.0**80 for _ in range(4)]) for n in range(60)}
    learner = CohortLearner(n_cohorts=3, n_dims=4, seed=1)
    learner.learn_many(list(rows.values()), list(rows))
    model, sampled = learner.snapshot(1, 0.0), learner.sampled
    assert sampled is not None
    placed = Sampled.of(model, sampled.listeners, [rows[str(each)] for each in sampled.listeners])
    assert placed.listeners == sampled.listeners
    np.testing.assert_array_equal(placed.held.toarray(), sampled.held.toarray())
    np.testing.assert_allclose(placed.tastes, sampled.tastes, rtol=1e-3, atol=1e-5)


def test_who_plays_nothing_that_a_model_knows_is_placed_nowhere() -> None:
    learner = CohortLearner(n_cohorts=1, n_dims=2, seed=1)
    learner.learn_many([(["ana", "bo"], [1.0, 2.0])] * 9)
    model = learner.snapshot(1, 0.0)
    rows: list[Row] = [([], []), (["ana"], [1.0]), (["cy"], [1.0]), (["bo"], [-1.0])]
    assert Sampled.of(model, ["u1", "u2", "u3", "u4"], rows).listeners == ("u2",)
