"""A model small enough to reckon with: six artists, three dimensions, three cohorts."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from models.model import Model

__all__ = ["ARTISTS", "UNKNOWN", "small_model"]

ARTISTS = ("a0", "a1", "a2", "a3", "a4", "a5")
UNKNOWN = ("x0", "x1")
"""Artists that the model has not heard of."""


def small_model(version: int = 3, seed: int = 0) -> Model:
    """Another seed is another model: other vectors, other centres."""
    rng = np.random.default_rng(seed)
    vectors, _ = np.linalg.qr(rng.normal(size=(len(ARTISTS), 3)))
    return Model(
        version=version,
        created_at=0.0,
        clicks=100,
        listeners=30,
        artists=ARTISTS,
        vectors=vectors.astype(np.float32),
        spread=np.eye(3),
        counts=np.array([9.0, 7.0, 5.0, 5.0, 3.0, 2.0]),
        n_rows=30.0,
        centers=rng.normal(size=(3, 3)) / 2,
        cohort_ids=("c1", "c2", "c5"),
        next_cohort=6,
        sizes=np.array([10, 10, 10]),
        holders=csr_matrix(np.ones((3, len(ARTISTS)))),
        labels=("One", "Two", "Five"),
        born=np.zeros(3),
    )
