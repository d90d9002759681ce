"""Writes rows that have changed since the last run."""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from consumers.export.folder import Folder
from consumers.export.manifest import File, Manifest
from consumers.export.met import Met
from consumers.export.tables import Row, Table, hashed
from consumers.export.versions import Versions

__all__ = ["Writer", "is_new_file", "new_file"]

FILE_ROWS = 500_000  # of one file, at most
GONE = hashed(["gone"])
NEW_FILE = re.compile(r"[^/]+/\d{6,}-[0-9a-f]{12}\.parquet(\.tmp)?")


def new_file(table: str, run: int) -> str:
    """Return a name that no file has had: what a run that broke off has left is never taken for it."""
    return f"{table}/{run:06d}-{secrets.token_hex(6)}.parquet"


def is_new_file(file: str) -> bool:
    """Say whether this is a name that `new_file` makes, or what is written under it before it is whole.

    Examples
    --------
    >>> is_new_file(new_file("feedback", 7)), is_new_file("feedback/2025.parquet")
    (True, False)
    """
    return bool(NEW_FILE.fullmatch(file))


class Writer:
    """Takes all rows of a table, and writes those that have changed since the last run, each once.

    Parameters
    ----------
    manifest
        Of the last run.
    run, began
        This one, and when it began (Unix seconds).
    """

    def __init__(self, folder: Folder, table: Table, manifest: Manifest, run: int, began: float) -> None:
        self.files: list[File] = []
        self._folder, self._table, self._run = folder, table, run
        self._began = datetime.fromtimestamp(began, UTC)
        self._files = manifest.of(table.name)
        self._versions = Versions(folder.table(each.file, list(Versions.COLUMNS)) for each in self._files)
        self._met = Met()
        self._held: list[pa.Table] = []

    @property
    def rows(self) -> int:
        """How many were written."""
        return sum(each.rows for each in self.files)

    def add(self, rows: Sequence[Row]) -> None:
        """Take rows; one whose key came before in this run is passed over."""
        keys = np.array([self._table.key_hash(row) for row in rows], dtype=np.int64)
        first = self._met.add(keys).nonzero()[0].tolist()
        versions = [self._table.version(rows[at]) for at in first]
        changed = self._versions.changed(keys[first], np.array(versions, dtype=np.int64))
        new = zip(keys[first].tolist(), versions, (rows[at] for at in first), strict=True)
        self._keep([each for each, is_new in zip(new, changed.tolist(), strict=True) if is_new])

    def missing(self, users: Collection[str] | None = None) -> list[Row]:
        """Return the keys, column -> value, of rows of the last run that were not added in this one.

        Parameters
        ----------
        users
            Whose; None: of all.
        """
        lost = self._versions.alive_without(self._met.all())
        found: dict[int, Row] = {}
        if len(lost):
            for each in self._files:
                some = self._folder.table(each.file, ["key_hash", *self._table.key])
                if users is not None:
                    some = some.filter(pc.is_in(some["user_id"], pa.array(users, pa.string())))
                some = some.filter(pc.is_in(some["key_hash"], pa.array(lost)))
                found |= {row.pop("key_hash"): row for row in some.to_pylist()}
        return list(found.values())

    def passed_on(self, roots: Mapping[str, str]) -> list[Row]:
        """Return the keys of rows of ids that are part of a listener who had such a row in this run.

        Parameters
        ----------
        roots
            Id -> the listener.
        """
        rows = self.missing(roots) if roots else []
        theirs = [self._table.key_hash({**row, "user_id": roots[row["user_id"]]}) for row in rows]
        met = np.isin(np.array(theirs, dtype=np.int64), self._met.all())
        return [row for row, is_met in zip(rows, met.tolist(), strict=True) if is_met]

    def end(self, keys: Sequence[Row]) -> None:
        """Write that rows are no more."""
        nothing = dict.fromkeys(self._table.columns)
        self._keep([(self._table.key_hash(key), GONE, {**nothing, **key, "gone": True}) for key in keys])

    def close(self) -> list[File]:
        """Write what is held, and return the files that were written; a table has one at least."""
        if not self._files and not self.files:
            self._held.append(self._table.schema.empty_table())
        self._flush()
        return self.files

    def _keep(self, rows: Sequence[tuple[int, int, Row]]) -> None:
        if not rows:
            return
        ours = {"gone": False, "run": self._run, "exported_at": self._began}
        full = [{**ours, **row, "key_hash": key, "version": version} for key, version, row in rows]
        self._held.append(pa.Table.from_pylist(full, schema=self._table.schema))
        if sum(table.num_rows for table in self._held) >= FILE_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            table, file = pa.concat_tables(self._held), new_file(self._table.name, self._run)
            self._held = []
            self._folder.put_table(file, table)
            self.files.append(File(self._table.name, file, self._run, table.num_rows))
