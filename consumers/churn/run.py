"""How well churn is predicted, from files to the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from consumers.churn.examples import Examples, check
from consumers.churn.feature_table import read_table
from consumers.churn.history import read_history
from consumers.churn.learners import OURS, Learner, Predict, refrain, usual_learners
from consumers.churn.options import ChurnOptions
from consumers.churn.result import ChurnResult, Importance, Mean, Rated
from consumers.evaluate.installed import EXTRA
from consumers.replay.plan import Plan
from models.quality.binary import (
    BINS,
    accuracy,
    auc,
    best_threshold,
    brier,
    calibration_error,
    confusion,
    roc,
)
from models.traits.churn_span import Span
from stream.files.options import FileOptions

__all__ = ["evaluate_churn"]

Floats = npt.NDArray[np.float64]
Watch = Callable[[str, float, float], object]

SHUFFLED = 2000  # rows on which importances are measured
REPEATS = 3


def evaluate_churn(
    files: Sequence[Path], options: FileOptions, asked: ChurnOptions, span: Span, watch: Watch
) -> ChurnResult:
    """Learn churn from a part of what files hold, and try it on the rest.

    Raises
    ------
    RefrainError
        Where that cannot be done.
    """
    if asked.features:
        examples, tally = read_table(files, options, asked)
    else:
        examples, tally = read_history(Plan("clicks", tuple(files), options), asked, span, watch)
    check(examples)
    learners: dict[str, Learner] = {OURS: refrain}
    usual = {} if asked.no_baselines else usual_learners(asked.seed)
    rated = []
    with threadpool_limits(1, "blas"):  # for these small matrices a second thread is waited for longer
        for at, (name, learner) in enumerate((learners | usual).items()):
            watch("learning", at, len(learners) + len(usual))
            rated.append(_rate(name, learner, examples, asked.seed))
    tried = np.concatenate([part.tried for part in examples.parts])
    not_compared = () if usual or asked.no_baselines else (f"Not compared with the usual learners: {EXTRA}",)
    return ChurnResult(
        files=tuple(str(path) for path in files),
        tally=tally,
        examples=len(tried),
        rate=float(examples.churned[tried].mean()),
        about=examples.about,
        learners=(rated[0], *sorted(rated[1:], key=lambda each: -each.auc.value)),
        notes=(*examples.notes, *not_compared),
        seed=asked.seed,
    )


def _rate(name: str, learner: Learner, examples: Examples, seed: int) -> Rated:
    rows, churned = examples.rows, examples.churned
    predicted: list[Floats] = []
    before, predict = None, None
    for part in examples.parts:
        if predict is None or part.learned is not before:
            before, predict = part.learned, learner(examples.names, rows[part.learned], churned[part.learned])
        predicted.append(np.clip(predict(rows[part.tried]), 1e-9, 1 - 1e-9))
    found = [churned[part.tried] for part in examples.parts]
    p, y = np.concatenate(predicted), np.concatenate(found)
    best = best_threshold(p, y)

    def over_parts(measure: Callable[[Floats, Floats], float]) -> Mean:
        return Mean.of([measure(*each) for each in zip(predicted, found, strict=True)])

    assert predict is not None  # noqa: S101 - there is at least one part
    tenths = np.array_split(np.argsort(p, kind="stable"), BINS)
    return Rated(
        name=name,
        auc=over_parts(auc),
        brier=over_parts(brier),
        accuracy=over_parts(accuracy),
        calibration_error=over_parts(calibration_error),
        confusion=confusion(p, y),
        best_threshold=best,
        best_accuracy=accuracy(p, y, best),
        best_confusion=confusion(p, y, best),
        importances=_importances(examples, predict, seed),
        roc=tuple(zip(*(part.round(4).tolist() for part in roc(p, y)), strict=True)),
        calibration=tuple((float(p[tenth].mean()), float(y[tenth].mean())) for tenth in tenths if len(tenth)),
    )


def _importances(examples: Examples, predict: Predict, seed: int) -> tuple[Importance, ...]:
    """Shuffle each feature in turn on the last part, which what predicts has not learned from.

    References
    ----------
    [^1]: Breiman, L., 2001. Random forests. Machine Learning, section 10.
    """
    random = np.random.default_rng(seed)
    at = random.permutation(examples.parts[-1].tried)[:SHUFFLED]
    rows, y = examples.rows[at], examples.churned[at]
    whole = auc(predict(rows), y)
    lost = []
    for column, feature in enumerate(examples.names):
        others = []
        for _ in range(REPEATS):
            shuffled = rows.copy()
            shuffled[:, column] = random.permutation(shuffled[:, column])
            others.append(auc(predict(shuffled), y))
        lost.append(Importance(feature, whole - float(np.mean(others))))
    return tuple(sorted(lost, key=lambda each: -each.auc_lost))
