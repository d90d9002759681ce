"""An export as DuckDB reads it, by the views of docs/sql/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from tests.refrain_command import Refrain

__all__ = ["SQL", "Warehouse", "run"]

SQL = Path(__file__).parents[2] / "docs" / "sql"


def run(refrain: Refrain, folder: Path | str, *options: str) -> Any:
    """Export, and return what the command says of it."""
    return refrain.asked("export", str(folder), *options)


class Warehouse:
    """Views on an export."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._duckdb = duckdb.connect()
        self._duckdb.execute("SET TimeZone = 'UTC'")
        self._duckdb.execute(f"SET VARIABLE export = '{folder}'")
        for file in [SQL / "tables.sql", *sorted(set(SQL.glob("*.sql")) - {SQL / "tables.sql"})]:
            self._duckdb.execute(file.read_text(encoding="utf-8"))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._duckdb.execute(query).fetchall()

    def column(self, query: str) -> list[Any]:
        return [value for (value,) in self.rows(query)]

    def all_versions(self) -> dict[str, int]:
        """How many row versions each table has."""
        manifest = json.loads((self._folder / "manifest.json").read_text())
        found: dict[str, int] = {}
        for file in manifest["files"]:
            found[file["table"]] = found.get(file["table"], 0) + file["rows"]
        return found

    def __enter__(self) -> Warehouse:
        return self

    def __exit__(self, *error: object) -> None:
        self._duckdb.close()
