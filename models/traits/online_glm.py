"""A generalized linear model that is learned batch by batch, with nothing to tune by hand."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import scipy

from models.laplace import bounded, fade, uphill

__all__ = ["Glm", "learned", "predict"]

Floats = npt.NDArray[np.float64]

STEPS = 8  # of Newton's method at most
CLOSE_ENOUGH = 1e-4  # a step that ends Newton's method
HIGHEST = 12.0  # of a logarithm of a count: e^12 actions a week
STEEPEST = 100.0  # of one that is only tried


@dataclass(frozen=True, eq=False)
class Glm:
    """What is known of the coefficients of a GLM: a Gaussian with this mean and precision.

    Attributes
    ----------
    family
        "bernoulli" with the logit link, or "poisson" with the log link.
    mean, precision
        Shapes (d,) and (d, d).
    prior
        Shape (d,), the diagonal of the precision that it fades towards; its mean is 0.
    dispersion
        Variance over mean of counts, as found; 1 of a Bernoulli variable.
    examples
        How many it has learned.
    """

    family: Literal["bernoulli", "poisson"]
    mean: Floats
    precision: Floats
    prior: Floats
    dispersion: float = 1.0
    examples: int = 0

    @property
    def finite(self) -> bool:
        """Whether all that is learned is numbers; else it has diverged, and no example brings it back."""
        return bool(np.isfinite([*self.mean, *self.precision.flat, self.dispersion]).all())

    @classmethod
    def blank(cls, family: Literal["bernoulli", "poisson"], prior: Floats) -> Glm:
        """Return one that knows nothing."""
        return cls(family, np.zeros(len(prior)), np.diag(prior), prior)


def predict(glm: Glm, rows: Floats) -> Floats:
    """Return probabilities, or expected counts, shape (n,), of rows, shape (n, d)."""
    return _mean_of(glm.family, rows @ glm.mean)


def learned(glm: Glm, rows: Floats, found: Floats, memory: float) -> Glm:
    """Return the model after a batch of examples: Laplace's approximation to the posterior.

        m' = argmax_b  sum_i log p(y_i | x_i, b) / dispersion - (b - m)' P (b - m) / 2
        P' = P + sum_i v_i x_i x_i' / dispersion,  v_i the variance of y_i at m'

    Parameters
    ----------
    rows, found
        Shapes (n, d) and (n,).
    memory
        Examples after which an example counts 1/e.

    References
    ----------
    [^1]: McCullagh, P. and Nelder, J. A., 1989. Generalized linear models. (Section 9.2 on quasi-likelihood:
          counts vary by more than Poisson's variance.)
    [^2]: Spiegelhalter, D. J. and Lauritzen, S. L., 1990. Sequential updating of conditional probabilities on
          directed graphical structures. Networks.

    Examples
    --------
    >>> random = np.random.default_rng(1)
    >>> rows = np.column_stack([np.ones(20_000), random.normal(size=20_000)])
    >>> found = random.poisson(np.exp(rows @ [1.0, 0.5])).astype(float)
    >>> learned(Glm.blank("poisson", np.ones(2)), rows, found, 1e6).mean.round(1).tolist()
    [1.0, 0.5]
    """
    if not len(found):
        return glm
    keep = np.exp(-len(found) / memory)
    start, precision = fade(glm.mean, glm.precision, np.diag(glm.prior), float(keep))

    def log_posterior(b: Floats) -> float:
        likelihood = _log_likelihood(glm.family, rows @ b, found) / glm.dispersion
        return likelihood - float((b - start) @ precision @ (b - start)) / 2.0

    mean, of, reached = start, _mean_of(glm.family, rows @ start), log_posterior(start)
    for _ in range(STEPS):
        gradient = rows.T @ (found - of) / glm.dispersion - precision @ (mean - start)
        step = bounded(np.linalg.solve(precision + _information(glm, rows, of), gradient))
        step, reached = uphill(log_posterior, mean, step, reached)
        mean = mean + step
        of = _mean_of(glm.family, rows @ mean)
        if np.abs(step).max() < CLOSE_ENOUGH:
            break
    return replace(
        glm,
        mean=mean,
        precision=precision + _information(glm, rows, of),
        dispersion=_dispersion(glm, found, of, keep),
        examples=glm.examples + len(found),
    )


def _mean_of(family: str, linear: Floats) -> Floats:
    if family == "bernoulli":
        return np.asarray(scipy.special.expit(linear), dtype=np.float64)
    return np.exp(np.minimum(linear, HIGHEST))


def _log_likelihood(family: str, linear: Floats, found: Floats) -> float:
    """Return the logarithm of the likelihood, but for what does not depend on the coefficients."""
    if family == "bernoulli":
        return float(np.sum(found * linear - np.logaddexp(0.0, linear)))
    return float(np.sum(found * linear - np.exp(np.minimum(linear, STEEPEST))))


def _information(glm: Glm, rows: Floats, of: Floats) -> Floats:
    variance = of * (1 - of) if glm.family == "bernoulli" else of
    return np.asarray((rows.T * (variance / glm.dispersion)) @ rows, dtype=np.float64)


def _dispersion(glm: Glm, found: Floats, of: Floats, keep: float) -> float:
    if glm.family == "bernoulli":
        return 1.0
    now = max(float(((found - of) ** 2).sum() / max(float(of.sum()), 1e-9)), 1.0)
    return now if not glm.examples else keep * glm.dispersion + (1 - keep) * now
