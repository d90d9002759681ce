"""Models that nobody learned: quick to make, the same every time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from models.model import Model

__all__ = ["ARTISTS", "UNKNOWN", "made_up_model", "small_model", "two_cohorts"]

ARTISTS = ("a0", "a1", "a2", "a3", "a4", "a5")
UNKNOWN = ("x0", "x1")
"""Artists that the model has not heard of."""


def made_up_model(
    *, version: int, seed: int, artists: tuple[str, ...], n_dims: int, cohorts: tuple[str, ...]
) -> Model:
    """Another seed is another model: other vectors, other centres."""
    rng = np.random.default_rng(seed)
    vectors, _ = np.linalg.qr(rng.normal(size=(len(artists), n_dims)))
    counts = np.array([9.0, 7.0, 5.0, 5.0, 3.0, 2.0])
    return Model(
        version=version,
        created_at=0.0,
        clicks=100,
        listeners=30,
        artists=artists,
        vectors=vectors.astype(np.float32),
        spread=np.eye(n_dims),
        counts=np.resize(counts, len(artists)),
        n_rows=30.0,
        centers=rng.normal(size=(len(cohorts), n_dims)) / 2,
        cohort_ids=cohorts,
        next_cohort=100,
        sizes=np.full(len(cohorts), 10),
        holders=csr_matrix(np.ones((len(cohorts), len(artists)))),
        labels=tuple(f"Label {cohort}" for cohort in cohorts),
        born=np.zeros(len(cohorts)),
    )


def small_model(version: int = 3, seed: int = 0) -> Model:
    """Six artists, three dimensions, three cohorts."""
    return made_up_model(version=version, seed=seed, artists=ARTISTS, n_dims=3, cohorts=("c1", "c2", "c5"))


def two_cohorts(**changes: Any) -> Model:
    """Two artists, two dimensions, a cohort around each artist; with some fields otherwise."""
    model = Model(
        version=1,
        created_at=0.0,
        clicks=9,
        listeners=3,
        artists=("ana", "bo"),
        vectors=np.eye(2, dtype="f4"),
        spread=np.eye(2) / 2,
        counts=np.array([2.0, 1.0]),
        n_rows=3.0,
        centers=np.eye(2),
        cohort_ids=("c1", "c2"),
        next_cohort=3,
        sizes=np.array([2, 1]),
        holders=csr_matrix(np.diag([2.0, 1.0])),
        labels=("Ana", "Bo"),
        born=np.zeros(2),
    )
    return replace(model, **changes)
