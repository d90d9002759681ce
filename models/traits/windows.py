"""What lies between windows of different length: of the last 14 days, what was before the last 7."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["with_between"]

Floats = npt.NDArray[np.float64]
Key = tuple[tuple[str, ...], tuple[str, ...]]


def with_between(names: Sequence[str], rows: Floats) -> tuple[tuple[str, ...], Floats]:
    """Add to columns of windows how far each goes beyond the next shorter one.

    Longer windows include shorter ones, so they are correlated; their differences say when it was.

    Parameters
    ----------
    names
        The columns. Those that differ only in the number behind "last" are windows of the same thing, as
        `freq_P_last_7` and `freq_P_last_14`.
    rows
        Shape (n, d); what is missing (NaN) counts as 0 here.

    Returns
    -------
    The names, and shape (n, d'), the columns that there were first.

    Examples
    --------
    >>> with_between(["play_last_7", "play_last_14", "age"], np.array([[2.0, 5.0, 1.0]]))
    (('play_last_7', 'play_last_14', 'age', 'play_last_14_beyond_7'), array([[2., 5., 1., 3.]]))
    """
    windows: dict[Key, list[tuple[int, int]]] = defaultdict(list)
    for at, name in enumerate(names):
        parts = name.split("_")
        for place in range(1, len(parts)):
            if parts[place - 1] == "last" and parts[place].isdecimal():
                windows[tuple(parts[:place]), tuple(parts[place + 1 :])].append((int(parts[place]), at))
    pairs = [
        (shorter, longer)
        for found in windows.values()
        for shorter, longer in zip(sorted(found), sorted(found)[1:], strict=False)
    ]
    filled = np.nan_to_num(rows)
    between = [filled[:, longer] - filled[:, shorter] for (_, shorter), (_, longer) in pairs]
    added = [f"{names[longer]}_beyond_{days}" for (days, _), (_, longer) in pairs]
    return (*names, *added), np.column_stack([rows, *between])
