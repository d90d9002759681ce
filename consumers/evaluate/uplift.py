"""Whom an experiment moved, from files to its result: learned on a part of it, and tried on the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from consumers.evaluate.installed import EXTRA
from consumers.evaluate.offline_options import Offline
from consumers.evaluate.options import Measure
from consumers.evaluate.trial import Trial, doubts, read_trial
from consumers.evaluate.uplift_learners import OURS, Learner, usual_learners
from models.quality.newcombe import Effect
from models.quality.qini import SplitMean, over_splits, qini_coefficient, qini_curve
from models.uplift import UpliftModel
from stream.errors import BadFile
from stream.files.options import RowOptions
from stream.files.reading import Tally

__all__ = ["GAIN_AT", "Ranked", "UpliftResult", "evaluate_uplift"]

Floats = npt.NDArray[np.float64]
Watch = Callable[[str, float, float], object]

GAIN_AT = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)


@dataclass(frozen=True)
class Ranked:
    """How well a learner ranks rows that it did not learn from.

    Attributes
    ----------
    name
        `OURS`, or that of a usual learner.
    qini
        The Qini coefficient, the mean over the splits.
    ahead
        How far Refrain's is ahead of it, over the same splits; None of Refrain itself.
    gain
        Outcomes more, per row, where only the best share of `GAIN_AT` is treated.
    """

    name: str
    qini: SplitMean
    ahead: SplitMean | None
    gain: tuple[float, ...]


@dataclass(frozen=True)
class UpliftResult:
    """Whom an experiment moved.

    Attributes
    ----------
    files
        What was read.
    tally
        What became of the rows.
    treated, control
        Rows of each group.
    treatments
        The values that count as treated, where that is not 1.
    effect
        What the treatment does to all together.
    features
        Columns that learners go by.
    learners
        Refrain's first, then the usual ones, best first.
    splits, share, seed
        How many, how much each holds out, and of chance.
    notes
        What is to be known beside the figures, a sentence each.
    """

    files: tuple[str, ...]
    tally: Tally
    treated: int
    control: int
    treatments: tuple[str, ...]
    effect: Effect
    features: tuple[str, ...]
    learners: tuple[Ranked, ...]
    splits: int
    share: float
    seed: int
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        found = asdict(self) | {
            "files": list(self.files),
            "rows": self.tally.rows,
            "left_out": self.tally.left_out,
            "bad": dict(self.tally.bad),
            "learners": [
                {
                    "name": each.name,
                    "refrain": each.name == OURS,
                    "qini": asdict(each.qini),
                    "gain": [[share, gain] for share, gain in zip(GAIN_AT, each.gain, strict=True)],
                }
                | ({"refrain_ahead": asdict(each.ahead)} if each.ahead else {})
                for each in self.learners
            ],
        }
        del found["tally"]
        return found


def evaluate_uplift(
    files: Sequence[Path], options: RowOptions, offline: Offline, measure: Measure, watch: Watch
) -> UpliftResult:
    """Learn whom an experiment moved, and try it on rows held out.

    Raises
    ------
    RefrainError
        Where that cannot be done.
    """
    trial = read_trial(files, options, offline)
    learners: dict[str, Learner] = {OURS: _ours}
    usual = {} if measure.no_baselines else usual_learners()
    learners |= usual
    missing = not usual and not measure.no_baselines
    not_compared = [f"Not compared with the usual learners: {EXTRA}"] if missing else []
    # One thread for the small matrices and trees there: waiting for a second one takes longer than they do.
    with threadpool_limits(1):
        ranked = _rank(trial, learners, offline.splits, measure.share, measure.seed, watch)
    treated, outcomes = trial.treated == 1, trial.outcomes
    return UpliftResult(
        files=tuple(str(path) for path in files),
        tally=trial.tally,
        treated=int(treated.sum()),
        control=int((~treated).sum()),
        treatments=trial.treatments,
        effect=Effect.of(
            int(outcomes[treated].sum()),
            int(treated.sum()),
            int(outcomes[~treated].sum()),
            int((~treated).sum()),
        ),
        features=trial.names,
        learners=ranked,
        splits=offline.splits,
        share=measure.share,
        seed=measure.seed,
        notes=(*doubts(trial), *not_compared),
    )


def _rank(
    trial: Trial,
    learners: dict[str, Learner],
    splits: int,
    share: float,
    seed: int,
    watch: Watch,
) -> tuple[Ranked, ...]:
    """Let learners rank the rows that each random split holds out; Refrain's first, the others best first.

    Raises
    ------
    BadFile
        Where a split has too few rows to learn from, or to try.
    """
    rows, treated, outcomes = trial.rows, trial.treated, trial.outcomes
    qinis: dict[str, list[float]] = {name: [] for name in learners}
    gains: dict[str, list[Floats]] = {name: [] for name in learners}
    for number in range(splits):
        order = np.random.default_rng([seed, number]).permutation(len(rows))
        held, known = np.split(order, [round(share * len(rows))])
        for part in (held, known):
            _check_part(treated[part], outcomes[part])
        for at, (name, learner) in enumerate(learners.items()):
            watch("learning", number * len(learners) + at, splits * len(learners))
            scores = learner(rows[known], treated[known], outcomes[known], rows[held])
            qinis[name].append(qini_coefficient(scores, treated[held], outcomes[held]))
            gains[name].append(_gain(scores, treated[held], outcomes[held]))
    found = [
        Ranked(
            name,
            over_splits(np.array(qinis[name]), share),
            None if name == OURS else over_splits(np.array(qinis[OURS]) - np.array(qinis[name]), share),
            tuple(np.mean(gains[name], axis=0).tolist()),
        )
        for name in learners
    ]
    return tuple(sorted(found, key=lambda each: (each.name != OURS, -each.qini.value)))


def _ours(rows: Floats, treated: Floats, outcomes: Floats, others: Floats) -> Floats:
    return UpliftModel.fit(rows, treated, outcomes).predict(others)


def _check_part(treated: Floats, outcomes: Floats) -> None:
    """Each group must have both outcomes: else learners have nothing to go by, and a Qini curve no end."""
    if not all(0 < outcomes[treated == t].sum() < (treated == t).sum() for t in (0, 1)):
        raise BadFile(
            "too few outcomes: a random part of the rows has a group without any",
            hint="More rows are needed, or another --share.",
        )


def _gain(scores: Floats, treated: Floats, outcomes: Floats) -> Floats:
    k, gained = qini_curve(scores, treated, outcomes)
    gain: Floats = np.interp(np.array(GAIN_AT) * len(scores), k, gained) / treated.sum()
    return gain
