"""Whom a treatment moves: how much likelier it makes the outcome, learned from a randomised experiment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import scipy

from models.ctr import PRIOR_SPREAD, PRIOR_SPREAD_OF_LEVEL

__all__ = ["UpliftModel"]

Floats = npt.NDArray[np.float64]

PRIOR_SPREAD_OF_BASE = 1.0
"""Standard deviation that coefficients of the outcome without treatment are assumed to have."""
STEPS, CLOSE = 50, 1e-8


@dataclass(frozen=True, eq=False)
class UpliftModel:
    """One logistic regression for both groups, in which the treatment has a coefficient for each feature.

        log-odds = b_0 + b'x + (t - e) (d_0 + d'x),   e the share treated

    Each coefficient is normal about 0 before anything is learned, those of the treatment by features with
    `models.ctr.PRIOR_SPREAD`: of few outcomes it is learned that all odds rise alike, of many whom the
    treatment moves more or less than that. t - e keeps what the treatment does apart from what happens
    anyway, at any share treated.

    Attributes
    ----------
    coefficients
        Shape (2 + 2 d,): b_0, b, d_0, d.
    share
        e, share of rows treated, above 0 and below 1.

    References
    ----------
    [^1]: Lo, V. S. Y., 2002. The true lift model: a novel data mining approach to response modeling in
          database marketing. SIGKDD Explorations (one model with interactions).
    [^2]: Gutierrez, P. and Gérardy, J.-Y., 2017. Causal inference and uplift modelling: a review of the
          literature. PMLR 67.

    Examples
    --------
    The treatment moves those whose first feature is above 0, and nobody else:

    >>> rng = np.random.default_rng(0)
    >>> rows, treated = rng.normal(size=(8000, 2)), rng.integers(2, size=8000).astype(float)
    >>> moved = treated * (rows[:, 0] > 0)
    >>> outcomes = (rng.random(8000) < 0.1 + 0.2 * moved).astype(float)
    >>> model = UpliftModel.fit(rows, treated, outcomes)
    >>> model.predict(np.array([[1.5, 0.0], [-1.5, 0.0]])).round(2).tolist()
    [0.22, -0.01]
    """

    coefficients: Floats
    share: float

    @classmethod
    def fit(cls, rows: Floats, treated: Floats, outcomes: Floats) -> Self:
        """Learn by Newton's method, to the maximum of the posterior.

        Parameters
        ----------
        rows
            Shape (n, d), features of about unit spread (`models.encoding`).
        treated, outcomes
            Shape (n,), 0 or 1.

        Raises
        ------
        ValueError
            Where all are treated or none is, or the outcome is the same for all.
        """
        share, rate = float(treated.mean()), float(outcomes.mean())
        if not (0 < share < 1 and 0 < rate < 1):
            raise ValueError("it takes rows with and without treatment, and with and without the outcome")
        d = rows.shape[1]
        columns = _design(rows, treated - share)
        spreads = [PRIOR_SPREAD_OF_LEVEL, *[PRIOR_SPREAD_OF_BASE] * d, 1.0, *[PRIOR_SPREAD] * d]
        precision = np.array(spreads) ** -2.0
        center = np.zeros(2 + 2 * d)
        center[0] = scipy.special.logit(rate)  # the level's prior is about the rate there is
        found = center.copy()
        for _ in range(STEPS):
            p = scipy.special.expit(columns @ found)
            slope = columns.T @ (outcomes - p) - precision * (found - center)
            curvature = (columns * (p * (1 - p))[:, None]).T @ columns + np.diag(precision)
            step = np.linalg.solve(curvature, slope)
            found += step
            if np.abs(step).max() < CLOSE:
                break
        return cls(found, share)

    def predict(self, rows: Floats) -> Floats:
        """Return how much likelier the treatment makes the outcome, -1 to 1, shape (n,), for rows (n, d)."""
        n = len(rows)
        told, left = (
            scipy.special.expit(_design(rows, np.full(n, t - self.share)) @ self.coefficients) for t in (1, 0)
        )
        uplift: Floats = told - left
        return uplift


def _design(rows: Floats, treatment: Floats) -> Floats:
    both = np.column_stack([np.ones(len(rows)), rows])
    return np.hstack([both, treatment[:, None] * both])
