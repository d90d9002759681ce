"""Cohorts stay in place on the map as long as their tastes do."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from models.cohort_map import cohort_map

Floats = npt.NDArray[np.float64]

worlds = st.builds(
    lambda seed, k, d: (np.random.default_rng(seed), k, d),
    st.integers(0, 10_000),
    st.integers(2, 40),
    st.integers(2, 24),
)


def tastes(random: np.random.Generator, k: int, d: int) -> Floats:
    """Centres, as long as those of real cohorts."""
    return random.normal(size=(k, d)) / np.sqrt(d)


def turned(random: np.random.Generator, d: int) -> Floats:
    """A turn of d dimensions, which may mirror them, too."""
    return np.linalg.qr(random.normal(size=(d, d)))[0]


def stress(placed: Floats, centers: Floats) -> float:
    """The sum of squares of what distances on a map are off."""

    def apart(points: Floats) -> Floats:
        return np.linalg.norm(points[:, None] - points, axis=2)

    return float(((apart(placed) - apart(centers)) ** 2).sum())


@given(worlds)
def test_a_model_that_is_published_again_leaves_every_cohort_where_it_was(
    world: tuple[np.random.Generator, int, int],
) -> None:
    centers = tastes(*world)
    first = cohort_map(centers)
    np.testing.assert_array_equal(cohort_map(centers, first), first)


@given(worlds)
def test_a_map_that_others_have_joined_stays_as_well(world: tuple[np.random.Generator, int, int]) -> None:
    centers = tastes(*world)
    some = max(1, len(centers) // 2)
    before = np.full((len(centers), 2), np.nan)
    before[:some] = cohort_map(centers[:some])
    joined = cohort_map(centers, before)
    np.testing.assert_array_equal(cohort_map(centers, joined), joined)


@given(worlds)
def test_dimensions_that_are_permuted_flipped_or_turned_do_not_turn_the_map(
    world: tuple[np.random.Generator, int, int],
) -> None:
    random, _, d = world
    centers = tastes(*world)
    first = cohort_map(centers)
    flipped = centers[:, random.permutation(d)] * random.choice([-1.0, 1.0], d)
    np.testing.assert_array_equal(cohort_map(flipped, first), first)
    np.testing.assert_array_equal(cohort_map(centers @ turned(random, d), first), first)


@given(worlds)
def test_the_order_of_cohorts_does_not_matter(world: tuple[np.random.Generator, int, int]) -> None:
    centers = tastes(*world)
    first = cohort_map(centers)
    order = world[0].permutation(len(centers))
    np.testing.assert_array_equal(cohort_map(centers[order], first[order]), first[order])


@given(worlds)
def test_distances_are_kept_better_than_on_any_two_axes(world: tuple[np.random.Generator, int, int]) -> None:
    centers = tastes(*world)
    axes = turned(world[0], world[2])[:, :2]
    assert stress(cohort_map(centers), centers) <= stress(centers @ axes, centers) + 1e-9


@given(worlds)
def test_a_cohort_that_moves_a_little_moves_the_map_a_little(
    world: tuple[np.random.Generator, int, int],
) -> None:
    random, k, d = world
    centers = tastes(random, k, d)
    first = cohort_map(centers)
    later = cohort_map(centers + 0.01 * tastes(random, k, d), first)
    assert np.linalg.norm(later - first, axis=1).mean() < 0.2 * np.linalg.norm(first, axis=1).mean() + 0.02


@given(worlds)
def test_a_new_cohort_is_beside_the_one_of_the_same_taste(
    world: tuple[np.random.Generator, int, int],
) -> None:
    centers = tastes(*world)
    more = np.vstack([centers, centers[:1]])
    placed = cohort_map(more, np.vstack([cohort_map(centers), np.full((1, 2), np.nan)]))
    np.testing.assert_allclose(placed[-1], placed[0], atol=1e-4)


def test_cohorts_that_die_leave_the_others_where_they_are() -> None:
    centers = tastes(np.random.default_rng(3), 40, 16)
    first = cohort_map(centers)
    later = cohort_map(centers[2:], first[2:])
    assert np.linalg.norm(later - first[2:], axis=1).max() < 0.2 * np.linalg.norm(first, axis=1).max()


def test_one_cohort_alone_has_a_place() -> None:
    assert np.isfinite(cohort_map(np.ones((1, 3)))).all()


def test_the_first_cohorts_after_a_map_of_others_begin_a_new_one() -> None:
    centers = np.diag([3.0, 2.0, 1.0])
    np.testing.assert_array_equal(cohort_map(centers, np.full((3, 2), np.nan)), cohort_map(centers))
