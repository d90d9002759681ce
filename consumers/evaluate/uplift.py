"""Whom an experiment moved, from files to its result: learned on a part of it, and tried on the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from consumers.evaluate.installed import EXTRA
from consumers.evaluate.offline_options import Offline
from consumers.evaluate.options import Measure
from consumers.evaluate.uplift_learners import OURS, Learner, usual_learners
from models.encoding import encode
from models.quality.anytime import Uplift, uplift
from models.quality.qini import SplitMean, over_splits, qini_coefficient, qini_curve
from models.uplift import UpliftModel
from stream.errors import BadFile, WrongUse
from stream.files.columns import plain
from stream.files.observations import Needed, read_observations, truth
from stream.files.options import RowOptions
from stream.files.reading import Tally
from stream.files.tables import Table

__all__ = ["GAIN_AT", "Experiment", "Ranked", "UpliftResult", "evaluate_uplift", "read_experiment"]

Floats = npt.NDArray[np.float64]
Watch = Callable[[str, float, float], object]

GAIN_AT = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
FEW = 100  # outcomes in the smaller group
FAR, SURE = 0.1, 5.0
"""Groups whose means of a feature differ by so many standard deviations, and standard errors, are hardly drawn
by chance."""

FIELDS = {
    "treated": Needed(plain, "who was treated and who was not"),
    "outcome": Needed(truth, "what came of it: 1 or 0"),
}


@dataclass(frozen=True, eq=False)
class Experiment:
    """A randomised experiment.

    Attributes
    ----------
    rows
        Shape (n, d), features.
    treated, outcomes
        Shape (n,), 0 or 1.
    names
        The columns of `rows`.
    treatments
        The values of `treated` that count as treated; empty where it is 1 or 0.
    tally
        What became of the rows of the files.
    """

    rows: Floats
    treated: Floats
    outcomes: Floats
    names: tuple[str, ...]
    treatments: tuple[str, ...]
    tally: Tally


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
    effect: Uplift
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


def read_experiment(files: Sequence[Path], options: RowOptions, offline: Offline) -> Experiment:
    """Read an experiment out of files.

    Raises
    ------
    WrongUse
        Where it is not said what the features are or who is the control group.
    BadFile
        Where the rows cannot be used, or are no experiment.
    """
    if not offline.features:
        there = Table(files[0], options.layout).columns
        raise WrongUse(
            "which columns were known before the treatment? --features A,B,... names them",
            hint=f"{files[0]} has {', '.join(there)}." if there else "",
        )
    found = read_observations(files, options, FIELDS, offline.features)
    treated = _treated(found.fields["treated"], offline.control)
    outcomes = np.array(found.fields["outcome"])
    if not 0 < treated.mean() < 1:
        raise BadFile(
            "all rows are of one group: an experiment has some who are treated, and some who are not"
        )
    if not 0 < outcomes.mean() < 1:
        raise BadFile("the outcome is the same for all rows: there is nothing to learn of")
    own = set(found.fields["treated"]) - {offline.control} if offline.control else set()
    names, rows = encode(found.features)
    if not names:
        raise BadFile(
            f"{', '.join(offline.features)}: each has one value in all rows, which tells nobody apart"
        )
    return Experiment(rows, treated, outcomes, names, tuple(sorted(own)), found.tally)


def evaluate_uplift(
    files: Sequence[Path], options: RowOptions, offline: Offline, measure: Measure, watch: Watch
) -> UpliftResult:
    """Learn whom an experiment moved, and try it on rows held out.

    Raises
    ------
    RefrainError
        Where that cannot be done.
    """
    experiment = read_experiment(files, options, offline)
    learners: dict[str, Learner] = {OURS: _ours}
    usual = {} if measure.no_baselines else usual_learners()
    learners |= usual
    # One thread for the small matrices and trees there: waiting for a second one takes longer than they do.
    with threadpool_limits(1):
        ranked = rank(experiment, learners, offline.splits, measure.share, measure.seed, watch)
    treated, outcomes = experiment.treated == 1, experiment.outcomes
    return UpliftResult(
        files=tuple(str(path) for path in files),
        tally=experiment.tally,
        treated=int(treated.sum()),
        control=int((~treated).sum()),
        treatments=experiment.treatments,
        effect=uplift(
            int(outcomes[treated].sum()),
            int(treated.sum()),
            int(outcomes[~treated].sum()),
            int((~treated).sum()),
        ),
        features=experiment.names,
        learners=ranked,
        splits=offline.splits,
        share=measure.share,
        seed=measure.seed,
        notes=tuple(_notes(experiment, compared=bool(usual) or measure.no_baselines)),
    )


def rank(
    experiment: Experiment,
    learners: dict[str, Learner],
    splits: int,
    share: float,
    seed: int,
    watch: Watch = lambda *_: None,
) -> tuple[Ranked, ...]:
    """Let learners rank the rows that each random split holds out; Refrain's first, the others best first.

    Raises
    ------
    BadFile
        Where a split has too few rows to learn from, or to try.
    """
    rows, treated, outcomes = experiment.rows, experiment.treated, experiment.outcomes
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


def _treated(values: list[str], control: str) -> Floats:
    there = sorted(set(values))
    if control:
        if control not in there:
            raise WrongUse(f"--control {control!r}: treated has no such value; it has {_some(there)}")
        return np.array([value != control for value in values], dtype=np.float64)
    try:
        return np.array([truth(value) for value in values])
    except ValueError:
        raise WrongUse(
            f"treated is {_some(there)}, not 1 or 0",
            hint="--control VALUE says which of them means: not treated.",
        ) from None


def _some(values: list[str], most: int = 8) -> str:
    return ", ".join(repr(value) for value in values[:most]) + (", ..." if len(values) > most else "")


def _check_part(treated: Floats, outcomes: Floats) -> None:
    """Each group must have both outcomes: else learners have nothing to go by, and a Qini curve no end."""
    if not all(0 < outcomes[treated == t].sum() < (treated == t).sum() for t in (0, 1)):
        raise BadFile(
            "too few outcomes: a random part of the rows has a group without any",
            hint="More rows are needed; --share 0.5 holds out more of them, with as many to learn from.",
        )


def _gain(scores: Floats, treated: Floats, outcomes: Floats) -> Floats:
    k, gained = qini_curve(scores, treated, outcomes)
    gain: Floats = np.interp(np.array(GAIN_AT) * len(scores), k, gained) / treated.sum()
    return gain


def _notes(experiment: Experiment, *, compared: bool) -> Iterator[str]:
    treated, outcomes = experiment.treated == 1, experiment.outcomes
    if len(experiment.treatments) > 1:
        yield (
            f"{', '.join(experiment.treatments)} count as one treatment; --where keeps the rows of one and "
            "of the control group."
        )
    if (fewest := int(min(outcomes[treated].sum(), outcomes[~treated].sum()))) < FEW:
        yield f"Only {fewest} outcomes in one group: whom the treatment moves can hardly be learned of them."
    differences = experiment.rows[treated].mean(axis=0) - experiment.rows[~treated].mean(axis=0)
    error = (1 / treated.sum() + 1 / (~treated).sum()) ** 0.5
    worst = int(np.abs(differences).argmax())
    if abs(differences[worst]) > max(FAR, SURE * error):
        yield (
            f"The groups differ in {experiment.names[worst]} by {abs(differences[worst]):.2f} standard "
            "deviations: they were hardly drawn by chance, and then none of this holds."
        )
    if not compared:
        yield f"Not compared with the usual learners: {EXTRA}"
