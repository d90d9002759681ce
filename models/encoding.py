"""Columns of any kind as numbers: what learners need of features that are text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_LEVELS", "encode"]

Floats = npt.NDArray[np.float64]

MOST_LEVELS = 50
"""Values of a column of text that have a column of their own; all that are rarer share one."""


def encode(columns: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], Floats]:
    """Return features as numbers of mean 0 and standard deviation 1.

    A column of numbers stays one; where it has nothing it has its mean. Of any other column each value has a
    column of 0s and 1s. Columns that say the same of all rows are left out.

    Parameters
    ----------
    columns
        Name -> the value of each row, as text.

    Returns
    -------
    The names of the columns, and shape (n, d).

    Examples
    --------
    >>> names, rows = encode({"age": ["20", "40", "", "30"], "town": ["A", "B", "B", "A"], "all": ["1"] * 4})
    >>> names
    ('age', 'town=A', 'town=B')
    >>> rows.round(2).tolist()
    [[-1.41, 1.0, -1.0], [1.41, -1.0, 1.0], [0.0, -1.0, 1.0], [0.0, 1.0, -1.0]]
    """
    names: list[str] = []
    made: list[Floats] = []
    for name, values in columns.items():
        numbers = _numbers(values)
        found = {name: numbers} if numbers is not None else _levels(name, values)
        for label, column in found.items():
            spread = float(column.std())
            if spread > 0:
                names.append(label)
                made.append((column - column.mean()) / spread)
    n = len(next(iter(columns.values()), ()))
    return tuple(names), np.column_stack(made) if made else np.empty((n, 0))


def _numbers(values: Sequence[str]) -> Floats | None:
    """Return a column as numbers, what is missing as their mean; None where something in it is no number."""
    try:
        numbers = np.array([float(value) if value else np.nan for value in values])
    except ValueError:
        return None
    there = np.isfinite(numbers)
    if not there.any() or (~there).sum() > values.count(""):
        return None
    return np.where(there, numbers, numbers[there].mean())


def _levels(name: str, values: Sequence[str]) -> dict[str, Floats]:
    common = [value for value, _ in Counter(values).most_common(MOST_LEVELS)]
    made = {f"{name}={value}": np.array([v == value for v in values], float) for value in sorted(common)}
    rest = 1.0 - np.sum(list(made.values()), axis=0)
    return made | ({f"{name}, rarer": rest} if rest.any() else {})
