"""How far the audiences of one ranking are ahead of another's, over the same artists."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.quality.evaluation import Estimate, Quality, resampled

__all__ = ["Advantage", "advantages"]


@dataclass(frozen=True)
class Advantage:
    """How far audiences of one size are ahead of another ranking's.

    Attributes
    ----------
    share
        Of the listeners who do not play the artist already, how many are told.
    difference
        Of the lifts: above 0 where ahead.
    ratio
        Of the lifts: above 1 where ahead. None where the other finds nobody, be it in one resample.
    """

    share: float
    difference: Estimate
    ratio: Estimate | None

    @property
    def sign(self) -> int:
        """1 where ahead, -1 where behind, 0 where the interval of the difference holds 0."""
        return int(self.difference.low > 0) - int(self.difference.high < 0)


def advantages(quality: Quality, other: Quality, seed: int = 0) -> tuple[Advantage, ...]:
    """Compare two rankings that were asked about the same artists, for each size of audience.

    The bootstrap over artists is paired: a resample has the same artists for both. What makes an artist easy
    or hard moves both lifts, and not their difference: these intervals are narrower than those of the lifts.

    Raises
    ------
    ValueError
        Where they were not asked the same.

    References
    ----------
    [^1]: Efron, B. and Tibshirani, R., 1993. An Introduction to the Bootstrap, chapter 13 (percentiles).
    [^2]: Smucker, M., Allan, J. and Carterette, B., 2007. A comparison of statistical significance tests for
          information retrieval evaluation. CIKM.

    Examples
    --------
    >>> from scipy.sparse import csr_matrix
    >>> from models.quality.evaluation import Holdout, measure
    >>> held = csr_matrix(np.repeat(np.arange(100)[:, None] < 5, 8, axis=1))
    >>> split = Holdout(csr_matrix((100, 8)), held, np.arange(8))
    >>> best, chance = (measure(split, [scores] * 8, (0.1,)) for scores in (-np.arange(100.0), np.zeros(100)))
    >>> (found,) = advantages(best, chance)
    >>> round(found.difference.value, 6), round(found.ratio.value, 6), found.sign
    (9.0, 10.0, 1)
    """
    shares = [reach.share for reach in quality.reach]
    same = np.array_equal(quality.sought, other.sought)
    if not same or shares != [reach.share for reach in other.reach]:
        raise ValueError("these were not asked about the same artists, or not for the same audiences")
    k = len(shares)
    sums = resampled(np.column_stack([quality.found, other.found, quality.sought]), seed)
    pairs = np.maximum(sums[:, -1], 1.0)
    return tuple(
        Advantage(
            share,
            Estimate.of((sums[:, column] - sums[:, k + column]) / pairs / share),
            Estimate.of(sums[:, column] / sums[:, k + column]) if sums[:, k + column].all() else None,
        )
        for column, share in enumerate(shares)
    )
