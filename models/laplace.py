"""Bayesian logistic regression, a batch at a time: one step of Laplace's approximation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

__all__ = ["bounded", "fade", "learn_batch", "uphill"]

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.floating[Any]]

STEPS = 10  # of Newton's method at most
HALVINGS = 30  # of one step at most
ROUNDING = 1e-12  # of a sum of thousands of logarithms: what it seems to lose by a step that is right
LONGEST_STEP = 2.0  # in one coefficient
CLOSE_ENOUGH = 1e-4  # a step that ends Newton's method


def learn_batch(
    mean: Floats,
    precision: Floats,
    columns: Floats,
    y: Floats,
    w: Floats | float = 1.0,
    offset: Floats | float = 0.0,
) -> tuple[Floats, Floats]:
    """Return mean and precision of the coefficients b after a batch, a Gaussian as they were before it.

        m' = argmax_b  sum_i w_i log p(y_i | x_i, b) - (b - m)' P (b - m) / 2
        P' = P + sum_i w_i p_i (1 - p_i) x_i x_i',  p_i at m'

    so that few examples move little, and there is no step size to set.

    Parameters
    ----------
    mean, precision
        Shapes (d,) and (d, d).
    columns
        Shape (n, d), x.
    y, w
        Shape (n,): 0 or 1, and how often each counts.
    offset
        Shape (n,), log-odds that x'b is added to.

    References
    ----------
    [^1]: Spiegelhalter, D. J. and Lauritzen, S. L., 1990. Sequential updating of conditional probabilities on
          directed graphical structures. Networks. (There with one step of Newton's method an example.)
    [^2]: Chapelle, O. and Li, L., 2011. An empirical evaluation of Thompson sampling. NIPS. (Algorithm 3,
          with a diagonal precision; here it is full.)

    Examples
    --------
    >>> ones = np.ones((100, 1))
    >>> mean, _ = learn_batch(np.zeros(1), 0.01 * np.eye(1), ones, np.arange(100) < 20.0)
    >>> scipy.special.expit(mean).round(2).tolist()
    [0.2]
    """

    def log_posterior(b: Floats) -> float:
        log_odds = offset + columns @ b
        likelihood = w * (y * log_odds - np.logaddexp(0.0, log_odds))
        return float(np.sum(likelihood) - (b - mean) @ precision @ (b - mean) / 2.0)

    b, p, reached = mean, scipy.special.expit(offset + columns @ mean), log_posterior(mean)
    for _ in range(STEPS):
        gradient = columns.T @ (w * (y - p)) - precision @ (b - mean)
        curvature = precision + (columns.T * (w * p * (1 - p))) @ columns
        step = bounded(np.linalg.solve(curvature, gradient))
        step, reached = uphill(log_posterior, b, step, reached)
        b = b + step
        p = scipy.special.expit(offset + columns @ b)
        if np.abs(step).max() < CLOSE_ENOUGH:
            break
    return b, precision + (columns.T * (w * p * (1 - p))) @ columns


def uphill(
    log_posterior: Callable[[Floats], float], b: Floats, step: Floats, reached: float
) -> tuple[Floats, float]:
    """Return a step halved until it gains something, and what the logarithm of the posterior is there.

    Where outcomes are far from what was expected, Newton's method would leap over the maximum, to where all
    probabilities are 0 or 1 and nothing leads back.

    Parameters
    ----------
    reached
        The logarithm of the posterior at b.
    """
    for _ in range(HALVINGS):
        there = log_posterior(b + step)
        if there >= reached - ROUNDING * abs(reached):
            return step, there
        step = step / 2.0
    return np.zeros_like(step), reached


def fade(mean: Floats, precision: Floats, prior: Floats, keep: float) -> tuple[Floats, Floats]:
    """Return mean and precision with so much of their say kept, the rest given back to the prior (mean 0)."""
    faded = keep * precision + (1.0 - keep) * prior
    return np.asarray(np.linalg.solve(faded, keep * (precision @ mean)), dtype=np.float64), faded


def bounded(step: Numbers) -> Floats:
    """Return a step that is not too long for Newton's method to come back from."""
    longest = max(float(np.abs(step).max()), 1e-300)
    made: Floats = np.asarray(step * min(1.0, LONGEST_STEP / longest), dtype=np.float64)
    return made
