"""How far a model is from another, where nobody has discovered enough to say which ranks better."""

from __future__ import annotations

import numpy as np

from models.model import Model

__all__ = ["moved"]


def moved(before: Model, after: Model) -> float:
    """Return how far centres have moved, on average over the listeners of `after`.

    Tastes have unit length and versions are aligned, so 0.05 is a twentieth of the way from a taste to
    nothing at all. A cohort that `before` does not have counts as moved by 1.

    Examples
    --------
    >>> import dataclasses
    >>> from scipy.sparse import csr_matrix
    >>> one = Model(
    ...     version=1, created_at=0.0, clicks=9, listeners=4, artists=("ana", "bo"),
    ...     vectors=np.eye(2, dtype="f4"), spread=np.eye(2) / 2, counts=np.array([2.0, 1.0]), n_rows=3.0,
    ...     centers=np.eye(2), cohort_ids=("c1", "c2"), next_cohort=3, sizes=np.array([3, 1]),
    ...     holders=csr_matrix(np.diag([2.0, 1.0])), labels=("Ana", "Bo"), born=np.zeros(2),
    ... )
    >>> two = dataclasses.replace(one, centers=np.array([[0.8, 0.0], [0.0, 1.0]]))
    >>> round(moved(one, two), 3), moved(one, dataclasses.replace(one, cohort_ids=("c1", "c3")))
    (0.15, 0.25)
    """
    row_of = {cohort: row for row, cohort in enumerate(before.cohort_ids)}
    far = np.ones(len(after.cohort_ids))
    if before.n_dims == after.n_dims:
        for row, cohort in enumerate(after.cohort_ids):
            if cohort in row_of:
                far[row] = np.linalg.norm(after.centers[row] - before.centers[row_of[cohort]])
    return float(far @ after.sizes / max(after.sizes.sum(), 1))
