"""What a policy would have earned, out of the log of another one that chose by known probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.quality.weighted_rate import gamma_interval, normal_interval, variance_of_mean

__all__ = [
    "LEAST_EFFECTIVE",
    "MOST_UNSEEN",
    "Overlap",
    "PolicyLog",
    "PolicyValue",
    "TooLittleOverlap",
    "doubly_robust",
    "ips",
    "logged",
    "snips",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_EFFECTIVE = 100.0
"""Effective rows below which nothing is estimated: the intervals still cover there, below no longer
(docs/decisions/0019)."""

MOST_UNSEEN = 0.01
"""Share of the policy's choices that may be actions which the log never has: by so much of the largest reward
each estimate may be too low."""

SURE = 0.999  # of the interval of the mean weight: 1 is outside of it once in 1,000 sound logs


class TooLittleOverlap(ValueError):
    """The policy that logged and the one to be judged choose too differently for an estimate.

    Attributes
    ----------
    hint
        What to do about it.
    """

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class PolicyValue:
    """The mean reward of a policy, with a 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Overlap:
    """How far a log tells about another policy.

    Attributes
    ----------
    rows
        Decisions in the log.
    effective
        Kish's effective sample size, (sum w)^2 / sum w^2: so many rows of equal weight would tell as much.
    largest
        The largest weight; 1 is that of a choice that both policies make as often.
    mean, mean_low, mean_high
        The mean weight, with a 99.9 % interval. It is 1 where the propensities are those by which was chosen,
        and the log's policy may choose whatever the other one does.
    unseen
        Share of the policy's choices that are actions which the log never has; 0 where that is not known.
    """

    rows: int
    effective: float
    largest: float
    mean: float
    mean_low: float
    mean_high: float
    unseen: float = 0.0

    def check(self) -> None:
        """Refuse what cannot be estimated.

        Raises
        ------
        TooLittleOverlap
            Where the policy chooses what the log never has, the weights are not about 1 in the mean, or fewer
            than `LEAST_EFFECTIVE` rows are effective.
        """
        if self.unseen > MOST_UNSEEN:
            raise TooLittleOverlap(
                f"{100 * self.unseen:.1f} % of the policy's choices are actions that the log never has "
                f"(at most {100 * MOST_UNSEEN:g} % may be)",
                "Judge a policy among the actions that the log has, or log all of them now and then.",
            )
        if not self.mean_low <= 1 <= self.mean_high:
            raise TooLittleOverlap(
                f"the mean of target / propensity is {self.mean:.3f} (99.9 % interval {self.mean_low:.3f} to "
                f"{self.mean_high:.3f}), where it should be 1",
                "Both are to be probabilities of the action that was logged, at that moment and in that "
                "context; and the log's policy must now and then choose all that the other one does.",
            )
        if self.effective < LEAST_EFFECTIVE:
            raise TooLittleOverlap(
                f"the log of {self.rows:,} rows tells as much of this policy as {self.effective:.1f} rows "
                f"would (at least {LEAST_EFFECTIVE:g} are needed); the largest weight is {self.largest:,.1f}",
                "Judge a policy closer to the one that logged, or log more rows, with more left to chance.",
            )


