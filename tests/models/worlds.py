"""Listeners with tastes that are known, for the tests of the core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from models.cohort_learner import CohortLearner, Row
from models.model import Model


@dataclass
class World:
    """Scenes of artists, and listeners who mostly play their own scene's."""

    plays: csr_matrix
    scene: np.ndarray
    artists: list[str]

    def rows(self, listeners: np.ndarray) -> list[Row]:
        plays = self.plays[listeners]  # at once: a row of SciPy's takes a tenth of a millisecond
        ends = zip(plays.indptr[:-1], plays.indptr[1:], strict=True)
        return [
            ([self.artists[a] for a in plays.indices[low:high]], plays.data[low:high]) for low, high in ends
        ]


def make_world(n_listeners: int = 400, n_scenes: int = 8, per_scene: int = 25, seed: int = 1) -> World:
    rng = np.random.default_rng(seed)
    scene = np.arange(n_listeners) % n_scenes
    popular = 1 / (1 + np.arange(per_scene)) ** 0.5
    lines = np.zeros((n_listeners, n_scenes * per_scene))
    for i in range(n_listeners):
        own = scene[i] * per_scene + rng.choice(per_scene, 12, replace=False, p=popular / popular.sum())
        lines[i, own] = 1 + rng.poisson(6, 12)
        lines[i, rng.choice(lines.shape[1], 3, replace=False)] += 1
    return World(
        csr_matrix(lines), scene, [f"s{a // per_scene}a{a % per_scene}" for a in range(lines.shape[1])]
    )


def long_tail(seed: int = 1) -> World:
    """Short rows: five of the dozen artists of one of 48 scenes, and three of any."""
    rng = np.random.default_rng(seed)
    n_listeners, n_scenes, per_scene = 2000, 48, 12
    scene = rng.integers(n_scenes, size=n_listeners)
    lines = np.zeros((n_listeners, n_scenes * per_scene))
    for i in range(n_listeners):
        lines[i, scene[i] * per_scene + rng.choice(per_scene, 5, replace=False)] = 1
        lines[i, rng.integers(lines.shape[1], size=3)] = 1
    return World(csr_matrix(lines), scene, [f"a{a}" for a in range(lines.shape[1])])


def teach(learner: CohortLearner, world: World, batches: int = 20, size: int = 100, seed: int = 2) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(batches):
        listeners = rng.choice(world.plays.shape[0], size, replace=False)
        learner.learn_many(world.rows(listeners), listeners=listeners.tolist(), clicks=size)


def rows_of(world: World, model: Model) -> csr_matrix:
    """The world's plays with the model's columns."""
    at = {artist: column for column, artist in enumerate(world.artists)}
    return world.plays[:, [at[artist] for artist in model.artists]]
