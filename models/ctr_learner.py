"""Learns who clicks on a notification from what notified listeners did, predicting before learning."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy

from models.ctr import CtrModel, design, prior_precision
from models.laplace import bounded, fade, learn_batch
from models.quality.binary import auc, calibration_error, log_losses

__all__ = ["ENOUGH", "MEMORY", "CtrLearner"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.floating[Any]]

MEMORY = 1_000_000.0
"""Examples after which what was learned has 1/e of its say: clicks change as an app does."""
BATCH = 1000  # examples that are learned in one step
RECENT = 50_000  # examples that figures are of
DELAYS_KEPT = 0.98  # of what earlier releases say of how soon clicks come, with each release
ENOUGH = 500  # examples, to give figures


class CtrLearner:
    """Bayesian logistic regression, learned batch by batch.

    What is known of the coefficients b (`models.ctr.CtrModel`) is a Gaussian with mean m and precision P; at
    first m is 0, the ranking by play rate. After a batch it is Laplace's approximation to the posterior
    (`models.laplace`). Both fade towards the prior with `MEMORY`.

    A click that comes after its notification was learned as not clicked is added by `correct`. To the log
    likelihood, y x'b - log(1 + exp(x'b)), that adds x'b and nothing else, so m moves by the inverse of P
    times x, at most by a bound, and P stays. That is one linear step: it ends close to where a click in time
    would have, not just there. A positive of weight 1 / (1 - p) has the same gradient, as it takes that of
    the negative back, but a weight without bound as p nears 1.

    Parameters
    ----------
    model
        What is gone on from.

    References
    ----------
    [^1]: Ktena, S. I. et al., 2019. Addressing delayed feedback for continuous training with neural networks
          in CTR prediction. RecSys. (Fake negatives: there all examples are at once learned as negatives, and
          losses are weighted by 1 + p for positives; here negatives wait, and few positives are late.)
    [^2]: Dawid, A. P., 1984. Statistical theory: the prequential approach. JRSS A.

    Examples
    --------
    Who was told on the same day clicks half as often.

    >>> from models.ctr import features
    >>> random, learner = np.random.default_rng(1), CtrLearner()
    >>> told = random.integers(2, size=20_000)
    >>> clicked = random.random(20_000) < np.where(told, 0.1, 0.2)
    >>> _ = learner.learn(features(play_rate=0.2, sent_day=told), clicked)
    >>> learner.model().predict(features(play_rate=0.2, sent_day=[0, 1])).round(2).tolist()
    [0.2, 0.1]
    """

    def __init__(self, model: CtrModel | None = None) -> None:
        start = model or CtrModel()
        self.examples, self.clicks = start.examples, start.clicks
        self.early, self.clicked = start.early, start.clicked
        self._means, self._scales = start.means, start.scales
        self._mean, self._precision = start.coefficients.copy(), start.precision.copy()
        self._prior = prior_precision()
        self._recent = _Recent()

    def learn(self, rows: Numbers, clicked: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
        """Learn what became of notifications, in order; return what was predicted before each batch.

        Parameters
        ----------
        rows
            Shape (n, d), `models.ctr.features` as they were at the decision; half precision will do.
        clicked
            Shape (n,): whether each was clicked within the waiting window.
        weights
            Shape (n,), how often each counts; once if None.
        """
        y = np.asarray(clicked, dtype=np.float64)
        w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
        predicted = np.empty(len(y))
        for start in range(0, len(y), BATCH):
            part = slice(start, start + BATCH)
            predicted[part] = self._learn_batch(rows[part].astype(np.float64), y[part], w[part])
        self.examples += len(y)
        self.clicks += int(y.sum())
        return predicted

    def correct(self, rows: Numbers) -> None:
        """Learn of clicks that came after their notifications were learned as not clicked.

        Parameters
        ----------
        rows
            Shape (n, d), the same features as they were learned with.
        """
        if not len(rows):
            return
        columns = design(rows.astype(np.float64), self._means, self._scales)
        self._mean = self._mean + bounded(np.linalg.solve(self._precision, columns.sum(axis=0)))
        self._recent.correct(rows)
        self.clicks += len(rows)

    def learn_delay(self, early: int, clicked: int) -> None:
        """Learn how many of the clicks on a first wave had come when the second was due."""
        self.early = DELAYS_KEPT * self.early + early
        self.clicked = DELAYS_KEPT * self.clicked + max(clicked, early)

    def model(self, version: int = 0, now: float = 0.0) -> CtrModel:
        """Return the model as it is published."""
        return CtrModel(
            version=version,
            created_at=now,
            examples=self.examples,
            clicks=self.clicks,
            coefficients=self._mean.copy(),
            precision=self._precision.copy(),
            means=self._means,
            scales=self._scales,
            early=self.early,
            clicked=self.clicked,
            validation=self.figures(),
        )

    def figures(self) -> dict[str, float]:
        """Return how well recent examples were predicted before they were learned; empty while too few.

        Returns
        -------
        "examples", how many; "ctr", clicked of sent; "predicted_ctr"; "log_loss", the mean in nats;
        "log_loss_of_ctr", what it would be if all had the one CTR; "auc", how often a clicked one was
        predicted above one that was not; "calibration_error", the mean difference of predicted and found CTR
        over tenths of the examples by what was predicted. Recent ones that are corrected count as clicked.
        """
        return self._recent.figures()

    def _learn_batch(self, rows: Floats, y: Floats, w: Floats) -> Floats:
        columns, start = design(rows, self._means, self._scales), rows[:, 0]
        predicted: Floats = scipy.special.expit(start + columns @ self._mean)
        self._recent.add(rows, predicted, y, w)
        keep = float(np.exp(-w.sum() / MEMORY))
        faded = fade(self._mean, self._precision, self._prior, keep)
        self._mean, self._precision = learn_batch(*faded, columns, y, w, start)
        return predicted


class _Recent:
    """The last `RECENT` examples: what was predicted, and what happened; the oldest is written over."""

    def __init__(self) -> None:
        self._keys = np.zeros(RECENT, dtype=np.int64)  # by which one is found again
        self._found = np.zeros((3, RECENT))  # predicted, clicked, weight
        self._added = 0

    def add(self, rows: Numbers, predicted: Floats, clicked: Floats, weights: Floats) -> None:
        at = np.arange(self._added, self._added + len(rows)) % RECENT
        self._keys[at] = _keys(rows)
        self._found[:, at] = predicted, clicked, weights
        self._added += len(rows)

    def correct(self, rows: Numbers) -> None:
        """Let examples count as clicked that were added as not clicked.

        Those that are not here any more, or were learned before a restart, count for nothing: without what
        they replace they would be clicks on notifications that nobody was sent.
        """
        late = Counter(_keys(rows).tolist())
        clicked = self._found[1, : self._added]
        known = np.isin(self._keys[: self._added], list(late)) & (clicked == 0)
        for at in np.flatnonzero(known).tolist():
            key = int(self._keys[at])
            if late[key]:
                late[key] -= 1
                clicked[at] = 1.0

    def figures(self) -> dict[str, float]:
        p, y, w = self._found[:, : self._added]
        total = float(w.sum())
        if total < ENOUGH:
            return {}
        ctr = float(w @ y) / total
        return {
            "examples": total,
            "ctr": ctr,
            "predicted_ctr": float(w @ p) / total,
            "log_loss": float(w @ log_losses(p, y)) / total,
            "log_loss_of_ctr": float(log_losses(np.array([ctr]), np.array([ctr]))[0]),
            "auc": auc(p, y, w),
            "calibration_error": calibration_error(p, y, w),
        }


def _keys(rows: Numbers) -> Ints:
    """Return a number that stands for the features of each example, shape (n,)."""
    return np.fromiter((hash(row.tobytes()) for row in rows.astype(np.float16)), np.int64, len(rows))
