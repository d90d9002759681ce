"""A world and a model of it, for the tests of the core."""

from __future__ import annotations

import pytest

from models.cohort_learner import CohortLearner
from models.model import Model
from tests.models.worlds import World, make_world, teach


@pytest.fixture(scope="session")
def world() -> World:
    return make_world()


@pytest.fixture(scope="session")
def model(world: World) -> Model:
    learner = CohortLearner(n_cohorts=8, n_dims=16, seed=5)
    teach(learner, world)
    return learner.snapshot(version=1, now=1000.0)
