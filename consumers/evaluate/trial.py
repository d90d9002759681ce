"""A randomised trial, out of files: who was treated, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from consumers.evaluate.offline_options import Offline
from models.encoding import encode
from stream.errors import BadFile, WrongUse
from stream.files.columns import plain
from stream.files.observations import Needed, read_observations, truth
from stream.files.options import RowOptions
from stream.files.reading import Tally
from stream.files.tables import Table

__all__ = ["Trial", "doubts", "read_trial"]

Floats = npt.NDArray[np.float64]

FEW = 100  # outcomes in the smaller group
FAR, SURE = 0.1, 5.0
"""Groups whose means of a feature differ by so many standard deviations, and standard errors, were hardly
drawn by chance."""

FIELDS = {
    "treated": Needed(plain, "who was treated and who was not"),
    "outcome": Needed(truth, "what came of it: 1 or 0"),
}


@dataclass(frozen=True, eq=False)
class Trial:
    """A randomised trial.

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


def read_trial(files: Sequence[Path], options: RowOptions, offline: Offline) -> Trial:
    """Read a trial out of files.

    Raises
    ------
    WrongUse
        Where it is not said what the features are or who is the control group.
    BadFile
        Where the rows cannot be used, or are no trial.
    """
    if not offline.features:
        there = Table.all_of(files[0], options.layout)[0].columns
        raise WrongUse(
            "which columns were known before the treatment? --features A,B,... names them",
            hint=f"{files[0]} has {', '.join(there)}." if there else "",
        )
    for name in FIELDS:
        if (own := options.mapping.get(name, name)) in offline.features:
            raise WrongUse(f"--features has {own}, which is {name}: leave it out")
    found = read_observations(files, options, FIELDS, offline.features)
    treated = _treated(found.fields["treated"], offline.control)
    outcomes = np.array(found.fields["outcome"])
    if not 0 < treated.mean() < 1:
        raise BadFile("all rows are of one group: a trial has some who are treated, and some who are not")
    if not 0 < outcomes.mean() < 1:
        raise BadFile("the outcome is the same for all rows: there is nothing to learn of")
    treatments = set(found.fields["treated"]) - {offline.control} if offline.control else set()
    names, rows = encode(found.features)
    if not names:
        raise BadFile(
            f"{', '.join(offline.features)}: each has one value in all rows, which tells nobody apart"
        )
    return Trial(rows, treated, outcomes, names, tuple(sorted(treatments)), found.tally)


def doubts(trial: Trial) -> Iterator[str]:
    """Say what is to be known of a trial beside its figures, a sentence each."""
    treated, outcomes = trial.treated == 1, trial.outcomes
    if len(trial.treatments) > 1:
        yield (
            f"{', '.join(trial.treatments)} count as one treatment; --where keeps the rows of one and "
            "of the control group."
        )
    if (fewest := int(min(outcomes[treated].sum(), outcomes[~treated].sum()))) < FEW:
        yield f"Only {fewest} outcomes in one group: whom the treatment moves can hardly be learned of them."
    differences = trial.rows[treated].mean(axis=0) - trial.rows[~treated].mean(axis=0)
    error = (1 / treated.sum() + 1 / (~treated).sum()) ** 0.5
    worst = int(np.abs(differences).argmax())
    if abs(differences[worst]) > max(FAR, SURE * error):
        yield (
            f"The groups differ in {trial.names[worst]} by {abs(differences[worst]):.2f} standard "
            "deviations: they were hardly drawn by chance, and then none of this holds."
        )


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
