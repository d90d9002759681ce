"""What segments are compared with: logistic regression and LightGBM on raw features."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from consumers.evaluate.installed import EXTRA

__all__ = ["Rival", "rivals"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Rival: TypeAlias = Callable[[csr_matrix, Bools, csr_matrix], Floats]
"""Learns from rows (n, d) and labels (n,), and scores other rows: shape (m,)."""

INNER_FOLDS = 3
PENALTIES = 0.001, 0.003, 0.01, 0.03, 0.1
"""scikit-learn's C, of which inner folds choose the one with the highest AUC."""

ROUNDS = 100
BOOSTING: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 15,
    "min_child_samples": 10,
    "verbose": -1,
    "num_threads": 1,
    "deterministic": True,
    "random_state": 0,
}
FEWEST_ROWS = 10  # that a column must be in, for boosting: others make no split


def rivals() -> tuple[dict[str, Rival], tuple[str, ...]]:
    """Return the rivals whose libraries can be used, by name; and why others are left out."""
    found: dict[str, Rival] = {}
    notes = []
    for name, module, rival in (
        ("logistic regression", "sklearn.linear_model", _logistic),
        ("LightGBM", "lightgbm", _boosting),
    ):
        try:
            import_module(module)
        except ImportError:
            notes.append(f"Not compared with {name}, which is not installed: {EXTRA}")
        except OSError as error:  # a library of the system is missing, for LightGBM that of OpenMP
            notes.append(
                f"Not compared with {name}, which cannot be loaded ({error}): install the OpenMP library, on "
                "Debian and Ubuntu `apt-get install libgomp1`"
            )
        else:
            found[name] = rival
    return found, tuple(notes)


def _logistic(rows: csr_matrix, positive: Bools, others: csr_matrix) -> Floats:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    search = GridSearchCV(
        LogisticRegression(max_iter=500), {"C": PENALTIES}, scoring="roc_auc", cv=INNER_FOLDS
    ).fit(rows, positive)
    return np.asarray(search.decision_function(others), dtype=np.float64)


def _boosting(rows: csr_matrix, positive: Bools, others: csr_matrix) -> Floats:
    from lightgbm import Booster, Dataset, train

    often = np.flatnonzero(np.bincount(rows.indices, minlength=rows.shape[1]) >= FEWEST_ROWS)
    booster: Booster = train(BOOSTING, Dataset(rows[:, often], positive.astype(float)), ROUNDS)
    return np.asarray(booster.predict(others[:, often]), dtype=np.float64)
