"""How well churn was predicted, by each learner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.quality.binary import Confusion
from stream.files.reading import Tally

__all__ = ["ChurnResult", "Importance", "Mean", "Rated"]


@dataclass(frozen=True)
class Mean:
    """The mean over the parts, and its standard error; None of one part."""

    value: float
    error: float | None

    @classmethod
    def of(cls, values: npt.ArrayLike) -> Mean:
        """Return the mean of some values."""
        all_of = np.asarray(values, dtype=np.float64)
        error = float(all_of.std(ddof=1) / len(all_of) ** 0.5) if len(all_of) > 1 else None
        return cls(float(all_of.mean()), error)


@dataclass(frozen=True)
class Importance:
    """By how much the AUC falls where a feature is shuffled: the more, the more hangs on it."""

    feature: str
    auc_lost: float


@dataclass(frozen=True)
class Rated:
    """How well a learner predicted churn.

    Attributes
    ----------
    name
        Refrain's, or that of a usual learner.
    auc, brier, accuracy, calibration_error
        Over the parts; accuracy at a threshold of 0.5.
    confusion
        Of all parts together, at 0.5.
    best_threshold, best_accuracy, best_confusion
        The same at the threshold that has the highest accuracy, chosen in hindsight.
    importances
        Of each feature, the first the largest.
    roc
        Points of the curve over all parts: the share predicted to churn of those who came back, and of
        those who churned.
    calibration
        Tenths of the listeners by what was predicted: predicted, found.
    """

    name: str
    auc: Mean
    brier: Mean
    accuracy: Mean
    calibration_error: Mean
    confusion: Confusion
    best_threshold: float
    best_accuracy: float
    best_confusion: Confusion
    importances: tuple[Importance, ...]
    roc: tuple[tuple[float, float], ...]
    calibration: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class ChurnResult:
    """How well churn was predicted.

    Attributes
    ----------
    files
        What was read.
    tally
        What became of the rows.
    examples, rate
        How many were tried on, and how many of these churned.
    about
        What is said of the examples.
    learners
        Refrain's first, the others best first.
    notes
        What is to be known beside the figures, a sentence each.
    """

    files: tuple[str, ...]
    tally: Tally
    examples: int
    rate: float
    about: Mapping[str, str]
    learners: tuple[Rated, ...]
    notes: tuple[str, ...]
    seed: int

    def to_json(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        found = asdict(self)
        del found["tally"]
        found["rows"] = self.tally.rows
        found["unusable"] = dict(self.tally.bad)
        for learner, each in zip(found["learners"], self.learners, strict=True):
            learner["confusion"] = each.confusion._asdict()
            learner["best_confusion"] = each.best_confusion._asdict()
        return found
