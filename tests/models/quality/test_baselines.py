from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.quality.baselines import (
    binary_rows,
    by_cohort,
    ease,
    item_knn,
    k_means,
    random_projection,
    river_k_means,
    tuned,
    weighted_rows,
)
from models.quality.evaluation import Holdout, holdout, measure
from tests.models.worlds import World


@pytest.fixture(scope="module")
def split(world: World) -> Holdout:
    return holdout(world.plays, seed=3)


def clustered(split: Holdout) -> Iterator[np.ndarray]:
    points = np.asarray(weighted_rows(split.known).todense())
    return by_cohort(points, k_means(points, 8), split)


def clustered_on_a_sparse_matrix(split: Holdout) -> Iterator[np.ndarray]:
    rows = weighted_rows(split.known)
    return by_cohort(rows, k_means(rows.toarray(), 8), split)


@pytest.mark.parametrize("scores", [ease, item_knn, clustered, clustered_on_a_sparse_matrix])
def test_a_batch_recommender_finds_the_scene(
    split: Holdout, scores: Callable[[Holdout], Iterator[np.ndarray]]
) -> None:
    assert measure(split, scores(split), (0.1,)).reach[0].lift.value > 4


def test_rivers_own_k_means_is_better_than_random_and_worse_than_batch(split: Holdout) -> None:
    points = random_projection(weighted_rows(split.known), 16)
    streamed = measure(split, by_cohort(points, river_k_means(points, 8), split), (0.1,)).reach[0].lift
    batch = measure(split, clustered(split), (0.1,)).reach[0].lift
    assert 1 < streamed.value < batch.value


def test_ease_that_takes_few_artists_takes_those_that_are_asked_about(split: Holdout) -> None:
    few = list(ease(split, most=1))
    assert len(few) == len(split.artists)
    assert all(np.ptp(scores) > 0 for scores in few)


def test_ease_is_the_regression_that_it_says_it_is(split: Holdout) -> None:
    rows = binary_rows(split.known).toarray()
    gram = rows.T @ rows + 7.0 * np.eye(rows.shape[1])
    artist = int(split.artists[0])
    others = np.delete(np.arange(rows.shape[1]), artist)
    weights = np.linalg.solve(gram[np.ix_(others, others)], gram[others, artist])
    np.testing.assert_allclose(next(ease(split, penalty=7.0)), rows[:, others] @ weights, atol=1e-9)


def test_neighbours_are_the_artists_with_the_most_listeners_in_common(split: Holdout) -> None:
    rows = binary_rows(split.known).toarray()
    artist = int(split.artists[0])
    lengths = np.linalg.norm(rows, axis=0)
    alike = rows.T @ rows[:, artist] / np.maximum(lengths * lengths[artist], 1e-12)
    alike[artist] = 0.0
    alike[np.argsort(-alike, kind="stable")[5:]] = 0.0
    np.testing.assert_allclose(next(item_knn(split, neighbours=5)), rows @ alike, atol=1e-9)


def test_of_several_variants_the_one_that_finds_most_of_what_is_held_out_is_taken(split: Holdout) -> None:
    def blind(part: Holdout) -> Iterator[np.ndarray]:
        return (np.zeros(part.known.shape[0]) for _ in part.artists)

    def upside_down(part: Holdout) -> Iterator[np.ndarray]:
        return (-scores for scores in ease(part))

    assert tuned(split, {"blind": blind, "ease": ease, "upside down": upside_down}) == "ease"


def test_rows_are_of_unit_length_and_what_everyone_plays_weighs_least() -> None:
    rows = weighted_rows(csr_matrix(np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [1.0, 0.0, 0.0]])))
    np.testing.assert_allclose(np.linalg.norm(rows.toarray(), axis=1), 1)
    assert rows[0, 0] < rows[0, 1]
