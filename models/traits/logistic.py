"""Logistic regression on sparse rows, its penalty chosen on rows that were left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy
from scipy.sparse import csr_matrix

__all__ = ["FOLDS", "Fit", "fit"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FOLDS = 5
PENALTIES = 30.0, 10.0, 3.0, 1.0, 0.3
"""Tried: from those that let rows hardly count to those that nearly learn them by heart."""

CLOSE_ENOUGH = 1e-4  # the largest slope at which L-BFGS ends
STEPS = 200


@dataclass(frozen=True, eq=False)
class Fit:
    """What was learned.

    Attributes
    ----------
    coefficients, intercept
        Shape (D,) and a number: log-odds are rows @ coefficients + intercept.
    penalty
        The one chosen of `PENALTIES`.
    left_out
        Shape (n,): the log-odds of each row, learned without the fold that it is in.
    """

    coefficients: Floats
    intercept: float
    penalty: float
    left_out: Floats


def fit(rows: csr_matrix, positive: npt.NDArray[np.bool_], seed: int = 0) -> Fit:
    """Minimize sum_i log(1 + exp(-s_i (x_i b + a))) + penalty |b|^2 / 2, s_i = 1 of positives, else -1.

    That is the posterior mode under independent Gaussian priors of variance 1 / penalty; a is free. The
    penalty is the one with the least log loss over `FOLDS` folds, in each of which the share of positives is
    the same, so that few positives do not end in one fold. Solved by L-BFGS, in the columns that occur.

    Parameters
    ----------
    rows
        Shape (n, D).
    positive
        Shape (n,): at least `FOLDS` are, and as many are not.

    References
    ----------
    [^1]: Genkin, A., Lewis, D. D. and Madigan, D., 2007. Large-scale Bayesian logistic regression for text
          categorization. Technometrics 49.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> rows = csr_matrix(random.normal(size=(400, 2)))
    >>> found = fit(rows, random.random(400) < scipy.special.expit(2 * rows.toarray()[:, 0]))
    >>> bool(found.coefficients[0] > 1 > abs(found.coefficients[1]))
    True
    """
    used = np.unique(rows.indices)
    inner = rows[:, used]
    signs = np.where(positive, 1.0, -1.0)
    fold = _folds(positive, seed)
    left_out = np.empty((len(PENALTIES), len(signs)))
    for number in range(FOLDS):
        known, asked = fold != number, fold == number
        at = _start(signs[known], len(used))
        for row, penalty in enumerate(PENALTIES):
            at = _minimize(inner[known], signs[known], penalty, at)
            left_out[row, asked] = inner[asked] @ at[:-1] + at[-1]
    best = int(np.logaddexp(0.0, -signs * left_out).mean(axis=1).argmin())
    at = _minimize(inner, signs, PENALTIES[best], _start(signs, len(used)))
    coefficients = np.zeros(rows.shape[1])
    coefficients[used] = at[:-1]
    return Fit(coefficients, float(at[-1]), PENALTIES[best], left_out[best])


def _folds(positive: npt.NDArray[np.bool_], seed: int) -> Ints:
    """Return the fold of each row."""
    fold = np.empty(len(positive), dtype=np.int64)
    random = np.random.default_rng(seed)
    for kind in (True, False):
        of_kind = random.permutation(np.flatnonzero(positive == kind))
        fold[of_kind] = np.arange(len(of_kind)) % FOLDS
    return fold


def _start(signs: Floats, width: int) -> Floats:
    share = (signs > 0).mean()
    return np.append(np.zeros(width), np.log(share / (1.0 - share)))


def _minimize(rows: csr_matrix, signs: Floats, penalty: float, start: Floats) -> Floats:
    turned = rows.T.tocsr()

    def loss(at: Floats) -> tuple[float, Floats]:
        margins = signs * (rows @ at[:-1] + at[-1])
        slopes = -signs * scipy.special.expit(-margins)
        value = np.logaddexp(0.0, -margins).sum() + penalty / 2 * (at[:-1] @ at[:-1])
        return float(value), np.append(turned @ slopes + penalty * at[:-1], slopes.sum())

    # Loaded when it is first called: models/play_rate.py says why.
    found = scipy.optimize.minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"gtol": CLOSE_ENOUGH * len(signs), "maxiter": STEPS},
    )
    return np.asarray(found.x, dtype=np.float64)
