"""Writes docs/sql/tables.sql, and all of docs/sql/bigquery/. `python docs/sql_views.py`

The views are written for DuckDB; those for BigQuery are the same, transpiled by sqlglot.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import sqlglot
from sqlglot import exp

from consumers.export.tables import TABLES, Table

SQL = Path(__file__).with_name("sql")
DATASET = "refrain"
VIEWS = sorted(path.stem for path in SQL.glob("*.sql") if path.stem != "tables")
SINGULAR = {"listeners": "listener", "traits": "trait", "stages": "stage", "cohorts": "cohort"}
SINGULAR |= {"memberships": "membership", "releases": "release", "impressions": "impression"}

DUCKDB = """\
-- The tables of an export as they are now, for DuckDB. First say where it is:
--     SET VARIABLE export = 'warehouse';
-- A file counts where the manifest names it; of one key the latest run's version does, unless it is gone.
-- Written by docs/sql_views.py.

CREATE OR REPLACE VIEW export_run AS
SELECT run, to_timestamp(exported_at) AS exported_at
FROM read_json(getvariable('export') || '/manifest.json');

CREATE OR REPLACE VIEW export_files AS
SELECT unnest(files).file AS file
FROM read_json(getvariable('export') || '/manifest.json');
"""
DUCKDB_TABLE = """
CREATE OR REPLACE VIEW {to}{versions} AS
SELECT {columns}, gone, run, exported_at
FROM read_parquet(getvariable('export') || '/{name}/*.parquet', filename = true, union_by_name = true)
WHERE '{name}/' || parse_filename(filename) IN (SELECT file FROM export_files);
"""
BIGQUERY = """\
-- The tables of an export as they are now, for BigQuery. It was made to gs://BUCKET/FOLDER: say where.
-- All is made in a dataset `refrain`. A file counts where the manifest names it; of one key the latest run's
-- version does, unless it is gone. Written by docs/sql_views.py.

CREATE OR REPLACE EXTERNAL TABLE refrain.export_manifest
(run INT64, exported_at FLOAT64, files ARRAY<STRUCT<file STRING>>)
OPTIONS (format = 'JSON', ignore_unknown_values = TRUE, uris = ['gs://BUCKET/FOLDER/manifest.json']);

CREATE OR REPLACE VIEW refrain.export_run AS
SELECT run, TIMESTAMP_MICROS(CAST(1e6 * exported_at AS INT64)) AS exported_at
FROM refrain.export_manifest;

CREATE OR REPLACE VIEW refrain.export_files AS
SELECT named.file
FROM refrain.export_manifest, UNNEST(files) AS named;
"""
BIGQUERY_TABLE = """
CREATE OR REPLACE EXTERNAL TABLE refrain.{name}_parquet
OPTIONS (format = 'PARQUET', uris = ['gs://BUCKET/FOLDER/{name}/*.parquet']);

CREATE OR REPLACE VIEW {to}{versions} AS
SELECT {columns}, gone, run, exported_at
FROM refrain.{name}_parquet
WHERE REGEXP_EXTRACT(_FILE_NAME, r'[^/]+/[^/]+$') IN (SELECT file FROM refrain.export_files);
"""
CURRENT = """
CREATE OR REPLACE VIEW {to}{name} AS
SELECT * FROM {to}{versions}
WHERE TRUE
QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY run DESC) = 1 AND NOT gone;
"""


def tables(head: str, each: str, dataset: str = "") -> str:
    """Return the views of all tables."""
    return head + "".join((each + CURRENT).format(to=dataset, **_words(table)) for table in TABLES.values())


def for_bigquery(text: str) -> str:
    """Return a view in BigQuery's dialect, its tables those of the dataset `refrain`."""
    tree = sqlglot.parse_one(text, read="duckdb")
    inner = {each.alias for each in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if table.name not in inner:
            name = table.name
            table.set("db", exp.to_identifier(DATASET))
            if isinstance(table.parent, exp.From | exp.Join) and not table.alias:
                table.set("alias", exp.TableAlias(this=exp.to_identifier(name)))
    written = tree.sql("bigquery", pretty=True, comments=False)
    # sqlglot (30) leaves WEEK, which begins on Sundays there.
    return re.sub(r"_TRUNC\((.*), WEEK\)", r"_TRUNC(\1, ISOWEEK)", written)


def _words(table: Table) -> dict[str, str]:
    return {
        "name": table.name,
        "versions": f"{SINGULAR.get(table.name, table.name)}_versions",
        "columns": ", ".join(table.columns),
        "key": ", ".join(table.key),
    }


def pages() -> dict[str, str]:
    """Return what is written: file below docs/sql/ -> text."""
    written = {
        "tables.sql": tables(DUCKDB, DUCKDB_TABLE),
        "bigquery/tables.sql": tables(BIGQUERY, BIGQUERY_TABLE, f"{DATASET}."),
    }
    for name in VIEWS:
        text = (SQL / f"{name}.sql").read_text(encoding="utf-8")
        comments = "".join(f"{line}\n" for line in text.splitlines() if line.startswith("--"))
        written[f"bigquery/{name}.sql"] = f"{comments}{for_bigquery(text)};\n"
    return written


if __name__ == "__main__":
    for file, text in pages().items():
        (SQL / file).parent.mkdir(exist_ok=True)
        (SQL / file).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{SQL / file}\n")
