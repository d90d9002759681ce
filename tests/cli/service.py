"""What the small service of these tests consists of."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.model import Model
from models.taste import root

__all__ = ["ARTISTS", "MEMBERS", "NOW", "model_of", "taste_of"]

NOW = time.time()
ARTISTS = {"a1": "Radiohead", "a2": "Sigur Rós", "a3": "[bold]Björk"}
MEMBERS = {"c1": ["u1", "u2", "u3"], "c2": ["v1", "v2"], "": ["w1", "robot"]}


def model_of(version: int, created_at: float) -> Model:
    """A model whose first cohort plays the first artist, and whose second plays the second."""
    return Model(
        version=version,
        created_at=created_at,
        clicks=70,
        listeners=7,
        artists=tuple(ARTISTS),
        vectors=np.eye(3, dtype=np.float32)[:, :2],
        spread=np.eye(2) / 2,
        counts=np.array([4.0, 3.0, 1.0]),
        n_rows=7.0,
        centers=np.eye(2),
        cohort_ids=("c1", "c2"),
        next_cohort=3,
        sizes=np.array([3, 2]),
        holders=csr_matrix(np.array([[3.0, 0.0, 1.0], [0.0, 2.0, 1.0]])),
        labels=("Radiohead", "Sigur Rós, [bold]Björk"),
        born=np.array([created_at, created_at]),
        settings={"n_cohorts": 2},
    )


def taste_of(model: Model, affinities: Mapping[str, float]) -> npt.NDArray[np.float64]:
    """The taste of a listener with these stored affinities."""
    rows = [model.index[artist] for artist in affinities]
    taste: npt.NDArray[np.float64] = root(np.array(list(affinities.values()))) @ model.factors[rows]
    return taste