@dataclass(frozen=True, eq=False)
class PolicyLog:
    """Decisions that were made by chance with known probabilities, and what came of them.

    Attributes
    ----------
    propensities
        Shape (n,), above 0 to 1: the probability with which the log's policy chose the action that it chose.
    targets
        Shape (n,), 0 to 1: the probability with which the policy to be judged would have chosen that action.
    rewards
        Shape (n,).
    units
        Shape (n,), from 0: rows of one number (a listener) may depend on each other.

    Raises
    ------
    ValueError
        Where a probability is none.

    Examples
    --------
    Two actions, each logged half of the time; the second is clicked more often. What does it earn alone?

    >>> rng = np.random.default_rng(0)
    >>> action = rng.integers(2, size=4000)
    >>> clicked = (rng.random(4000) < np.array([0.1, 0.3])[action]).astype(float)
    >>> log = PolicyLog(np.full(4000, 0.5), (action == 1).astype(float), clicked, np.arange(4000))
    >>> found = snips(log)
    >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
    (0.297, 0.278, 0.318)
    >>> overlap = log.overlap()
    >>> overlap.check()
    >>> round(overlap.effective), overlap.largest
    (2029, 2.0)
    """

    propensities: Floats
    targets: Floats
    rewards: Floats
    units: Ints

    def __post_init__(self) -> None:
        if not len(self.propensities):
            raise ValueError("a log without a row")
        if not ((self.propensities > 0) & (self.propensities <= 1)).all():
            raise ValueError("propensities are above 0 and at most 1")
        if not ((self.targets >= 0) & (self.targets <= 1)).all():
            raise ValueError("targets are 0 to 1")

    @property
    def weights(self) -> Floats:
        """Shape (n,), how many times as often the policy to be judged chooses what was chosen."""
        weights: Floats = self.targets / self.propensities
        return weights

    @property
    def binary(self) -> bool:
        """Whether each reward is 0 or 1."""
        return bool(np.isin(self.rewards, (0.0, 1.0)).all())

    def overlap(self, unseen: float = 0.0) -> Overlap:
        """Return how far the log tells about the policy."""
        weights, n = self.weights, len(self.rewards)
        mean = float(weights.mean())
        variance = variance_of_mean(weights - mean, self.units)
        low, high = gamma_interval(mean, variance, self._largest_jump(weights), SURE)
        squares = float(weights @ weights)
        return Overlap(
            rows=n,
            effective=(mean * n) ** 2 / squares if squares else 0.0,
            largest=float(weights.max()),
            mean=mean,
            mean_low=low,
            mean_high=high,
            unseen=unseen,
        )

    def value(self, value: float, deviations: Floats, weights: Floats) -> PolicyValue:
        """Return an estimate with its interval: `gamma_interval` of 0s and 1s, else `normal_interval`.

        Parameters
        ----------
        deviations
            Shape (n,), each row's difference from the estimate.
        weights
            Shape (n,), by how much the reward of each row counts, 1 in the mean.
        """
        variance = variance_of_mean(deviations, self.units)
        if self.binary:
            low, high = gamma_interval(value, variance, self._largest_jump(weights))
        else:
            low, high = normal_interval(value, variance)
        return PolicyValue(value, low, high)

    def _largest_jump(self, weights: Floats) -> float:
        return float(np.bincount(self.units, weights).max()) / len(weights)


def logged(log: PolicyLog) -> PolicyValue:
    """Return what the policy that logged earned: the plain mean."""
    mean = float(log.rewards.mean())
    return log.value(mean, log.rewards - mean, np.ones_like(log.rewards))


def ips(log: PolicyLog) -> PolicyValue:
    """Return the estimate by inverse propensities: the mean of w r, with w = target / propensity.

    Unbiased, and moved by every large weight.

    References
    ----------
    [^1]: Horvitz, D. G. and Thompson, D. J., 1952. A generalization of sampling without replacement from a
          finite universe. JASA.
    [^2]: Bottou, L. et al., 2013. Counterfactual reasoning and learning systems. JMLR.
    """
    weighted = log.weights * log.rewards
    mean = float(weighted.mean())
    return log.value(mean, weighted - mean, log.weights)


def snips(log: PolicyLog) -> PolicyValue:
    """Return the self-normalised estimate, sum w r / sum w: never beyond the rewards there are.

    Its bias falls as 1 / n; its variance is that of the mean of w (r - value) / mean(w) (delta method).

    Raises
    ------
    ValueError
        Where all weights are 0.

    References
    ----------
    [^1]: Swaminathan, A. and Joachims, T., 2015. The self-normalized estimator for counterfactual learning.
          NIPS.
    """
    if not log.weights.any():
        raise ValueError("the policy to be judged never chooses what was chosen")
    weights = log.weights / log.weights.mean()
    value = float((weights * log.rewards).mean())
    return log.value(value, weights * (log.rewards - value), weights)


def doubly_robust(log: PolicyLog, predicted: Floats, expected: Floats) -> PolicyValue:
    """Return the doubly robust estimate, the mean of expected + w (r - predicted).

    Unbiased where the propensities are right, however wrong the model of rewards; the better the model, the
    narrower. The model must not have learned from the row that it predicts (`models.quality.reward_model`).

    Parameters
    ----------
    predicted
        Shape (n,), the model's reward of the action that was chosen.
    expected
        Shape (n,), its mean reward over the actions of the policy to be judged.

    References
    ----------
    [^1]: Dudík, M., Langford, J. and Li, L., 2011. Doubly robust policy evaluation and learning. ICML.
    [^2]: Chernozhukov, V. et al., 2018. Double/debiased machine learning for treatment and structural
          parameters. The Econometrics Journal (cross-fitting).
    """
    rows = expected + log.weights * (log.rewards - predicted)
    value = float(rows.mean())
    return log.value(value, rows - value, log.weights)
