"""Listeners of two scenes: who plays the first scene is in the segment."""

from __future__ import annotations

from functools import cache

import numpy as np

from models.cohort_learner import CohortLearner
from models.model import Model
from models.taste import root
from models.traits.segment_rows import Known

__all__ = ["N", "affinities_of", "is_in", "known_of", "world_model"]

N = 400
SCENE = 12  # artists


def is_in(number: int) -> bool:
    """Whether listener u0, u1, ... is in the segment."""
    return number % 4 == 0


def affinities_of(number: int) -> dict[str, float]:
    """A listener's artists: six of the scene, one of the other, the same every time."""
    random = np.random.default_rng(number)
    scene = "a" if is_in(number) else "b"
    own = {f"{scene}{at}": 1.0 + float(random.integers(4)) for at in random.choice(SCENE, 6, replace=False)}
    return own | {f"{'b' if scene == 'a' else 'a'}{random.integers(SCENE)}": 1.0}


@cache
def world_model(version: int = 1, n_dims: int = 4) -> Model:
    """What is learned of all of them."""
    learner = CohortLearner(n_cohorts=4, n_dims=n_dims, seed=version)
    rows = [affinities_of(number) for number in range(N)]
    learner.learn_many([(list(own), list(own.values())) for own in rows], [f"u{n}" for n in range(N)])
    return learner.snapshot(version=version, now=0.0)


def known_of(numbers: list[int], model: Model) -> Known:
    """What is known of some of them."""
    rows = [affinities_of(number) for number in numbers]
    tastes = np.array(
        [root(np.array(list(own.values()))) @ model.factors[[model.index[a] for a in own]] for own in rows]
    ).reshape(-1, model.n_dims)
    affinities = [(list(own), list(own.values())) for own in rows]
    return Known(affinities, tastes, model.assign(tastes) if rows else np.zeros(0, dtype=np.int64))
