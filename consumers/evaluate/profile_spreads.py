"""How the seconds of profiles spread over genres, cities, hours and weekdays, as features."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, hstack

from consumers.replay.plan import Plan
from stream.files.profiles import SPREADS, ProfileTable, seconds_by_name

__all__ = ["spreads_of"]

Floats = npt.NDArray[np.float64]

MOST_NAMES = 256
"""Columns of one spread, the most frequent first: there are more cities than can be learned from."""


def spreads_of(plan: Plan, listeners: Sequence[str]) -> tuple[dict[str, Floats], csr_matrix]:
    """Return the shares of each spread by its name, shapes (n, s), and log(1 + seconds) of all, side by side.

    An entry that cannot be read is zeros here: it is counted among the rows that cannot be used.
    """
    row_of = {user: row for row, user in enumerate(listeners)}
    found: dict[str, list[tuple[int, str, float]]] = {field: [] for field in SPREADS}
    for path in plan.files:
        for _, user, entry in ProfileTable(path, plan.options.layout, "clicks", time.time()).entries():
            if user in row_of and isinstance(entry, dict):
                for field, own in found.items():
                    own += [(row_of[user], name, seconds) for name, seconds in _spread(entry, field).items()]
    seconds = {field: _columns(own, len(listeners)) for field, own in found.items()}
    shares = {}
    for field, each in seconds.items():
        total = np.maximum(np.asarray(each.sum(axis=1)), 1e-9)
        shares[field] = np.asarray(each.toarray() / total)
    raw = hstack(list(seconds.values()), format="csr")
    raw.data = np.log1p(raw.data)
    return {field: each for field, each in shares.items() if each.shape[1]}, raw


def _spread(entry: dict[str, object], field: str) -> dict[str, float]:
    try:
        return seconds_by_name(str(entry.get(field, "")))
    except ValueError:
        return {}


def _columns(own: Sequence[tuple[int, str, float]], n: int) -> csr_matrix:
    often: dict[str, int] = {}
    for _, name, _ in own:
        often[name] = often.get(name, 0) + 1
    names = sorted(often, key=lambda name: (-often[name], name))[:MOST_NAMES]
    column_of = {name: column for column, name in enumerate(names)}
    kept = [(row, column_of[name], seconds) for row, name, seconds in own if name in column_of]
    rows, columns, values = (np.array(part) for part in zip(*kept, strict=True)) if kept else ([], [], [])
    return csr_matrix((values, (rows, columns)), shape=(n, len(names)))
