"""The usual ways to learn whom a treatment moves, out of scikit-learn's estimators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from consumers.evaluate.installed import missing

__all__ = ["OURS", "Learner", "usual_learners"]

Floats = npt.NDArray[np.float64]
Learner: TypeAlias = Callable[[Floats, Floats, Floats, Floats], Floats]
"""Learns from rows (n, d), treated (n,) and outcomes (n,), and scores other rows: shape (m,)."""

OURS = "Refrain"
LIBRARY = "sklearn"


def usual_learners() -> dict[str, Learner]:
    """Return the learners by name; none where scikit-learn is not installed.

    S has one model of the outcome, T one for each group, X one of what each row gained over the other group's
    model; the outcome transformed has the uplift for its mean; the class transformed is 1 where outcome and
    treatment are alike. "The outcome alone" ranks by who does it, whatever is done: what is usual without an
    experiment.

    References
    ----------
    [^1]: Künzel, S. R. et al., 2019. Metalearners for estimating heterogeneous treatment effects using
          machine learning. PNAS.
    [^2]: Athey, S. and Imbens, G. W., 2016. Recursive partitioning for heterogeneous causal effects. PNAS.
    [^3]: Jaskowski, M. and Jaroszewicz, S., 2012. Uplift modeling for clinical trial data. ICML workshop.
    """
    if missing(LIBRARY):
        return {}
    from sklearn.linear_model import LinearRegression

    return {
        "S, logistic": _single(_logistic),
        "S, boosting": _single(_boosting),
        "T, logistic": _two(_logistic),
        "T, boosting": _two(_boosting),
        "X, logistic and linear": _crossed(_logistic, LinearRegression),
        "X, boosting": _crossed(_boosting, _boosted_numbers),
        "outcome transformed, linear": _transformed(LinearRegression),
        "outcome transformed, boosting": _transformed(_boosted_numbers),
        "class transformed, logistic": _class_transformed(_logistic),
        "the outcome alone, boosting": _outcome_alone(_boosting),
    }


def _logistic() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000)


def _boosting() -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(**BOOSTING)


def _boosted_numbers() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(**BOOSTING)


BOOSTING: dict[str, Any] = {
    "max_iter": 60,
    "learning_rate": 0.05,
    "max_leaf_nodes": 8,
    "min_samples_leaf": 100,
    "random_state": 0,
}
"""Small trees and few of them: what there is to learn of an uplift is little beside its noise."""


def _single(make: Callable[[], Any]) -> Learner:
    def columns(rows: Floats, treated: Floats) -> Floats:
        return np.column_stack([rows, treated, rows * treated[:, None]])

    def learn(rows: Floats, treated: Floats, outcomes: Floats, others: Floats) -> Floats:
        model, one = make().fit(columns(rows, treated), outcomes), np.ones(len(others))
        return _chance(model, columns(others, one)) - _chance(model, columns(others, 0 * one))

    return learn


def _two(make: Callable[[], Any]) -> Learner:
    def learn(rows: Floats, treated: Floats, outcomes: Floats, others: Floats) -> Floats:
        with_it, without = (make().fit(rows[treated == t], outcomes[treated == t]) for t in (1, 0))
        return _chance(with_it, others) - _chance(without, others)

    return learn


def _crossed(make: Callable[[], Any], make_numbers: Callable[[], Any]) -> Learner:
    def learn(rows: Floats, treated: Floats, outcomes: Floats, others: Floats) -> Floats:
        told, share = treated == 1, float(treated.mean())
        with_it, without = (make().fit(rows[group], outcomes[group]) for group in (told, ~told))
        gained = make_numbers().fit(rows[told], outcomes[told] - _chance(without, rows[told]))
        missed = make_numbers().fit(rows[~told], _chance(with_it, rows[~told]) - outcomes[~told])
        uplift: Floats = (1 - share) * gained.predict(others) + share * missed.predict(others)
        return uplift

    return learn


def _transformed(make_numbers: Callable[[], Any]) -> Learner:
    def learn(rows: Floats, treated: Floats, outcomes: Floats, others: Floats) -> Floats:
        share = treated.mean()
        uplift: Floats = (
            make_numbers().fit(rows, outcomes * (treated - share) / (share * (1 - share))).predict(others)
        )
        return uplift

    return learn


def _class_transformed(make: Callable[[], Any]) -> Learner:
    def learn(rows: Floats, treated: Floats, outcomes: Floats, others: Floats) -> Floats:
        share = treated.mean()
        weights = np.where(treated == 1, 1 / share, 1 / (1 - share))
        return _chance(make().fit(rows, outcomes == treated, sample_weight=weights), others)

    return learn


def _outcome_alone(make: Callable[[], Any]) -> Learner:
    def learn(rows: Floats, treated: Floats, outcomes: Floats, others: Floats) -> Floats:
        return _chance(make().fit(rows, outcomes), others)

    return learn


def _chance(model: Any, rows: Floats) -> Floats:
    chance: Floats = model.predict_proba(rows)[:, 1]
    return chance
