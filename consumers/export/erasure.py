"""Takes out of an export who was erased since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from consumers.export.folder import Folder
from consumers.export.manifest import File, Manifest
from consumers.export.tables import TABLES
from consumers.export.writer import new_file
from stream.stores.erased import erased_hash

__all__ = ["Erasure", "erase"]


@dataclass(frozen=True)
class Erasure:
    """What became of files.

    Attributes
    ----------
    gone, new
        Files that hold somebody who was erased, and those that take their places.
    rows
        How many were left out.
    """

    gone: tuple[File, ...] = ()
    new: tuple[File, ...] = ()
    rows: int = 0


def erase(folder: Folder, manifest: Manifest, erased: Mapping[str, float], run: int) -> Erasure:
    """Rewrite files without who was erased. The old ones stay, until the manifest names them no more.

    Rows that were exported after the erasure stay: they are of who came back.

    Parameters
    ----------
    erased
        `stream.stores.erased.erased_hash` -> when, Unix seconds.
    """
    gone, new, rows = [], [], 0
    if not erased:
        return Erasure()
    for each in manifest.files:
        if not TABLES[each.table].of_persons:
            continue
        dead = _dead(folder.table(each.file, ["user_id", "exported_at"]), erased)
        if not dead.any():
            continue
        left = folder.table(each.file).filter(pa.array(~dead))
        gone.append(each)
        rows += int(dead.sum())
        if left.num_rows:
            file = new_file(each.table, run)
            folder.put_table(file, left)
            new.append(File(each.table, file, each.run, left.num_rows))
    return Erasure(tuple(gone), tuple(new), rows)


def _dead(table: pa.Table, erased: Mapping[str, float]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    users = table["user_id"].combine_chunks()
    since = {user: erased.get(erased_hash(user)) for user in pc.unique(users).to_pylist()}
    since = {user: at for user, at in since.items() if at is not None}
    dead = np.zeros(table.num_rows, dtype=bool)
    if since:
        at = np.flatnonzero(
            pc.is_in(users, pa.array(list(since), pa.string())).to_numpy(zero_copy_only=False)
        )
        written = table["exported_at"].to_pylist()
        dead[at] = [written[row].timestamp() <= since[users[row].as_py()] for row in at.tolist()]
    return dead
