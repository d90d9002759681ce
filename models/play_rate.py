"""How much likelier than others a listener is to take an artist up: learned from what listeners discover."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy

__all__ = ["LEVELS", "PROPORTIONAL", "PlayRateLearner", "times_likelier"]

Floats = npt.NDArray[np.float64]

LEVELS: Floats = np.arange(-4.0, 6.5, 0.5)
"""log2 of a score over the mean score: where the curve is learned; straight between them."""

PROPORTIONAL: Floats = np.exp2(LEVELS)
"""The curve before anything is learned: twice the score, twice as likely."""

PRIOR = 4.0  # discoveries at a level that what is assumed of it counts as
RISE = 0.01  # power of the score that every curve goes up by at least: who scores higher is likelier
KEPT = 1.0 - 1.0 / 1000.0  # of a discovery's say, with each that follows
STEPS = 3  # of Newton's method, and from what is assumed to what was found
STEEPEST = 2.0  # power of the score by which a curve differs at most from what was assumed
CERTAINTIES = 10  # bins of the calibration error
ENOUGH = 200  # discoveries, to say how well it is calibrated
AGAIN = 0.02  # of all discoveries: after so many new ones what is predicted goes by a curve fitted again


def times_likelier(curve: Floats, relative: npt.ArrayLike) -> Floats:
    """Return how many times likelier than the average listener those are whose scores are so high.

    Parameters
    ----------
    curve
        Shape (21,), at `LEVELS`.
    relative
        Scores over the mean score of all.

    Examples
    --------
    >>> times_likelier(PROPORTIONAL, [0.5, 1.0, 8.0, 0.0, 1e9]).tolist()
    [0.5, 1.0, 8.0, 0.0625, 64.0]
    """
    least = 2.0 ** LEVELS[0]
    level = np.log2(np.maximum(np.asarray(relative, dtype=np.float64), least))
    found: Floats = np.exp2(np.interp(level, LEVELS, np.log2(curve)))
    return found


@dataclass
class PlayRateLearner:
    """Learns the curve from scores to play rates, discovery by discovery; each is predicted before it counts.

    Of those who could have discovered an artist each is as likely as the curve says to be the one who did: a
    conditional logit. A level's value is how many discovered at it over how many were to be expected there,
    discovery by discovery, if all levels had the value 1 (Breslow's estimator):

        r_l = found_l / sum_d (c_dl / sum_k r_k c_dk),

    c_dl of the crowd of discovery d at level l; r on the right is the curve before. Where few discovered, it
    is what was assumed, times the power of the score that fits best. No level is below a lower one. Old
    discoveries fade.

    To fit a curve takes twice as long as to predict a discovery: what is predicted goes by one that may lack
    the last fiftieth of them.

    Attributes
    ----------
    assumed
        Shape (21,): the curve that is gone on from.
    discoveries
        How many were seen.

    References
    ----------
    [^1]: Zadrozny, B. and Elkan, C., 2002. Transforming classifier scores into accurate multiclass
          probability estimates. KDD. (Isotonic regression.)
    [^2]: Breslow, N., 1974. Covariance analysis of censored survival data. Biometrics. (With the curve before
          on the right, a step of Hunter, D., 2004. MM algorithms for generalized Bradley-Terry models. Annals
          of Statistics.)
    [^3]: Naeini, M. P., Cooper, G. and Hauskrecht, M., 2015. Obtaining well calibrated probabilities using
          Bayesian binning. AAAI. (Expected calibration error.)

    Examples
    --------
    An eighth of the crowd scores eight times as high, and discovers two thirds of all: 14 times as often.

    >>> learner, crowd = PlayRateLearner(), np.repeat([0.5, 4.0], [70, 10])
    >>> for _ in range(700):
    ...     for own in (0.5, 4.0, 4.0):
    ...         learner.see(own, crowd)
    >>> low, high = times_likelier(learner.curve, [0.5, 4.0])
    >>> round(float(high / low), 1), learner.error < 0.03
    (14.3, True)
    """

    assumed: Floats = field(default_factory=PROPORTIONAL.copy)
    discoveries: int = 0
    _found: Floats = field(default_factory=lambda: np.zeros(len(LEVELS)))
    _crowd: Floats = field(default_factory=lambda: np.zeros(len(LEVELS)))
    _rivals: Floats = field(default_factory=lambda: np.zeros(len(LEVELS)))
    _certainty: Floats = field(default_factory=lambda: np.zeros((3, CERTAINTIES)))
    _curve: Floats = field(init=False)
    _fitted: int = 0

    def __post_init__(self) -> None:
        self._curve = self.assumed

    def see(self, own: float, crowd: Floats) -> None:
        """Predict a discovery, then learn from it.

        Parameters
        ----------
        own
            The discoverer's score over the mean score.
        crowd
            The same of listeners who could have discovered the artist, too.
        """
        if not len(crowd):
            return
        if self.discoveries - self._fitted > AGAIN * self._fitted:
            self._fit()
        rates = times_likelier(self._curve, np.concatenate([[own], crowd]))
        self._predict(rates)
        self._found = KEPT * self._found + _at_levels(np.array([own]), np.ones(1))
        self._crowd = KEPT * self._crowd + _at_levels(crowd, np.full(len(crowd), 1 / len(crowd)))
        expected = _at_levels(crowd, rates[1:] / rates[1:].sum())
        self._rivals = KEPT * self._rivals + expected / self._curve
        self.discoveries += 1

    @property
    def curve(self) -> Floats:
        """Shape (21,), how many times likelier than the average listener they are, at `LEVELS`."""
        if self._fitted < self.discoveries:
            self._fit()
        return self._curve.copy()

    @property
    def error(self) -> float | None:
        """The expected calibration error; None where too little was discovered to say.

        Of a discoverer and somebody of the crowd, one of whom discovers the artist, the curve says how
        likely it is each of the two. Cut into tenths by that, this is the mean difference between how
        sure it is and how often it is right.
        """
        if self.discoveries < ENOUGH:
            return None
        right, said, weight = self._certainty
        return float(np.abs(right - said).sum() / weight.sum())

    def _predict(self, rates: Floats) -> None:
        first = rates[0] / (rates[0] + rates[1:])
        sure = np.maximum(first, 1.0 - first)
        right = (1.0 + np.sign(first - 0.5)) / 2.0
        at = np.minimum(((sure - 0.5) * 2 * CERTAINTIES).astype(np.int64), CERTAINTIES - 1)
        for row, what in enumerate((right, sure, np.ones(len(first)))):
            counted = np.bincount(at, weights=what, minlength=CERTAINTIES) / len(first)
            self._certainty[row] = KEPT * self._certainty[row] + counted

    def _fit(self) -> None:
        self._curve, self._fitted = self._learned(), self.discoveries

    def _learned(self) -> Floats:
        ratio = self._tilted()
        for _ in range(STEPS):
            expected = self._rivals * ratio
            expected *= self._found.sum() / max(float(expected.sum()), 1e-300)
            ratio *= (self._found + PRIOR) / (expected + PRIOR)
        # Loaded when it is first called, as it takes a third of a second: most processes never fit a curve.
        rising: Floats = scipy.optimize.isotonic_regression(ratio, weights=self._crowd + 1e-6).x
        curve = rising * PROPORTIONAL**RISE
        mean = float(curve @ self._crowd) / max(float(self._crowd.sum()), 1e-300)
        scaled: Floats = curve / mean
        return scaled

    def _tilted(self) -> Floats:
        """Return what is assumed times the power of the score that is likeliest, by Newton's method."""
        power, found = 0.0, float(self._found.sum())
        for _ in range(STEPS):
            weights = self._rivals * self.assumed * np.exp2(power * LEVELS)
            weights /= max(float(weights.sum()), 1e-300)
            mean = float(weights @ LEVELS)
            spread = found * float(weights @ (LEVELS - mean) ** 2) + PRIOR
            gradient = float(self._found @ LEVELS) - found * mean - PRIOR * power
            power = float(np.clip(power + gradient / (np.log(2.0) * spread), -STEEPEST, STEEPEST))
        tilted: Floats = self.assumed * np.exp2(power * LEVELS)
        return tilted


def _at_levels(relative: Floats, weights: Floats) -> Floats:
    """Return the sum of weights at each level; a score between two levels counts at both, by its distance."""
    least, step = 2.0 ** LEVELS[0], LEVELS[1] - LEVELS[0]
    level = (np.log2(np.maximum(relative, least)) - LEVELS[0]) / step
    level = np.minimum(level, len(LEVELS) - 1)
    below = np.minimum(level.astype(np.int64), len(LEVELS) - 2)
    above = weights * (level - below)
    found = np.bincount(below, weights - above, len(LEVELS))
    return (found + np.bincount(below + 1, above, len(LEVELS))).astype(np.float64)
