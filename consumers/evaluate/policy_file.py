"""The file of a policy: with which probability it chooses which action, and for which rows of a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from stream.errors import BadFile
from stream.files.columns import plain
from stream.files.observations import Needed, probability, read_observations
from stream.files.options import Layout, RowOptions
from stream.files.tables import Row, Table

__all__ = ["PolicyFile", "read_policy"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NEAR_ONE = 0.01  # probabilities that were counted in many draws do not add up exactly
FIELDS = {
    "action": Needed(plain, "what may be chosen"),
    "probability": Needed(probability, "with which probability it is chosen", optional=True),
}


@dataclass(frozen=True, eq=False)
class PolicyFile:
    """A policy as its file has it.

    Attributes
    ----------
    on
        The columns that say for which rows of a log; empty where it chooses alike for all.
    contexts
        The values of these columns -> row of `probabilities`.
    actions
        The columns of `probabilities`.
    probabilities
        Shape (contexts, actions).
    """

    on: tuple[str, ...]
    contexts: Mapping[tuple[str, ...], int]
    actions: tuple[str, ...]
    probabilities: csr_matrix

    def of_rows(self, contexts: Sequence[tuple[str, ...]], actions: Sequence[str]) -> csr_matrix:
        """Return the probabilities for rows of a log, shape (rows, actions), with `actions` for columns.

        Raises
        ------
        BadFile
            Where the policy says nothing of a row.
        """
        try:
            rows = [self.contexts[context] for context in contexts]
        except KeyError as error:
            said = _said(self.on, error.args[0])
            raise BadFile(
                f"the policy has no row for {said}, which the log has",
                hint="--target-on says by which columns its rows and those of the log belong together.",
            ) from error
        number = {action: at for at, action in enumerate(actions)}
        entries = self.probabilities[rows].tocoo()
        columns = np.array([number[action] for action in self.actions])[entries.col]
        return csr_matrix((entries.data, (entries.row, columns)), shape=(len(rows), len(actions)))


def read_policy(path: Path, layout: Layout, mapping: Mapping[str, str], on: tuple[str, ...]) -> PolicyFile:
    """Read the file of a policy; without a column of probabilities each action in it is certain.

    Raises
    ------
    WrongUse
        Where a column is not there.
    BadFile
        Where a row cannot be used, or probabilities do not add up to 1.
    """
    names = _columns(Table(path, layout))
    own = {mapping.get(name, name) for name in FIELDS}
    on = on or tuple(name for name in names if name not in own)
    mapping = {**{name: name for name in FIELDS if name in names}, **mapping}
    options = RowOptions(columns=layout.columns, encoding=layout.encoding, mend=layout.mend, mapping=mapping)
    found = read_observations([path], options, FIELDS, on, "--target-map")
    if bad := found.tally.bad.total():
        raise BadFile(f"{path}: {bad:,} of {found.tally.rows:,} rows cannot be used, and a policy needs all")
    actions = tuple(dict.fromkeys(found.fields["action"]))
    keys = list(zip(*(found.features[name] for name in on), strict=True)) or [()] * found.tally.rows
    contexts = {key: at for at, key in enumerate(dict.fromkeys(keys))}
    numbers = {action: at for at, action in enumerate(actions)}
    at = ([contexts[key] for key in keys], [numbers[action] for action in found.fields["action"]])
    chances = found.fields.get("probability", [1.0] * len(keys))
    table = csr_matrix((chances, at), shape=(len(contexts), len(actions)))
    _check_sums(path, on, tuple(contexts), np.asarray(table.sum(axis=1)).ravel())
    return PolicyFile(on, contexts, actions, table)


def _columns(table: Table) -> tuple[str, ...]:
    """Return the names of the columns; of JSON those of the first row."""
    if table.columns:
        return table.columns
    first = next((row for row in table.rows() if isinstance(row, Row)), None)
    return tuple(first.values) if first else ()


def _check_sums(path: Path, on: tuple[str, ...], contexts: tuple[tuple[str, ...], ...], sums: Floats) -> None:
    wrong = np.flatnonzero(np.abs(sums - 1) > NEAR_ONE)
    if wrong.size:
        where = f" for {_said(on, contexts[wrong[0]])}" if on else ""
        raise BadFile(
            f"{path}: the probabilities{where} add up to {sums[wrong[0]]:.3g}, not to 1",
            hint="Name all actions that the policy may choose, and with --target-on the columns by which it "
            "chooses.",
        )


def _said(on: tuple[str, ...], context: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {value!r}" for name, value in zip(on, context, strict=True)) or "all"
