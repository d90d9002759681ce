"""A table of features that somebody else has made: a row a listener, and who has churned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from consumers.churn.examples import Examples, Part
from consumers.churn.options import ChurnOptions
from models.encoding import encode
from stream.errors import BadFile, WrongUse
from stream.files.observations import Needed, read_observations, truth
from stream.files.options import RowOptions
from stream.files.reading import Tally
from stream.files.tables import Table

__all__ = ["read_table"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LARGEST = float(np.finfo(np.float32).max)  # trees of scikit-learn are of single precision


def read_table(files: Sequence[Path], options: RowOptions, asked: ChurnOptions) -> tuple[Examples, Tally]:
    """Read a table, and split it for cross-validation, with as many who churned in each part.

    A column of numbers stays one, NaN where it says nothing or what no learner takes, such as an infinite
    number; of a column of text each value has a column.

    Raises
    ------
    WrongUse
        Where a column is not there.
    BadFile
        Where nothing can be used.
    """
    columns = Table.all_of(files[0], options.layout)[0].columns
    if not columns:
        raise WrongUse(f"--features reads CSV and TSV with a header row, and {files[0]} has none")
    for name in (asked.label, *asked.drop):
        if name not in columns:
            raise WrongUse(
                f"{files[0]} has no column {name!r}; it has {', '.join(columns)}",
                hint="--label names the column that says who has churned, --drop those that are no features.",
            )
    features = [name for name in columns if name not in (asked.label, *asked.drop)]
    found = read_observations(
        files,
        replace(options, mapping={"label": asked.label}),
        {"label": Needed(truth, "whether the listener has churned")},
        features,
        mapped_by="--label",
    )
    names, rows = _columns(found.features)
    if not names:
        raise BadFile(f"{files[0]}: no column tells listeners apart", hint="--drop leaves too few columns.")
    churned = np.array(found.fields["label"])
    about = {
        "listeners": f"{len(churned):,}",
        "features": ", ".join(features),
        "left out": ", ".join(asked.drop),
        "tried on": f"{asked.splits} parts in turn, learned from the others",
    }
    parts = _parts(churned, asked.splits, asked.seed)
    return Examples(names, rows, churned, parts, about), found.tally


def _columns(columns: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], Floats]:
    names: list[str] = []
    made: list[Floats] = []
    for name, values in columns.items():
        try:
            numbers = np.array([float(value) if value else np.nan for value in values])
            numbers[np.abs(numbers) > LARGEST] = np.nan
            found = [(name, numbers)]
        except ValueError:
            levels, rows = encode({name: values})
            found = list(zip(levels, rows.T, strict=True))
        for label, column in found:
            if len(np.unique(column)) > 1:
                names.append(label)
                made.append(column)
    return tuple(names), np.column_stack(made) if made else np.empty((0, 0))


def _parts(churned: Floats, splits: int, seed: int) -> tuple[Part, ...]:
    random = np.random.default_rng(seed)
    part = np.empty(len(churned), dtype=np.int64)
    for outcome in (0, 1):
        those = random.permutation(np.flatnonzero(churned == outcome))
        part[those] = np.arange(len(those)) % splits
    order = random.permutation(len(churned))
    return tuple(Part(order[part[order] != number], order[part[order] == number]) for number in range(splits))
