"""Lets each table of an export be a Delta table: its log names the files that the manifest does."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deltalake import DeltaTable, Schema
from deltalake.exceptions import DeltaError
from deltalake.transaction import AddAction, RemoveAction

from consumers.export.folder import Folder
from consumers.export.manifest import File, Manifest
from consumers.export.tables import TABLES, Table
from stream.errors import NotWritten

__all__ = ["follow"]


def follow(folder: Folder, manifest: Manifest, *, data_change: bool = True) -> None:
    """Make the logs equal to the manifest, in one transaction a table; none where nothing differs.

    Parameters
    ----------
    data_change
        Whether the rows are others than before: who reads a table as a stream passes over transactions that
        only put them into other files.

    Raises
    ------
    NotWritten
        Where a log cannot be read or written.
    """
    for table in TABLES.values():
        with _failing(folder, table):
            _follow(folder, table, manifest.of(table.name), data_change)


def _follow(folder: Folder, table: Table, files: tuple[File, ...], data_change: bool) -> None:
    log = DeltaTable.create(
        f"{folder.name.rstrip('/')}/{table.name}",
        table.schema,
        mode="ignore",
        storage_options=_options(folder.name),
    )
    known = {field.name for field in log.schema().fields}
    if new := [field for field in Schema.from_arrow(table.schema).fields if field.name not in known]:
        log.alter.add_columns(new)  # the log was begun by an earlier Refrain
    listed = {uri.rpartition("/")[2] for uri in log.file_uris()}
    ours = {each.file.rpartition("/")[2]: each for each in files}
    now = int(time.time() * 1000)
    adds = [_add(folder, ours[name], name, now, data_change) for name in sorted(ours.keys() - listed)]
    removes = [RemoveAction(name, data_change, now) for name in sorted(listed - ours.keys())]
    if adds or removes:
        log.create_write_transaction([*removes, *adds], mode="append", schema=log.schema())


def _add(folder: Folder, file: File, name: str, now: int, data_change: bool) -> AddAction:
    return AddAction(name, folder.size(file.file), {}, now, data_change, f'{{"numRecords":{file.rows}}}')


def _options(name: str) -> dict[str, str]:
    """Return what the environment does not say by itself: that an S3 on plain HTTP is meant."""
    plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
    return {"AWS_ALLOW_HTTP": "true"} if plain and name.startswith("s3://") else {}


@contextmanager
def _failing(folder: Folder, table: Table) -> Iterator[None]:
    try:
        yield
    except (DeltaError, OSError) as error:
        raise NotWritten(
            f"{folder.name}/{table.name}/_delta_log: {error}",
            hint="The Parquet files and the manifest are whole; run it again, and the log follows them.",
        ) from error
