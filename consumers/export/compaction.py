"""Joins the small files of an export: a run leaves one for each table in which something has changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from consumers.export.folder import Folder
from consumers.export.manifest import File, Manifest
from consumers.export.tables import TABLES
from consumers.export.writer import FILE_ROWS, new_file

__all__ = ["Compaction", "compact"]


@dataclass(frozen=True)
class Compaction:
    """What became of files.

    Attributes
    ----------
    gone, new
        Small files, and those that have their rows.
    """

    gone: tuple[File, ...] = ()
    new: tuple[File, ...] = ()


def compact(folder: Folder, manifest: Manifest) -> Compaction:
    """Write the rows of small files into files of up to 500,000, in the order of their runs.

    The small ones stay, until the manifest names them no more.
    """
    gone, new = [], []
    for name in TABLES:
        for group in _groups(manifest.of(name)):
            rows = pa.concat_tables([folder.table(each.file) for each in group], promote_options="default")
            file = new_file(name, group[-1].run)
            folder.put_table(file, rows)
            new.append(File(name, file, group[-1].run, rows.num_rows))
            gone.extend(group)
    return Compaction(tuple(gone), tuple(new))


def _groups(files: tuple[File, ...]) -> Iterator[list[File]]:
    """Yield neighbours that fit into one file, two of them at least."""
    group: list[File] = []
    for each in files:
        if sum(other.rows for other in group) + each.rows > FILE_ROWS:
            if len(group) > 1:
                yield group
            group = []
        group.append(each)
    if len(group) > 1:
        yield group
