"""Where an artist's listeners are: a regression of who plays the artist on tastes."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.taste import unit

__all__ = ["ACTIVITY", "activity", "directions"]

Floats = npt.NDArray[np.float64]
Real = TypeVar("Real", bound=np.floating[Any])

ACTIVITY = 0.5
"""Power of a taste's length that scores go with, where the settings do not say: who plays more is likelier to
play one more artist."""

PENALTY = 1.0  # of the mean eigenvalue
FANS = 3.0  # listeners at which an artist's own direction counts as much as its vector's


def activity(strengths: npt.NDArray[Real], middle: float, power: float = ACTIVITY) -> npt.NDArray[Real]:
    """Return by how much likelier than others listeners are to play any artist, 1 for one in the middle.

    Parameters
    ----------
    strengths
        log2 of the lengths of their raw tastes (`models.taste.log_length`).
    middle
        `models.model.Model.strength`; where it is not known (NaN), all are alike.
    power
        `models.model.Model.activity`; at 0 all are alike.

    Examples
    --------
    >>> activity(np.array([3.0, 5.0, -np.inf]), middle=3.0)
    array([1., 2., 0.])
    """
    if math.isnan(middle) or not power:
        return np.ones_like(strengths)
    found: npt.NDArray[Real] = np.exp2(power * (strengths - middle))
    return found


def directions(held: csr_matrix, tastes: Floats, vectors: Floats) -> Floats:
    """Return unit vectors w, one for each artist, so that ``tastes @ w`` ranks listeners for the artist.

    Ridge regression in the space of tastes: w = (T'T + p I)^-1 T'x, x who plays the artist, p `PENALTY` times
    the mean eigenvalue of T'T. What EASE does in the space of artists, with as many numbers as dimensions.
    An artist of few listeners is shrunk to where its vector points.

    Parameters
    ----------
    held
        Shape (n, A), 1 where a listener plays an artist.
    tastes
        Shape (n, d), unit tastes times `activity`.
    vectors
        Shape (A, d), unit vectors: where artists point without their listeners.

    References
    ----------
    [^1]: Steck, H., 2019. Embarrassingly shallow autoencoders for sparse data. WWW.

    Examples
    --------
    >>> held = csr_matrix([[1.0, 0.0], [0.0, 1.0]] * 50)
    >>> directions(held, np.eye(2)[[0, 1] * 50], np.eye(2)).round(2)
    array([[1., 0.],
           [0., 1.]])
    """
    spread = tastes.T @ tastes
    spread[np.diag_indices_from(spread)] += PENALTY * np.trace(spread) / len(spread)
    sums = np.asarray(held.T @ tastes)
    own = unit(np.linalg.solve(spread, sums.T).T)
    fans = np.bincount(held.indices, minlength=held.shape[1]).astype(np.float64)
    share = (fans / (fans + FANS))[:, None]
    return unit(share * own + (1.0 - share) * vectors)
