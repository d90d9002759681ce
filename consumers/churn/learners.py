"""Who learns churn: Refrain, in one pass as it does online, and the usual learners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from consumers.evaluate.installed import missing
from models.traits.churn import ChurnModel

__all__ = ["OURS", "Learner", "Predict", "refrain", "usual_learners"]

Floats = npt.NDArray[np.float64]
Predict: TypeAlias = Callable[[Floats], Floats]
Learner: TypeAlias = Callable[[Sequence[str], Floats, Floats], Predict]
"""Learns from names (d), rows (n, d) and outcomes (n,), and returns what predicts for rows (m, d)."""

OURS = "Refrain, one pass"
BATCH = 500  # rows that come at once, as they would online


def refrain(names: Sequence[str], rows: Floats, churned: Floats) -> Predict:
    """Learn as the service does: rows in order, each once."""
    model = ChurnModel(names)
    for start in range(0, len(rows), BATCH):
        model.learn(rows[start : start + BATCH], churned[start : start + BATCH])
    return model.predict


def usual_learners(seed: int) -> dict[str, Learner]:
    """Return the usual learners by name, as far as their libraries are installed.

    They learn all rows at once. The logistic regression has logarithms of the columns, and which are missing:
    of the columns as they are it is much worse.
    """
    if missing("sklearn"):
        return {}
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    def logistic() -> Any:
        return make_pipeline(FunctionTransformer(_logs), StandardScaler(), LogisticRegression(max_iter=2000))

    def forest() -> Any:
        return make_pipeline(
            FunctionTransformer(np.nan_to_num),
            RandomForestClassifier(200, min_samples_leaf=10, n_jobs=-1, random_state=seed),
        )

    def boosting() -> Any:
        return HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=150, max_leaf_nodes=15, min_samples_leaf=40, random_state=seed
        )

    learners = {
        "logistic regression": _fitted(logistic),
        "random forest": _fitted(forest),
        "gradient boosting": _fitted(boosting),
    }
    if not missing("lightgbm"):
        learners["LightGBM"] = _fitted(lambda: _lightgbm(seed))
    return learners


def _lightgbm(seed: int) -> Any:
    from lightgbm import LGBMClassifier

    return LGBMClassifier(
        n_estimators=150,
        learning_rate=0.05,
        num_leaves=8,
        min_child_samples=40,
        colsample_bytree=0.5,
        subsample=0.7,
        subsample_freq=1,
        random_state=seed,
        verbose=-1,
    )


def _fitted(make: Callable[[], Any]) -> Learner:
    def learn(_: Sequence[str], rows: Floats, churned: Floats) -> Predict:
        model = make().fit(rows, churned)

        def predict(others: Floats) -> Floats:
            chance: Floats = model.predict_proba(others)[:, 1]
            return chance

        return predict

    return learn


def _logs(rows: Floats) -> Floats:
    filled = np.nan_to_num(rows)
    return np.hstack([np.sign(filled) * np.log1p(np.abs(filled)), np.isnan(rows)])
