"""The map of cohorts: tastes in two dimensions, each cohort where it was as long as its taste stays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["cohort_map"]

Floats = npt.NDArray[np.float64]

NOT_WORTH_IT = 1e-4
"""Part of what the stress would be with all in one place: a step that takes away less moves no dot."""
STEPS = 300
PAIRS = 20_000_000  # of cohorts that are looked at in all steps together: a second or two
NEAREST = 3  # cohorts between which a new one begins


def cohort_map(centers: Floats, before: Floats | None = None) -> Floats:
    """Return where cohorts are on the map, shape (k, 2).

    Multidimensional scaling: distances on the map come as near as they can to those between tastes. That is,
    positions x minimise the stress sum_ij (|x_i - x_j| - d_ij)^2, d_ij = |c_i - c_j|. Each step of SMACOF,
    x_i <- 1/k sum_j d_ij / |x_i - x_j| (x_i - x_j), takes away some of it, and none is made that takes away
    less than `NOT_WORTH_IT`.

    The first map begins with the two principal axes of the centres. Each later one begins with the one
    before: the same centres leave every dot where it was, and a turn or mirroring of the dimensions changes
    nothing, as distances alone count. A cohort that is new begins between those of the nearest tastes.

    Parameters
    ----------
    centers
        Shape (k, d).
    before
        Shape (k, 2), where each was on the last map; NaN for one that is new. None: there is no map yet.

    References
    ----------
    [^1]: Borg, I. and Groenen, P., 2005. Modern Multidimensional Scaling, 2nd edition, chapter 8 (SMACOF) and
          12 (classical scaling). Springer.

    Examples
    --------
    >>> centers = np.eye(3)
    >>> first = cohort_map(centers)
    >>> np.array_equal(cohort_map(centers, first), first)
    True
    >>> print(np.linalg.norm(first[0] - first[1]).round(1))  # sqrt(2) between tastes
    1.4
    """
    far = _distances(centers)
    placed = _principal(centers) if before is None else _begin(before, far)
    if before is not None and np.isnan(placed).any():
        placed = _principal(centers)
    stress, enough = _stress(placed, far), NOT_WORTH_IT * float((far**2).sum())
    for _ in range(min(STEPS, PAIRS // max(len(far), 1) ** 2)):
        better = _step(placed, far)
        less = _stress(better, far)
        if stress - less <= enough:
            break
        placed, stress = better, less
    return placed


def _distances(points: Floats) -> Floats:
    squares = (points**2).sum(axis=1)
    found = squares[:, None] + squares - 2.0 * points @ points.T
    np.fill_diagonal(found, 0.0)
    return np.asarray(np.sqrt(np.maximum(found, 0.0)))


def _stress(placed: Floats, far: Floats) -> float:
    return float(((_distances(placed) - far) ** 2).sum())


def _step(placed: Floats, far: Floats) -> Floats:
    """Return the Guttman transform of positions, the mean of all where it was."""
    apart = _distances(placed)
    pull = np.divide(far, apart, out=np.zeros_like(far), where=apart > 0)
    moved = (pull.sum(axis=1)[:, None] * placed - pull @ placed) / len(placed)
    found: Floats = moved + placed.mean(axis=0)
    return found


def _principal(centers: Floats) -> Floats:
    """Return the centres on their two principal axes, the outermost on the positive side of each."""
    axes, lengths, _ = np.linalg.svd(centers - centers.mean(axis=0), full_matrices=False)
    placed = np.zeros((len(centers), 2))
    known = min(2, len(lengths))
    placed[:, :known] = axes[:, :known] * lengths[:known]
    outermost = placed[np.abs(placed).argmax(axis=0), range(2)]
    return placed * np.where(outermost < 0, -1.0, 1.0)


def _begin(before: Floats, far: Floats) -> Floats:
    """Return the positions before, and those of new cohorts between the known ones that are nearest."""
    new = np.isnan(before).any(axis=1)
    known = np.flatnonzero(~new)
    placed = before.copy()
    for row in np.flatnonzero(new) if len(known) else ():
        nearest = known[np.argsort(far[row, known])[:NEAREST]]
        weights = 1.0 / (far[row, nearest] + 1e-9)
        placed[row] = weights @ before[nearest] / weights.sum()
    return placed
