"""The baselines of other libraries, as far as these are installed."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from consumers.html_page.page import EXTRA

__all__ = ["EXTRA", "absent", "als", "mini_batch_k_means", "missing"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEEDS = {"ALS and ALS + k-means": "implicit", "MiniBatchKMeans": "sklearn"}


def missing(module: str) -> bool:
    """Say whether a library is not installed."""
    return find_spec(module) is None


def absent() -> tuple[str, ...]:
    """Return the baselines whose libraries are not installed."""
    return tuple(name for name, module in NEEDS.items() if missing(module))


def als(rows: csr_matrix, n_dims: int, seed: int, alpha: float = 40.0) -> tuple[Floats, Floats]:
    """Return listeners (n, d) and artists (A, d) by the alternating least squares of `implicit`.

    References
    ----------
    [^1]: Hu, Y., Koren, Y. and Volinsky, C., 2008. Collaborative filtering for implicit feedback datasets.
    ICDM.
    """
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, "blas"):  # it has threads of its own
        model = AlternatingLeastSquares(
            factors=n_dims, regularization=0.05, alpha=alpha, iterations=15, random_state=seed, use_gpu=False
        )
        model.fit(rows.astype(np.float32), show_progress=False)
    return np.asarray(model.user_factors, dtype=np.float64), np.asarray(model.item_factors, dtype=np.float64)


def mini_batch_k_means(rows: csr_matrix, n_cohorts: int, seed: int) -> Ints:
    """Return the cohorts of rows (n, A) by scikit-learn."""
    from sklearn.cluster import MiniBatchKMeans

    kmeans = MiniBatchKMeans(n_clusters=n_cohorts, n_init=3, random_state=seed)
    return np.asarray(kmeans.fit_predict(rows), dtype=np.int64)
