"""Where an artist's listeners are, as a regression finds it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.directions import ACTIVITY, activity, directions
from models.taste import unit

RANDOM = np.random.default_rng(5)
TASTES = unit(RANDOM.normal(size=(4000, 6)))
POINT = unit(RANDOM.normal(size=(3, 6)))
PLAYED = RANDOM.random((4000, 3)) < np.clip(TASTES @ POINT.T, 0.0, 1.0)


def test_a_direction_points_to_the_listeners_who_play_the_artist() -> None:
    found = directions(csr_matrix(PLAYED, dtype=float), TASTES, np.roll(POINT, 1, axis=0))
    assert (found * POINT).sum(axis=1) == pytest.approx(1.0, abs=0.02)


def test_it_tells_listeners_apart_where_all_tastes_have_much_in_common() -> None:
    common = 3.0 * np.eye(6)[0] + TASTES
    found = directions(csr_matrix(PLAYED, dtype=float), common, POINT)
    by_mean = unit(PLAYED.T.astype(float) @ common)

    def told_apart(vectors: np.ndarray) -> float:
        return float(
            np.mean([np.corrcoef(common @ v, TASTES @ p)[0, 1] for v, p in zip(vectors, POINT, strict=True)])
        )

    assert told_apart(found) > told_apart(by_mean) + 0.1


def test_an_artist_without_listeners_points_where_its_vector_does() -> None:
    held = csr_matrix((len(TASTES), 3))
    np.testing.assert_allclose(directions(held, TASTES, POINT), POINT)


def test_the_fewer_listeners_the_nearer_to_the_vector() -> None:
    away = unit(np.roll(POINT, 1, axis=0))
    near = []
    for fans in (1, 5, 50, 500):
        held = np.zeros_like(PLAYED)
        for artist in range(3):
            held[np.flatnonzero(PLAYED[:, artist])[:fans], artist] = True
        found = directions(csr_matrix(held, dtype=float), TASTES, away)
        near.append(float((found * away).sum(axis=1).mean()))
    assert near == sorted(near, reverse=True)


def test_activity_is_1_for_a_listener_in_the_middle_and_grows_with_the_length_of_the_taste() -> None:
    assert activity(np.array([7.0, 9.0, -np.inf]), 7.0).tolist() == [1.0, 2.0 ** (2 * ACTIVITY), 0.0]
    assert activity(np.array([7.0, 9.0, -np.inf]), 7.0, 1.0).tolist() == [1.0, 4.0, 0.0]


def test_without_a_power_all_are_equally_active() -> None:
    assert activity(np.array([7.0, 9.0, -np.inf]), 7.0, 0.0).tolist() == [1.0, 1.0, 1.0]
