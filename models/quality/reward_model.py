"""What a decision earns, predicted of its context and action by other rows: for doubly robust estimates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

__all__ = ["FOLDS", "cross_fitted"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FOLDS = 5
PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4)
"""How strongly coefficients are held back: an action seen n times keeps n / (n + penalty) of its own."""


def cross_fitted(
    logged: csr_matrix, judged: csr_matrix, rewards: Floats, units: Ints, seed: int = 0
) -> tuple[Floats, Floats]:
    """Predict rewards by ridge regression, each fold of the units by one that learned from the other folds.

    A linear model of the columns: its mean over the actions of a policy is what it predicts of the policy's
    mean columns, so that all actions cost no more than one. The penalty of each fold is chosen among
    `PENALTIES` by the squared error on each of the others in turn, without a look at the fold itself.

    Parameters
    ----------
    logged
        Shape (n, d), of each row context and action, one column each.
    judged
        Shape (n, d), the same with the probabilities of the policy to be judged in the columns of actions.
    rewards
        Shape (n,).
    units
        Shape (n,), from 0: rows of one number go into one fold.

    Returns
    -------
    The predicted reward of each row's action, and of the policy to be judged: shape (n,) each.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> action = rng.integers(2, size=2000)
    >>> clicked = (rng.random(2000) < np.array([0.1, 0.3])[action]).astype(float)
    >>> logged, judged = csr_matrix(np.eye(2)[action]), csr_matrix(np.eye(2)[np.ones(2000, int)])
    >>> predicted, expected = cross_fitted(logged, judged, clicked, np.arange(2000))
    >>> predicted[action == 0].mean().round(1), expected.mean().round(1)
    (np.float64(0.1), np.float64(0.3))
    """
    fold = np.random.default_rng(seed).permutation(int(units.max()) + 1)[units] % FOLDS
    parts = [_Sums.of(logged[fold == k], rewards[fold == k]) for k in range(FOLDS)]
    predicted, expected = np.empty(len(rewards)), np.empty(len(rewards))
    for k in range(FOLDS):
        others = [part for other, part in enumerate(parts) if other != k]
        level, slopes = (fit[0] for fit in _total(others).fitted([_best_penalty(others)]))
        here = fold == k
        predicted[here] = level + logged[here] @ slopes
        expected[here] = level + judged[here] @ slopes
    return predicted, expected


class _Sums:
    """What ridge regression needs of some rows: counts, sums and products."""

    def __init__(self, n: float, x: Floats, y: float, xx: Floats, xy: Floats, yy: float) -> None:
        self.n, self.x, self.y, self.xx, self.xy, self.yy = n, x, y, xx, xy, yy

    @classmethod
    def of(cls, rows: csr_matrix, rewards: Floats) -> _Sums:
        x: Floats = np.asarray(rows.sum(axis=0), dtype=np.float64).ravel()
        xx = np.asarray((rows.T @ rows).toarray(), dtype=np.float64)
        return cls(
            len(rewards), x, float(rewards.sum()), xx, np.asarray(rows.T @ rewards), float(rewards @ rewards)
        )

    def fitted(self, penalties: Sequence[float]) -> tuple[Floats, Floats]:
        """Return level and slopes of each penalty, shapes (p,) and (p, d); the level has no penalty."""
        n = max(self.n, 1.0)
        mean_x, mean_y = self.x / n, self.y / n
        xx, xy = self.xx - n * np.outer(mean_x, mean_x), self.xy - n * mean_x * mean_y
        held_back = xx + np.asarray(penalties)[:, None, None] * np.eye(len(xy))
        slopes = np.asarray(np.linalg.solve(held_back, xy[:, None]), dtype=np.float64)[..., 0]
        return mean_y - slopes @ mean_x, slopes

    def squared_errors(self, levels: Floats, slopes: Floats) -> Floats:
        """Return the sum over the rows of (reward - predicted)^2, shape (p,), of what `fitted` returns."""
        own = self.yy - 2 * (levels * self.y + slopes @ self.xy)
        products = np.einsum("pi,ij,pj->p", slopes, self.xx, slopes)
        errors: Floats = own + self.n * levels**2 + 2 * levels * (slopes @ self.x) + products
        return errors


def _total(parts: list[_Sums]) -> _Sums:
    return _Sums(
        *(sum(getattr(part, name) for part in parts[1:]) + getattr(parts[0], name) for name in FIELDS)
    )


FIELDS = ("n", "x", "y", "xx", "xy", "yy")


def _best_penalty(parts: list[_Sums]) -> float:
    errors = np.zeros(len(PENALTIES))
    for held, part in enumerate(parts):
        errors += part.squared_errors(*_total(parts[:held] + parts[held + 1 :]).fitted(PENALTIES))
    return PENALTIES[int(errors.argmin())]
