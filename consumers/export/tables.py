"""The tables of an export: their columns and keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import pyarrow as pa

__all__ = ["OURS", "TABLES", "Row", "Table", "hashed"]

Row = Mapping[str, Any]
"""A row: column -> value; None where there is none."""

TEXT, NUMBER, COUNT, FLAG = pa.string(), pa.float64(), pa.int64(), pa.bool_()
TIME, DATE = pa.timestamp("us", tz="UTC"), pa.date32()

OURS = {"gone": FLAG, "run": pa.int32(), "exported_at": TIME, "key_hash": COUNT, "version": COUNT}
"""Columns that each table has beside its own: whether the thing is no more; by which run the row was written,
and when that began; what key and content are compared by."""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes
    ----------
    columns
        Its own, name -> type.
    key
        Those that say which row it is; of one key the version of the latest run counts.
    ends
        Whether a row ends when the thing is no more: then a version is written that says so.
    """

    name: str
    columns: Mapping[str, pa.DataType]
    key: tuple[str, ...]
    ends: bool = False

    @property
    def schema(self) -> pa.Schema:
        """Of its files."""
        return pa.schema({**self.columns, **OURS})

    @property
    def of_persons(self) -> bool:
        """Whether its rows are about listeners."""
        return "user_id" in self.columns

    def key_hash(self, row: Row) -> int:
        """Return what stands for a row's key: 64 bits."""
        return hashed([row[name] for name in self.key])

    def version(self, row: Row) -> int:
        """Return what stands for a row's content: 64 bits."""
        return hashed([row[name] for name in self.columns])


def hashed(values: list[Any]) -> int:
    """Return 64 bits that stand for values, as a signed number: that is what warehouses have.

    Examples
    --------
    >>> hashed(["u1", None, 0.5]) == hashed(["u1", None, 0.5]) != hashed(["u1", "None", 0.5])
    True
    """
    return int.from_bytes(blake2b(repr(values).encode(), digest_size=8).digest(), "little", signed=True)


TABLES = {
    table.name: table
    for table in (
        Table(
            "listeners",
            {
                "user_id": TEXT,
                "cohort_id": TEXT,
                "cohort_since": TIME,
                "clicks": COUNT,
                "first_seen": TIME,
                "last_seen": TIME,
                "bot": FLAG,
                "opted_out": FLAG,
            },
            ("user_id",),
            ends=True,
        ),
        Table(
            "traits",
            {
                "user_id": TEXT,
                "stage": TEXT,
                "stage_since": TIME,
                "zero_week": NUMBER,
                "expected_week": NUMBER,
                "churn": NUMBER,
                "segments": TEXT,
            },
            ("user_id",),
            ends=True,
        ),
        Table("stages", {"user_id": TEXT, "week": DATE, "stage": TEXT}, ("user_id", "week")),
        Table(
            "activity",
            {"user_id": TEXT, "week": DATE, "days": COUNT, "plays": COUNT, "actions": COUNT},
            ("user_id", "week"),
        ),
        Table(
            "cohorts",
            {
                "cohort_id": TEXT,
                "label": TEXT,
                "size": COUNT,
                "born": TIME,
                "parent": TEXT,
                "sent": COUNT,
                "clicked": COUNT,
                "opted_out": COUNT,
            },
            ("cohort_id",),
            ends=True,
        ),
        Table(
            "cohort_history",
            {
                "cohort_id": TEXT,
                "noted_at": TIME,
                "model_version": COUNT,
                "event": TEXT,
                "others": TEXT,
                "size": COUNT,
                "label": TEXT,
            },
            ("cohort_id", "model_version", "event"),
        ),
        Table(
            "memberships",
            {
                "user_id": TEXT,
                "moved_at": TIME,
                "from_cohort": TEXT,
                "to_cohort": TEXT,
                "reason": TEXT,
                "model_version": COUNT,
            },
            ("user_id", "moved_at", "to_cohort"),
        ),
        Table(
            "releases",
            {
                "release_id": TEXT,
                "title": TEXT,
                "artist_ids": TEXT,
                "song_id": TEXT,
                "state": TEXT,
                "reason": TEXT,
                "planned_at": TIME,
                "audience": COUNT,
                "expected_ctr": NUMBER,
                "random_ctr": NUMBER,
                "sent": COUNT,
                "not_sent": COUNT,
                "opened": COUNT,
                "clicked": COUNT,
                "dismissed": COUNT,
                "opted_out": COUNT,
                "played": COUNT,
            },
            ("release_id",),
        ),
        Table(
            "impressions",
            {"release_id": TEXT, "user_id": TEXT, "cohort_id": TEXT, "part": TEXT, "control": FLAG},
            ("release_id", "user_id"),
        ),
        Table(
            "feedback",
            {"release_id": TEXT, "user_id": TEXT, "kind": TEXT, "implied": FLAG},
            ("release_id", "user_id", "kind"),
        ),
    )
}
"""All of them, by name."""
