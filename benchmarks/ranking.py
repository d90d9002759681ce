"""How good a listener's ranking of songs is: NDCG and recall of the first few."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

__all__ = ["ndcg", "recall"]


def ndcg(ranked: Sequence[int], sought: Collection[int], at: int) -> float:
    """Return the normalised discounted cumulative gain of the first `at`, 0 to 1, each hit worth the same.

    DCG = sum over hits of 1 / log2(1 + place), over what the best possible ranking has.

    References
    ----------
    [^1]: Järvelin, K. and Kekäläinen, J., 2002. Cumulated gain-based evaluation of IR techniques. TOIS.

    Examples
    --------
    >>> round(ndcg([7, 3, 5], {7, 5}, at=3), 4)
    0.9197
    """
    gains = 1.0 / np.log2(np.arange(2, at + 2))
    hits = np.array([item in sought for item in ranked[:at]], dtype=bool)
    best = gains[: len(sought)].sum()
    return float(gains[: len(hits)][hits].sum() / best) if best else 0.0


def recall(ranked: Sequence[int], sought: Collection[int], at: int) -> float:
    """Return the share of what is sought that is among the first `at`.

    Examples
    --------
    >>> recall([7, 3, 5], {7, 5, 1, 2}, at=3)
    0.5
    """
    return sum(item in sought for item in ranked[:at]) / len(sought) if sought else 0.0
