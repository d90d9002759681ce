"""A file that says what artists are called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stream.errors import WrongUse
from stream.files.columns import column, plain
from stream.files.options import Layout
from stream.files.tables import Bad, Table

__all__ = ["artist_names"]

FIELDS = ("artist_id", "name")


def artist_names(path: Path, layout: Layout, mapping: Mapping[str, str]) -> dict[str, str]:
    """Return artist id -> name.

    Parameters
    ----------
    mapping
        ``artist_id`` and ``name`` -> column of the file; else the columns of these names.

    Raises
    ------
    WrongUse
        Where a column is not there.
    """
    if others := sorted(set(mapping) - set(FIELDS)):
        raise WrongUse(f"--names-map says {' and '.join(FIELDS)}, not {others[0]}")
    table = Table(path, layout)
    artist_id, name = (column(table, mapping.get(field, field)) for field in FIELDS)
    return {
        plain(artist_id(row.values)): plain(name(row.values))
        for row in table.rows()
        if not isinstance(row, Bad) and plain(name(row.values))
    }
