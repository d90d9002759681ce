"""Joins the small files of an export: a run leaves one for each table in which something has changed."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from consumers.export.folder import Folder
from consumers.export.manifest import File, Manifest
from consumers.export.tables import TABLES
from consumers.export.writer import FILE_ROWS, new_file

__all__ = ["compact"]


def compact(folder: Folder, manifest: Manifest) -> Manifest:
    """Write the rows of small files into files of up to 500,000.

    The small ones stay, until the manifest that is returned takes the place of this one.
    """
    gone, new = [], []
    for name in TABLES:
        for group in _groups(manifest.of(name)):
            rows = pa.concat_tables([folder.table(each.file) for each in group], promote_options="default")
            file = new_file(name, group[-1].run)
            folder.put_table(file, rows)
            new.append(File(name, file, group[-1].run, rows.num_rows))
            gone.extend(group)
    return manifest.with_files(gone, new)


def _groups(files: Sequence[File]) -> list[list[File]]:
    """Return neighbours that fit into one file, two of them at least."""
    groups: list[list[File]] = [[]]
    for each in files:
        if sum(other.rows for other in groups[-1]) + each.rows > FILE_ROWS:
            groups.append([])
        groups[-1].append(each)
    return [group for group in groups if len(group) > 1]
