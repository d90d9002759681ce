"""Files of observations, a row each, as columns: what was measured, and what was known of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from stream.errors import BadFile, WrongUse
from stream.files.columns import column, is_missing, plain, wanted
from stream.files.options import RowOptions
from stream.files.reading import Tally
from stream.files.tables import Bad, Column, Row, Table
from stream.wire.dead_letter import Reason

__all__ = ["Needed", "Observations", "number", "probability", "propensity", "read_observations", "truth"]

TRUE, FALSE = frozenset({"1", "1.0", "true", "yes"}), frozenset({"0", "0.0", "false", "no"})


class Needed(NamedTuple):
    """A field that each row needs.

    Attributes
    ----------
    parse
        Makes its value of a column's text.
    what
        What it is, for whom it is missing.
    optional
        Whether files may do without it.
    otherwise
        What else helps where it is missing, a sentence.
    """

    parse: Callable[[str], Any]
    what: str
    optional: bool = False
    otherwise: str = ""


@dataclass
class Observations:
    """What files held.

    Attributes
    ----------
    fields
        Field -> the value of each row; only fields that the files have.
    features
        Column -> the text of each row.
    tally
        What became of the rows.
    """

    fields: dict[str, list[Any]] = field(default_factory=dict)
    features: dict[str, list[str]] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)


def number(text: str) -> float:
    """Read a number.

    Raises
    ------
    ValueError
        Where it is none, or not finite.
    """
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is no finite number")
    return value


def probability(text: str) -> float:
    """Read a number from 0 to 1.

    Examples
    --------
    >>> probability("0.25")
    0.25
    """
    if not 0 <= (value := number(text)) <= 1:
        raise ValueError(f"{text!r} is no probability: 0 to 1")
    return value


def propensity(text: str) -> float:
    """Read the probability of something that happened: above 0."""
    if not (value := probability(text)):
        raise ValueError(f"{text!r}: what was chosen had a probability above 0")
    return value


def truth(text: str) -> float:
    """Read whether something is so: 1.0 or 0.0.

    Examples
    --------
    >>> truth("1"), truth("False")
    (1.0, 0.0)
    """
    if text.lower() in TRUE | FALSE:
        return float(text.lower() in TRUE)
    raise ValueError(f"{text!r} is neither 1 nor 0, neither true nor false")


def read_observations(
    files: Sequence[Path],
    options: RowOptions,
    fields: Mapping[str, Needed],
    features: Sequence[str] = (),
    mapped_by: str = "--map",
) -> Observations:
    """Read files into columns.

    A field comes from the column that `options.mapping` names, from its constant, or from the column of its
    own name. A row that has no value for one, or one that cannot be, is counted and left out.

    Parameters
    ----------
    mapped_by
        The option that says which column a field comes from, for hints.

    Raises
    ------
    WrongUse
        Where a column is not there, or a field is unknown or has no column.
    BadFile
        Where no row can be used.
    """
    _check(options, fields)
    found, last = Observations(), ""
    for table in (each for path in files for each in Table.all_of(path, options.layout)):
        reader = _Reader(table, options, fields, features, mapped_by)
        found.fields = found.fields or {name: [] for name in reader.names}
        found.features = found.features or {name: [] for name in features}
        if set(found.fields) != set(reader.names):
            raise WrongUse(f"{table.path} does not have the same fields as {files[0]}")
        for row in table.rows():
            if found.tally.rows - found.tally.left_out - found.tally.bad.total() == options.limit:
                break
            found.tally.rows += 1
            made = row if isinstance(row, Bad) else reader.read(row)
            if made is None:
                found.tally.left_out += 1
            elif isinstance(made, Bad):
                found.tally.bad[made.reason.value] += 1
                last = f"line {made.line}: {made.detail}"
            else:
                for values, value in zip(
                    (*found.fields.values(), *found.features.values()), made, strict=True
                ):
                    values.append(value)
    if not next(iter(found.fields.values()), []):
        raise BadFile(_nothing(files, found.tally), hint=f"For one, {last}." if last else "")
    return found


def _check(options: RowOptions, fields: Mapping[str, Needed]) -> None:
    for name in (*options.mapping, *options.constants):
        if name not in fields:
            raise WrongUse(f"there is no field {name!r} here; there are {', '.join(fields)}")
    if twice := sorted(set(options.mapping) & set(options.constants)):
        raise WrongUse(f"{twice[0]} has both a column and a constant: leave one of them out")


class _Reader:
    """Takes the fields and features out of the rows of a table."""

    def __init__(
        self,
        table: Table,
        options: RowOptions,
        fields: Mapping[str, Needed],
        features: Sequence[str],
        mapped_by: str,
    ) -> None:
        self._wanted = wanted(table, options.where)
        self._columns = dict(self._found(table, options, fields, mapped_by))
        self._parse = {name: fields[name].parse for name in self._columns}
        self._features = {name: column(table, name) for name in features}

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that the table has."""
        return tuple(self._columns)

    def read(self, row: Row) -> list[Any] | Bad | None:
        """Return the values of fields and features; None where the row was not asked for."""
        if not self._wanted(row.values):
            return None
        made: list[Any] = []
        for name, get in self._columns.items():
            value = get(row.values)
            if is_missing(value):
                return Bad(row.line, Reason.MISSING_FIELD, f"no {name}", row.values)
            try:
                made.append(self._parse[name](plain(value)))
            except ValueError as error:
                return Bad(row.line, Reason.BAD_VALUE, f"{name}: {error}", row.values)
        made += [
            "" if is_missing(value := get(row.values)) else plain(value) for get in self._features.values()
        ]
        return made

    @staticmethod
    def _found(
        table: Table, options: RowOptions, fields: Mapping[str, Needed], mapped_by: str
    ) -> Iterator[tuple[str, Column]]:
        for name, needed in fields.items():
            if name in options.constants:
                yield name, _constant(options.constants[name])
            elif name in options.mapping or (table.columns and table.has(name)):
                yield name, column(table, options.mapping.get(name, name))
            elif not needed.optional:
                if not table.columns:  # of JSON every row names its own
                    yield name, column(table, name)
                    continue
                raise WrongUse(
                    f"{table.path} has no column {name!r}, {needed.what}; it has {', '.join(table.columns)}",
                    hint=f"{mapped_by} {name}=COLUMN says which it is. {needed.otherwise}".rstrip(),
                )


def _constant(value: str) -> Column:
    return lambda _: value


def _nothing(files: Sequence[Path], tally: Tally) -> str:
    names = ", ".join(str(path) for path in files)
    if not tally.rows:
        return f"{names}: no rows"
    if tally.rows == tally.left_out:
        return f"{names}: none of {tally.rows:,} rows is asked for (--where)"
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in tally.bad.most_common())
    return f"{names}: none of {tally.rows:,} rows can be used ({reasons})"
